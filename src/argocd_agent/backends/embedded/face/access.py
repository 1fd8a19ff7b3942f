"""Who may do what at the face: bearer tokens, or client certificates where TLS asks for them. Pure.

kubectl sends no bearer token over plain HTTP, so there a token may also stand in front of the path.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from argocd_agent.backends.embedded.faults import Prohibited
from argocd_agent.errors import Unauthorized
from argocd_agent.resources.kinds import Api

ADMIN = "admin"


TOKEN_PATH = "/token/"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody is about to do: `verb` as in RBAC, `resource` with its subresource, `namespace` empty for all."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""


def anything(attempt: Attempt) -> bool:
    """The rule of an administrator."""
    return True


@dataclass(frozen=True, slots=True)
class Client:
    """One user. `may` decides what they may do; the default is everything."""

    token: str = field(repr=False)
    user: str = ADMIN
    may: Callable[[Attempt], bool] = anything


class Access:
    """The users of one face."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = tuple(clients)

    def authenticate(self, authorization: str, certificate: Mapping[str, object] | None) -> Client:
        """The client behind a request. A certificate that TLS has verified counts by its common name.

        Raises `Unauthorized`.
        """
        if authorization.startswith("Bearer "):
            given = authorization.removeprefix("Bearer ").strip().encode()
            for client in self.clients:
                if hmac.compare_digest(client.token.encode(), given):
                    return client
        elif certificate and not authorization:
            user = common_name(certificate)
            return next((client for client in self.clients if client.user == user), Client("", user))
        raise Unauthorized("Unauthorized", reason="Unauthorized")

    def authorize(self, client: Client, attempt: Attempt) -> None:
        """Raises `Forbidden`, naming user, verb, resource and place."""
        if client.may(attempt):
            return
        place = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
        api = Api(attempt.group, "", attempt.resource.partition("/")[0], "")
        subject = f'{api.resource} "{attempt.name}"' if attempt.name else api.resource
        raise Prohibited(
            f'{subject} is forbidden: User "{client.user}" cannot {attempt.verb} resource "{attempt.resource}"'
            f' in API group "{attempt.group}" {place}',
            reason="Forbidden",
        )


def split_token(path: str, authorization: str) -> tuple[str, str]:
    """*path* without a token in front of it, and the authorization that this stands for, or the given one."""
    if not path.startswith(TOKEN_PATH):
        return path, authorization
    token, _, rest = path.removeprefix(TOKEN_PATH).partition("/")
    return f"/{rest}", f"Bearer {unquote(token)}"


def common_name(certificate: Mapping[str, object]) -> str:
    """The subject's CN of a certificate as `ssl` shows it, empty where there is none."""
    subject = certificate.get("subject")
    for parts in subject if isinstance(subject, tuple) else ():
        for name, value in parts:
            if name == "commonName":
                return str(value)
    return ""
