"""A hub and an agent for logs and terminals on real sockets: gRPC between them, and HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from argocd_agent.agent.calls import Calls
from argocd_agent.agent.serve.logs import LogServer
from argocd_agent.agent.serve.ports import everything
from argocd_agent.agent.serve.terminal import TerminalServer
from argocd_agent.protocol.events import AgentName, Event, Target
from argocd_agent.protocol.modes import Mode
from argocd_agent.proxies.logs import Logs
from argocd_agent.proxies.reach import Reached
from argocd_agent.proxies.terminal import Limits, Terminals
from argocd_agent.transport.framestream import LogStream, TerminalStream
from argocd_agent.transport.gate import Identity
from argocd_agent.wire.datastreams import LogReply
from tests.component.transport.hub import LOGIN, PlainGate, a_hub, dialled
from tests.support.pods import FakePods

AGENT = AgentName("agent-1")


@dataclass
class StreamGate(PlainGate):
    """Hands calls for logs and terminals on."""

    logs: Logs | None = None
    terminals: Terminals | None = None

    async def log_stream(self, identity: Identity, stream: LogStream) -> LogReply:
        assert self.logs is not None, "set before anybody calls"
        return await self.logs.stream(identity, stream)

    async def terminal_stream(self, identity: Identity, stream: TerminalStream) -> None:
        assert self.terminals is not None, "set before anybody calls"
        await self.terminals.stream(identity, stream)


class Bench:
    """A hub and an agent on real sockets. `take` is where the hub's events go: to our agent's servers."""

    def __init__(self, pods: FakePods) -> None:
        self.calls = Calls()
        self.log_server = LogServer(pods, self.calls, everything, limit=300)
        self.terminal_server = TerminalServer(pods, self.calls, everything, limit=30)
        self.tasks: set[asyncio.Task[None]] = set()
        self.take: Callable[[Event], None] = self._hand_over
        reached = Reached(Mode.MANAGED, is_reference=False, send=lambda event: self.take(event))
        self.logs = Logs(lambda _: reached, limit=300)
        self.terminals = Terminals(lambda _: reached, Limits(sessions=30))
        self.gate = StreamGate(logs=self.logs, terminals=self.terminals)
        self.url = ""
        self.hub_port = 0

    def _hand_over(self, event: Event) -> None:
        server = self.log_server if event.target is Target.CONTAINER_LOG else self.terminal_server
        task = asyncio.create_task(server.handle(event))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[None]:
        """The agent's connection to the hub, until the end of the block."""
        async with dialled(self.hub_port) as channel:
            login, _ = await channel.authenticate(LOGIN)
            self.calls.opened(channel, login)
            try:
                yield
            finally:
                self.calls.closed()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = SimpleNamespace(namespace="default", name=request.match_info["pod"])
        face: Any = self.logs if request.path.endswith("/log") else self.terminals
        response: web.StreamResponse = await face(AGENT, request, path)
        return response


@contextlib.asynccontextmanager
async def a_bench(pods: FakePods, **listening: Any) -> AsyncIterator[Bench]:
    """A hub that listens, and its agent's servers; `connection` joins them. *listening*: as `a_hub`."""
    bench = Bench(pods)
    app = web.Application()
    app.router.add_get("/pods/{pod}/{sub}", bench.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bench.url = f"http://127.0.0.1:{runner.addresses[0][1]}/pods/web"
    running = asyncio.gather(bench.log_server.run(), bench.terminal_server.run())
    async with a_hub(bench.gate, **listening) as hub:
        bench.hub_port = hub.port
        try:
            yield bench
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await runner.cleanup()


async def until_served(what: str) -> None:
    """Wait until the agent has ended every log or terminal."""
    await asyncio.gather(*[task for task in asyncio.all_tasks() if task.get_name().startswith(f"{what} ")])
