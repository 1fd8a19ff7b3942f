"""Argo CD's own processes at our ends of the live view: the flags that bring them together, and what users ask.

The hub's argocd-server has the principal for its Redis and, by the agent's cluster Secret, for its cluster.

    view = View(shop, hub_argo)
    await view.tree()                                   # names of all nodes, by kind
    await view.read("ConfigMap", "page")                # an object as it is on the spoke now, as text
    async with view.terminal(pod) as terminal: …
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp

from argocd_agent.codec import decode_any
from argocd_agent.peer.observe import pause
from tests.support.argocd import REDIS_PASSWORD, ArgoCD
from tests.support.programs import Running, Said
from tests.support.shop import Shop
from tests.support.sites import Hub

Answer = TypeVar("Answer")
SEEN_SECONDS = 30.0
LOOK_SECONDS = 0.3


def seen(hub: Hub, argo: ArgoCD) -> list[str]:
    """The flags of a principal that serves Redis, with that of *argo* behind it."""
    return [
        "--disable-redis-proxy=false",
        f"--redis-proxy-listen={hub.redis}",
        f"--redis-server-address={argo.site.redis}",
        f"--redis-password={REDIS_PASSWORD}",
    ]


def cached(argo: ArgoCD) -> list[str]:
    """The flags of an agent whose Argo CD keeps its cache in a Redis of its own."""
    return [f"--redis-addr={argo.site.redis}", f"--redis-password={REDIS_PASSWORD}"]


def embedded(address: str) -> list[str]:
    """The flags of an agent that is the cache of its Argo CD, at *address*."""
    return ["--embedded-cache", f"--embedded-cache-listen={address}", f"--redis-password={REDIS_PASSWORD}"]


class View:
    """What the users of *argo* on the hub see of one Application."""

    def __init__(self, shop: Shop, argo: ArgoCD) -> None:
        self.shop, self.argo = shop, argo
        self.full = f"{shop.pair.spoke.agent}/{shop.name}"

    async def says(self, verb: str, *flags: str) -> Said:
        """What the command line says to `app`, however it ends."""
        return await asyncio.to_thread(self.argo.try_to, "app", *verb.split(), self.full, *flags)

    async def on(self, verb: str, kind: str, name: str, *flags: str) -> str:
        """What it says about one of the Application's objects. It must succeed."""
        said = await self.says(verb, f"--kind={kind}", f"--resource-name={name}", *flags)
        assert said.status == 0, said.err
        return said.out

    async def act(self, action: str, kind: str, name: str) -> None:
        """Run a resource action. It must succeed."""
        words = ["app", "actions", "run", self.full, action, f"--kind={kind}", f"--resource-name={name}"]
        await asyncio.to_thread(self.argo.run, *words)

    def keeps_saying(self, verb: str, *flags: str) -> Running:
        """The command line, not waited for."""
        return self.argo.keep_running("app", verb, self.full, *flags)

    async def ask(self, what: str, **query: str) -> dict[str, Any]:
        """What the API answers to a GET below the Application. It must succeed."""
        words = urlencode({"appNamespace": self.shop.pair.spoke.agent, **query})
        return await asyncio.to_thread(self.argo.ask, "GET", f"applications/{self.shop.name}/{what}?{words}")

    async def tree(self) -> dict[str, list[dict[str, Any]]]:
        """The nodes of the resource tree, by kind."""
        return by_kind(await self.ask("resource-tree"))

    async def read(self, kind: str, name: str) -> str:
        """One object, asked of the spoke's API server now. Raises if it cannot be had."""
        return await self.on("get-resource", kind, name, "--output=json")

    @contextlib.asynccontextmanager
    async def trees(self) -> AsyncIterator[AsyncIterator[dict[str, list[dict[str, Any]]]]]:
        """The trees that a browser is sent, the first at once and each change after."""
        query = urlencode({"appNamespace": self.shop.pair.spoke.agent})
        path = f"api/v1/stream/applications/{self.shop.name}/resource-tree?{query}"
        async with (
            self._session() as session,
            session.get(f"http://{self.argo.site.server}/{path}", headers={"Accept": "text/event-stream"}) as response,
        ):
            yield _trees(response)

    @contextlib.asynccontextmanager
    async def terminal(self, pod: str, project: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A shell in the container `web` of *pod*, as the web page opens it."""
        query = {
            "pod": pod,
            "container": "web",
            "appName": self.shop.name,
            "appNamespace": self.shop.pair.spoke.agent,
            "projectName": project,
            "namespace": self.shop.target,
        }
        address = f"http://{self.argo.site.server}/terminal?{urlencode(query)}"
        async with self._session() as session, session.ws_connect(address) as socket:
            yield socket

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Cookie": f"argocd.token={self.argo.token()}"})


async def eventually(ask: Callable[[], Awaitable[Answer]], claim: Callable[[Answer], bool] = lambda _: True) -> Answer:
    """What *ask* answers, once it succeeds and *claim* holds: users press the button again."""
    last: object = None
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            while True:
                try:
                    answer = await ask()
                    if claim(answer):
                        return answer
                    last = answer
                except (AssertionError, aiohttp.ClientError) as error:
                    last = error
                await pause(LOOK_SECONDS)
    except TimeoutError:
        raise AssertionError(f"not within {SEEN_SECONDS:g} s; the last answer: {last}") from None


def by_kind(tree: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Its nodes, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for node in tree["nodes"]:
        found.setdefault(node["kind"], []).append(node)
    return found


async def _trees(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, list[dict[str, Any]]]]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield by_kind(decode_any(line.removeprefix(b"data: "))["result"])
