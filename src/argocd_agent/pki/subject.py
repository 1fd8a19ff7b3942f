"""The subject of our tokens, and what an agent reads of a token that it cannot verify.

The agent has no key to check a token with and needs none: it got the token over a connection that it trusts.
"""

import base64
import binascii
from dataclasses import dataclass

import msgspec

from argocd_agent import codec
from argocd_agent.errors import DecodeError, KeyMaterialError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a token speaks for."""

    agent: AgentName
    mode: Mode


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token claims. `expires_at` is in seconds since 1970; None: never."""

    subject: Subject
    expires_at: float | None


class _Subject(msgspec.Struct):
    client_id: str = msgspec.field(name="clientID")
    mode: str


class _Claims(msgspec.Struct):
    sub: str
    exp: float | None = None


class _Header(msgspec.Struct):
    alg: str


def subject_text(subject: Subject) -> str:
    """*subject* as it stands in a token's `sub`, in the reference's key order."""
    return codec.encode({"clientID": subject.agent, "mode": subject.mode.value}).decode()


def parse_subject(text: str) -> Subject:
    """The subject in a token's `sub`. Raises `DecodeError`."""
    found = codec.decode(text, _Subject, "token subject")
    if not found.client_id:
        raise DecodeError("token subject: clientID is empty")
    if found.mode not in tuple(Mode):
        raise DecodeError(f"token subject: expected mode managed or autonomous, found {found.mode!r}")
    return Subject(AgentName(found.client_id), Mode(found.mode))


def read_unverified(token: str) -> Unverified:
    """What the access token *token* claims. Its signature is not checked. Raises `KeyMaterialError`."""
    parts = token.split(".")
    if len(parts) != 3:
        raise KeyMaterialError(f"access token: expected three parts separated by dots, found {len(parts)}")
    try:
        codec.decode(_unpadded(parts[0]), _Header, "header")
        claims = codec.decode(_unpadded(parts[1]), _Claims, "claims")
        return Unverified(parse_subject(claims.sub), claims.exp or None)
    except DecodeError as error:
        raise KeyMaterialError(f"access token: {error}") from error
    except (binascii.Error, UnicodeEncodeError) as error:
        raise KeyMaterialError(f"access token: expected base64url, {error}") from error


def needs_refresh(token: Unverified, now: float, margin_seconds: float = 30.0) -> bool:
    """Whether *token* has no more than *margin_seconds* left at *now*, in seconds since 1970."""
    return token.expires_at is not None and token.expires_at - now <= margin_seconds


def _unpadded(part: str) -> bytes:
    return base64.b64decode(part.encode("ascii") + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
