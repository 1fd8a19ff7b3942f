"""Self-registration on an embedded hub, with a log of what it asks of the API.

async with a_registrar() as hub:
    await hub.registration.ensure(AGENT)
    assert hub.asked == [...]
"""

import asyncio
import base64
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.backends.ports import Scope
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.observe import Observer
from argocd_agent.pki.keys import KeyAlgorithm, generate, to_pem
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.principal.registration import Registration
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.cluster import CLUSTER_SELECTOR
from argocd_agent.resources.clustersecret import ClusterTls, way_in_of
from argocd_agent.resources.kinds import NAMESPACES, SECRETS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.world import HOME, passing

AGENT = AgentName("agent-1")
NAME = "cluster-agent-1"
SHARED = "shared"
ADDRESS = "proxy:9090"
TLS = ClusterTls(b"certificate", b"key", b"ca")
OTHER = ClusterTls(b"certificate 2", b"key 2", b"ca 2")

Answer = TypeVar("Answer")


@functools.cache
def a_key(number: int) -> TokenKey:
    return TokenKey.from_pem(to_pem(generate(KeyAlgorithm.RSA, 2048)), f"test {number}")


class KeyRing:
    """Where the key comes from; `replace` gives another."""

    def __init__(self, key: TokenKey | None) -> None:
        self._key = key
        self._replaced = asyncio.Event()

    def replace(self, key: TokenKey) -> None:
        self._key = key
        self._replaced.set()

    def token_key(self) -> TokenKey:
        if self._key is None:
            raise KeyMaterialError("no key yet")
        return self._key

    async def token_key_after(self, known: TokenKey | None) -> TokenKey:
        while self._key is None or self._key is known:
            self._replaced.clear()
            await self._replaced.wait()
        return self._key


@dataclass
class Asked:
    """The hub's API: `log` has the verb and name of each request for one object, `failing` errors for the next ones.

    `before` is done once, before the next write of that verb: what somebody else is quicker with.
    """

    cluster: EmbeddedCluster
    log: list[tuple[str, str]] = field(default_factory=list)
    failing: dict[str, list[Exception]] = field(default_factory=dict)
    before: dict[str, Callable[[], Awaitable[Any]]] = field(default_factory=dict)

    async def get(self, api: Api, namespace: str, name: str) -> Object:
        return await self._pass("get", name, lambda: self.cluster.get(api, namespace, name))

    async def create(self, api: Api, obj: Object) -> Object:
        return await self._pass("create", obj.name, lambda: self.cluster.create(api, obj))

    async def update(self, api: Api, obj: Object, *, subresource: str = "") -> Object:
        return await self._pass("update", obj.name, lambda: self.cluster.update(api, obj, subresource=subresource))

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.cluster, verb)

    async def _pass(self, verb: str, name: str, request: Callable[[], Awaitable[Answer]]) -> Answer:
        self.log.append((verb, name))
        if verb in self.before:
            await self.before.pop(verb)()
        if self.failing.get(verb):
            raise self.failing[verb].pop(0)
        return await request()


@dataclass
class Registrar:
    """A hub in which agents register themselves. `user` is the cluster past the log."""

    api: Asked
    keys: KeyRing
    registration: Registration
    problems: list[str | None]

    @property
    def user(self) -> EmbeddedCluster:
        return self.api.cluster

    async def secret(self, name: str = NAME) -> Object:
        return await self.user.get(SECRETS, HOME, name)

    async def put_shared(self, tls: ClusterTls) -> None:
        """Keep *tls* as the shared certificate."""
        await put(self.user, SHARED, {"tls.crt": tls.certificate, "tls.key": tls.key, "ca.crt": tls.ca})
        await passing(0.5)

    async def agent_of_token(self, name: str = NAME) -> str:
        """Whose token the Secret holds, by the key of now."""
        token = way_in_of(await self.secret(name)).token
        return self.keys.token_key().verify(token, Audience.RESOURCE_PROXY, time.time()).sub


async def put(cluster: EmbeddedCluster, name: str, data: Mapping[str, bytes]) -> None:
    """Keep a Secret in place of what is there."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    wanted = new_object(SECRETS, Metadata(name=name, namespace=HOME), type="Opaque", data=encoded)
    there = {obj.name for obj in (await cluster.list(SECRETS, Scope(HOME))).items}
    await (cluster.update(SECRETS, wanted) if name in there else cluster.create(SECRETS, wanted))


@contextlib.asynccontextmanager
async def a_registrar(
    *secrets: Object, shared: ClusterTls | None = TLS, key: TokenKey | None = None
) -> AsyncIterator[Registrar]:
    """A hub with *secrets*, on which registration has come to rest."""
    cluster = open_memory()
    await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=HOME)))
    for secret in secrets:
        await cluster.create(SECRETS, secret)
    api, keys, problems = Asked(cluster), KeyRing(key or a_key(0)), list[str | None]()
    held = Observer(cluster, SECRETS, Scope(HOME, labels=CLUSTER_SELECTOR), lambda _: None)
    registration = Registration(
        api,
        HOME,
        held.objects,
        keys,
        address=ADDRESS,
        certificate=SHARED,
        report=problems.append,
    )
    registrar = Registrar(api, keys, registration, problems)
    if shared is not None:
        await registrar.put_shared(shared)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(held.run(), name="held")]
        await held.synced.wait()
        running.append(tasks.create_task(registration.run(), name="registration"))
        await registration.read()
        await passing(0.5)
        yield registrar
        for task in running:
            task.cancel()
