"""Whose cluster a caller wants, and whom it acts for.

The TLS handshake has asked for a certificate of our CA already. A bearer token that we signed for this proxy names the
agent; without one it is the certificate's CN. A token that is no good ends the request, whatever the certificate says,
and so does the certificate of one agent with the token of another. A blocked certificate counts for nothing.
"""

import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from argocd_agent.errors import KeyMaterialError
from argocd_agent.pki.fingerprints import fingerprint
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.resource.refusals import Refused

AUTHENTICATION_FAILED = "authentication failed"
INVALID_NAME = "invalid agent name"
_USER, _GROUP, _UID = "impersonate-user", "impersonate-group", "impersonate-uid"
MOST_GROUPS = 100
REMEMBERED_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom the caller acts for; an empty *user* is nobody but itself."""

    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's agent, and who is to share turns with whom."""

    agent: AgentName
    shares: str
    actor: Actor


class _Tokens:
    """Tokens that were found good: a signature costs more to check than all else that is done for a request.

    Only those that never expire, and only as long as the key is the same; at most `REMEMBERED_TOKENS`.
    """

    def __init__(self) -> None:
        self._key: TokenKey | None = None
        self._agents: OrderedDict[str, str] = OrderedDict()

    def agent_in(self, key: TokenKey, token: str) -> str:
        """The agent that *token* is for. Raises `KeyMaterialError`."""
        if key is not self._key:
            self._key = key
            self._agents.clear()
        if (known := self._agents.get(token)) is not None:
            return known
        verified = key.verify(token, Audience.RESOURCE_PROXY, time.time())
        if verified.expires_at is None:
            self._agents[token] = verified.sub
            if len(self._agents) > REMEMBERED_TOKENS:
                self._agents.popitem(last=False)
        return verified.sub


@dataclass(frozen=True, slots=True)
class Callers:
    """Tells callers apart. *is_blocked* takes the fingerprint of a certificate."""

    token_key: Callable[[], TokenKey]
    is_registered: Callable[[AgentName], bool]
    is_blocked: Callable[[str], bool]
    is_agent_name: Callable[[str], bool]
    tokens: _Tokens = field(default_factory=_Tokens)

    def identify(self, request: web.BaseRequest) -> Caller:
        """Who asks. Raises `Refused`: 401, or 400 for what is no agent's name."""
        common_name = self._certified(request)
        agent = self._named_by_token(request, common_name) or common_name
        if not agent:
            raise Refused(
                401, f"{AUTHENTICATION_FAILED}: expected a bearer token or a certificate with a CN, found none"
            )
        if not self.is_agent_name(agent):
            rule = "expected lower-case letters, digits and '-', at most 63 (a DNS-1123 label)"
            raise Refused(400, f"{INVALID_NAME}: {rule}, found {agent[:100]!r}")
        actor = _actor(request)
        return Caller(AgentName(agent), f"{request.remote}/{common_name}/{actor.user}", actor)

    def _certified(self, request: web.BaseRequest) -> str:
        """The CN of the client's certificate."""
        connection = request.get_extra_info("ssl_object")
        if not isinstance(connection, ssl.SSLObject):
            return ""
        der = connection.getpeercert(binary_form=True)
        if der is None or self.is_blocked(fingerprint(der)):
            raise Refused(401, f"{AUTHENTICATION_FAILED}: expected a certificate that is not blocked", closes=True)
        return _common_name(connection.getpeercert() or {})

    def _named_by_token(self, request: web.BaseRequest, common_name: str) -> str:
        """The agent that the bearer token is for; empty without one."""
        given = request.headers.getall("Authorization", [])
        if len(given) > 1:
            raise Refused(400, "Authorization: expected one header at most, found several", closes=True)
        scheme, _, token = given[0].strip().partition(" ") if given else ("", "", "")
        if scheme.lower() != "bearer":
            return ""
        try:
            agent = self.tokens.agent_in(self.token_key(), token.strip())
        except KeyMaterialError as error:
            raise Refused(401, f"{AUTHENTICATION_FAILED}: bearer {error}") from error
        if common_name != agent and self.is_agent_name(common_name) and self.is_registered(AgentName(common_name)):
            raise Refused(
                401,
                f"{AUTHENTICATION_FAILED}: the certificate is that of agent {common_name} and the bearer token that of "
                "another: expected both of one agent, or a certificate that is no agent's",
            )
        return agent


def _common_name(certificate: object) -> str:
    """The last CN of the subject, as Go takes it. *certificate* is as `getpeercert` gives it."""
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    names = [str(value) for part in subject for name, value in part if name == "commonName"]
    return names[-1] if names else ""


def _actor(request: web.BaseRequest) -> Actor:
    """Whom the Impersonate headers name. Raises `Refused` (400) where they contradict themselves or are not known."""
    headers = {name.lower() for name in request.headers if name.lower().startswith("impersonate-")}
    if not headers:
        return Actor()
    if unknown := sorted(headers - {_USER, _GROUP, _UID}):
        raise Refused(400, f"expected Impersonate-User, -Group and -Uid, found {unknown[0]}: it would not count there")
    users, uids = request.headers.getall(_USER, []), request.headers.getall(_UID, [])
    groups = tuple(request.headers.getall(_GROUP, []))
    if len(users) != 1 or not users[0] or len(uids) > 1:
        raise Refused(400, "expected one Impersonate-User, and at most one Impersonate-Uid", closes=True)
    if len(groups) > MOST_GROUPS:
        raise Refused(400, f"Impersonate-Group: expected at most {MOST_GROUPS}, found {len(groups)}")
    actor = Actor(users[0], groups, uids[0] if uids else "")
    if any(not word.isascii() or not word.isprintable() for word in (actor.user, actor.uid, *groups)):
        raise Refused(400, "Impersonate headers: expected printable ASCII")
    return actor
