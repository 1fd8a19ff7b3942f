"""The principal's JWTs (RFC 7519): signed and verified with RS512 and nothing else.

Claims and lifetimes are those of the wire contract, 2.7. Times are seconds since 1970 and leeway is zero. Tokens
are stateless: nothing here is remembered or revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from argocd_agent.errors import DecodeError, KeyMaterialError
from argocd_agent.pki import keys
from argocd_agent.pki.subject import Subject, parse_subject, subject_text
from argocd_agent.protocol.names import (
    TOKEN_ALGORITHM,
    TOKEN_AUDIENCE_ACCESS,
    TOKEN_AUDIENCE_REFRESH,
    TOKEN_AUDIENCE_RESOURCE_PROXY,
    TOKEN_ISSUER,
)

ROTATE_BELOW_SECONDS = 600  # a refresh token with less than this left is replaced


class Audience(StrEnum):
    """What a token is good for."""

    ACCESS = TOKEN_AUDIENCE_ACCESS
    REFRESH = TOKEN_AUDIENCE_REFRESH
    RESOURCE_PROXY = TOKEN_AUDIENCE_RESOURCE_PROXY


_LIFETIME_SECONDS: Mapping[Audience, int | None] = {
    Audience.ACCESS: 300,
    Audience.REFRESH: 86_400,
    Audience.RESOURCE_PROXY: None,  # it lies in a cluster Secret, which nobody would renew
}


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that we signed. `expires_at` None: never."""

    sub: str
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class TokenKey:
    """The key that signs and verifies our tokens."""

    key: RSAKey

    @classmethod
    def from_pem(cls, pem: str | bytes, where: str) -> "TokenKey":
        """The key in *pem*, an RSA private key in PKCS#8. Raises `KeyMaterialError`, naming *where* it came from."""
        private = keys.from_pem(pem, where)
        kind, bits = keys.kind_and_bits(private.public_key())
        if kind != "RSA":
            raise KeyMaterialError(f"{where}: expected an RSA key, which {TOKEN_ALGORITHM} needs, found {kind}")
        if bits < 2048:
            raise KeyMaterialError(f"{where}: expected an RSA key of at least 2048 bits, found {bits}")
        return cls(RSAKey.import_key(keys.to_pem(private)))

    def issue(self, audience: Audience, sub: str, token_id: str, now: float) -> str:
        """A token for *sub*. *token_id* is a fresh random UUID; *now* in seconds since 1970."""
        at = int(now)
        claims: dict[str, object] = {
            "iss": TOKEN_ISSUER,
            "aud": [audience.value],
            "sub": sub,
            "nbf": at,
            "iat": at,
            "jti": token_id,
        }
        lifetime = _LIFETIME_SECONDS[audience]
        if lifetime is not None:
            claims["exp"] = at + lifetime
        header = {"alg": TOKEN_ALGORITHM, "typ": "JWT"}
        token: str = jwt.encode(header, claims, self.key, algorithms=[TOKEN_ALGORITHM])
        return token

    def issue_for_agent(self, audience: Audience, subject: Subject, token_id: str, now: float) -> str:
        """An access or refresh token for an agent in its mode."""
        return self.issue(audience, subject_text(subject), token_id, now)

    def verify(self, token: str, audience: Audience, now: float) -> Verified:
        """What *token* says, if we signed it for *audience* and it counts at *now*. Raises `KeyMaterialError`."""
        try:
            claims = jwt.decode(token, self.key, algorithms=[TOKEN_ALGORITHM]).claims
        except (JoseError, ValueError, TypeError) as error:
            raise KeyMaterialError(f"token: {error}") from error
        return _checked(claims, audience, now)

    def verify_agent(self, token: str, audience: Audience, now: float) -> tuple[Subject, Verified]:
        """As `verify`, and whose it is. Raises `KeyMaterialError` for a subject that names no agent, too."""
        verified = self.verify(token, audience, now)
        try:
            return parse_subject(verified.sub), verified
        except DecodeError as error:
            raise KeyMaterialError(f"token: {error}") from error


def must_rotate(refresh: Verified, now: float) -> bool:
    """Whether a refresh with *refresh* yields a new refresh token, too."""
    return refresh.expires_at is not None and refresh.expires_at - now < ROTATE_BELOW_SECONDS


def _checked(claims: Mapping[str, object], audience: Audience, now: float) -> Verified:
    if claims.get("iss") != TOKEN_ISSUER:
        raise KeyMaterialError(f"token: expected issuer {TOKEN_ISSUER}, found {claims.get('iss')!r}")
    meant = claims.get("aud")
    if audience.value not in (meant if isinstance(meant, list) else [meant]):
        raise KeyMaterialError(f"token: expected audience {audience.value}, found {meant!r}")
    expires_at, not_before = _seconds(claims, "exp"), _seconds(claims, "nbf")
    if expires_at is not None and now >= expires_at:
        raise KeyMaterialError(f"token: expired {now - expires_at:.0f} s ago")
    if not_before is not None and now < not_before:
        raise KeyMaterialError(f"token: valid in {not_before - now:.0f} s only")
    sub = claims.get("sub")
    if not isinstance(sub, str):
        raise KeyMaterialError("token: expected a subject (sub), found none")
    return Verified(sub, expires_at)


def _seconds(claims: Mapping[str, object], name: str) -> float | None:
    """A date claim; absent and 0 both mean "no limit", as in the reference."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise KeyMaterialError(f"token: expected a number in {name}, found {value!r}")
    return float(value) or None
