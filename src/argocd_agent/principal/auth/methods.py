"""The principal's one authentication method, from the text of `--auth`, and what it demands of the listener."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from argocd_agent.errors import ConfigError
from argocd_agent.principal.auth.header import Header
from argocd_agent.principal.auth.identity import Pattern
from argocd_agent.principal.auth.mtls import Mtls, Source
from argocd_agent.principal.auth.userpass import UserPass, Verifier, bcrypt_verifier, parse_passwords
from argocd_agent.protocol.events import AgentName
from argocd_agent.transport.gate import Caller
from argocd_agent.wire.messages import LoginRequest


class AuthMethod(Protocol):
    """One way to find out who a caller is."""

    @property
    def name(self) -> str:
        """What an agent's login must name."""
        ...

    @property
    def needs_client_certificates(self) -> bool:
        """Whether the listener must demand client certificates."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the log at start."""
        ...

    async def identify(self, request: LoginRequest, caller: Caller) -> AgentName:
        """Who the caller is. Raises `AuthenticationFailed`, whose text is for the hub's log."""
        ...

    def check(self, agent: AgentName, caller: Caller, *, match_subject: bool) -> None:
        """Nothing, or `AuthenticationFailed` when a token of *agent* must not be used on the caller's connection.

        *match_subject*: the common name of a client certificate, if there is one, must be the agent's name, too.
        """
        ...


def parse_method(
    text: str,
    *,
    plaintext: bool,
    is_blocked: Callable[[str], bool],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    verifier: Callable[[], Verifier] = bcrypt_verifier,
) -> AuthMethod:
    """The method that *text*, the value of `--auth`, names. *is_blocked* is asked with a certificate's fingerprint.

    Reads the password file of `userpass`. Raises `ConfigError` for text that names no method, and for a method that
    must not be used with, or without, plaintext.
    """
    method, colon, rest = text.partition(":")
    if not text or not colon:
        raise ConfigError(f"auth: expected <method>:<configuration>, found {text!r}")
    match method.strip():
        case "mtls":
            return _mtls(rest, plaintext, is_blocked, now)
        case "header":
            return _header(rest, plaintext)
        case "userpass":
            return _userpass(rest, verifier)
    raise ConfigError(f"auth: expected mtls, header or userpass, found {method!r}")


def _mtls(rest: str, plaintext: bool, is_blocked: Callable[[str], bool], now: Callable[[], datetime]) -> AuthMethod:
    if plaintext:
        raise ConfigError("auth: mtls needs TLS, and insecure-plaintext is set; use header behind a service mesh")
    warnings: tuple[str, ...] = ()
    kind, colon, pattern = rest.partition(":")
    if colon and kind in tuple(Source):
        source = Source(kind)
    else:
        source, pattern = Source.SUBJECT, rest
        warnings = ("auth: mtls:<pattern> is deprecated, write mtls:subject:<pattern>",)
    if not pattern:
        raise ConfigError("auth: mtls needs a pattern, for example mtls:subject:CN=([^,]+)")
    return Mtls(source, Pattern(pattern, "auth"), is_blocked, now, warnings)


def _header(rest: str, plaintext: bool) -> AuthMethod:
    if not plaintext:
        raise ConfigError(
            "auth: header trusts whoever sets the header, so it needs insecure-plaintext behind a service mesh"
        )
    header, _, pattern = (part.strip() for part in rest.partition(":"))
    if not header or not pattern:
        raise ConfigError(f"auth: expected header:<name>:<pattern>, found header:{rest}")
    return Header(header, Pattern(pattern, "auth"))


def _userpass(path: str, verifier: Callable[[], Verifier]) -> AuthMethod:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"auth: cannot read the password file {path!r}: {error}") from error
    return UserPass(parse_passwords(text, path), verifier())
