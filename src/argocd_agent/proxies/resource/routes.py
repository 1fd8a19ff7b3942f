"""Every request of the resource proxy, from its first line to the one who serves it.

Nothing of a request is passed on but what stands in `asking.Wanted`: no header reaches an agent except the content
type and whom the caller acts for. Only `exec` may upgrade its connection.
"""

import time
from urllib.parse import parse_qsl

from aiohttp import web

from argocd_agent.errors import DecodeError, RequestFailed
from argocd_agent.proxies.ports import Ask, ExecHandler, LogHandler
from argocd_agent.proxies.resource.asking import Asking, Wanted
from argocd_agent.proxies.resource.bodies import Bodies
from argocd_agent.proxies.resource.callers import Caller, Callers
from argocd_agent.proxies.resource.refusals import JSON, Refused, refusal
from argocd_agent.proxies.resource.version import DOCUMENT
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.kubepaths import KubePath, parse_path
from argocd_agent.wire.requests import MAX_PARAMS

log = get_log("ResourceProxy", "resource-proxy")

METHODS = ("GET", "PATCH", "POST", "DELETE")
OURS = ("PUT",)  # between our own ends
AGENT_NAME = "agentName"  # part of the address in a cluster Secret, for people; what counts is who the caller is
VERSION, PODS, LOG, EXEC = "/version", "pods", "log", "exec"


class Routes:
    """Serves requests: objects through *ask*, logs and terminals through their handlers; None: those are not served."""

    def __init__(self, callers: Callers, ask: Ask, logs: LogHandler | None, terminal: ExecHandler | None) -> None:
        self._callers, self._ask, self._logs, self._terminal = callers, ask, logs, terminal
        self._asking, self._bodies = Asking(ask), Bodies()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        began = time.monotonic()
        try:
            response = await self._dispatch(request)
        except Refused as error:
            response = refusal(error.code, str(error), closes=error.closes)
        except RequestFailed as error:
            response = refusal(error.code, str(error))
        if "Server" not in response.headers and not response.prepared:
            response.headers["Server"] = "argocd-agent"
        said = {fields.METHOD: request.method, fields.PATH: request.raw_path, fields.STATUS: response.status}
        log.debug("Served", said | {fields.SECONDS: round(time.monotonic() - began, 4)})
        return response

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        raw, _, query = request.raw_path.partition("?")
        _check_framing(request)
        if raw == VERSION:
            if request.method != "GET":
                raise Refused(403, f"{VERSION}: expected GET, found {request.method}")
            return web.Response(body=DOCUMENT, content_type=JSON)
        try:
            path = parse_path(raw)
        except DecodeError as error:
            raise Refused(400, str(error)) from error
        is_exec = path.resource == PODS and path.subresource == EXEC
        if request.method not in (*METHODS, *OURS):
            raise Refused(403, f"expected the method {', '.join(METHODS)}, found {request.method}")
        if "Upgrade" in request.headers and not is_exec:
            raise Refused(400, "Upgrade: expected none, only exec changes the protocol", closes=True)
        caller = self._callers.identify(request)
        if is_exec or (path.resource == PODS and path.subresource == LOG):
            return await self._stream_of_pod(request, caller, path)
        if request.method == "GET" and request.body_exists:
            raise Refused(400, "body: expected none with GET", closes=True)
        async with self._bodies.read(request) as body:
            wanted = Wanted(caller, request.method, path, _params(query), body, _content_type(request))
            return await self._asking.answer(request, wanted)

    async def _stream_of_pod(self, request: web.BaseRequest, caller: Caller, path: KubePath) -> web.StreamResponse:
        handler = self._terminal if path.subresource == EXEC else self._logs
        if handler is None:
            raise Refused(403, f"{path.subresource}: not served by this principal")
        assert isinstance(request, web.Request), "the listener makes them"
        return await handler(caller.agent, request, path)


def _check_framing(request: web.BaseRequest) -> None:
    """Raises `Refused` where two ends might see different requests in the same bytes (RFC 9112, 6.3)."""
    headers = request.headers
    if request.method == "CONNECT":
        raise Refused(403, f"expected the method {', '.join(METHODS)}, found CONNECT", closes=True)
    if "Transfer-Encoding" in headers and "Content-Length" in headers:
        raise Refused(400, "expected Content-Length or Transfer-Encoding, found both", closes=True)
    for name in ("Content-Length", "Transfer-Encoding", "Host", "Content-Type"):
        if len(headers.getall(name, [])) > 1:
            raise Refused(400, f"{name}: expected one header at most, found several", closes=True)


def _params(query: str) -> dict[str, str]:
    """The first value of each parameter."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(400, f"query: expected at most {MAX_PARAMS} parameters in UTF-8: {error}") from error
    return {name: value for name, value in reversed(pairs) if name != AGENT_NAME}


def _content_type(request: web.BaseRequest) -> str:
    """The media type without parameters; empty without a body."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() if request.body_exists else ""
