"""What is not passed on, and why: an HTTP status with a Kubernetes Status whose message is the rule."""

from aiohttp import web

from argocd_agent.errors import ArgocdAgentError
from argocd_agent.wire.kubestatus import failure

JSON = "application/json"
RETRY_SECONDS = "1"
_LATER = frozenset({429, 503})  # never sent, so trying again is right: client-go does it by itself when told when


class Refused(ArgocdAgentError):
    """A request that is not passed on. *closes*: what follows on the connection may not be what it seems."""

    def __init__(self, code: int, message: str, *, closes: bool = False) -> None:
        super().__init__(message)
        self.code, self.closes = code, closes


def refusal(code: int, message: str, *, closes: bool = False) -> web.Response:
    """The answer that says so."""
    response = web.Response(status=code, body=failure(code, message), content_type=JSON)
    if code in _LATER:
        response.headers["Retry-After"] = RETRY_SECONDS
    if closes:
        response.force_close()
    return response
