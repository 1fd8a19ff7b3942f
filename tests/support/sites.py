"""A hub and its spokes, set up as an administrator would: namespaces, CA, certificates, keys, cluster Secrets.

Several installations live side by side on the same API servers: each principal has a namespace of its own, each agent
one on the hub, which is its name, and one on its spoke. The Secrets are made by the functions behind `argocd-agentctl`.

    hub = await install_hub(hub_kubeconfig)
    spoke = await install_spoke(hub, spoke_kubeconfig)
    with Started(hub, spoke) as programs: …
"""

import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.cli.commands import agents, pki
from argocd_agent.cli.commands.pki import KeyOptions
from argocd_agent.cli.places import Place
from argocd_agent.cli.secrets import read_pair, secret, store
from argocd_agent.errors import AlreadyExists, NotFound
from argocd_agent.pki import certificates, keys
from argocd_agent.pki.certificates import Pair, Usage
from argocd_agent.protocol.names import (
    CLUSTER_SECRET_PREFIX,
    SECRET_CA,
    SECRET_CLIENT_TLS,
    SECRET_JWT,
    SECRET_JWT_KEY,
    SECRET_PRINCIPAL_TLS,
    SECRET_RESOURCE_PROXY_TLS,
)
from argocd_agent.resources.kinds import NAMESPACES, SECRETS
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.programs import LOOPBACK, Running, a_port

OPTIONS = KeyOptions(keys.KeyAlgorithm.ECDSA_P256, 0, 30)
CA_OPTIONS = KeyOptions(keys.KeyAlgorithm.ECDSA_P256, 0, 90)


def a_name(start: str = "x") -> str:
    """A name that nobody else has."""
    return f"{start}-{uuid.uuid4().hex[:8]}"


@contextlib.asynccontextmanager
async def opened(kubeconfig: Path) -> AsyncIterator[KubernetesCluster]:
    """The API that *kubeconfig* names, closed at the end of the block."""
    cluster = KubernetesCluster(load(str(kubeconfig)))
    try:
        yield cluster
    finally:
        await cluster.close()


@contextlib.asynccontextmanager
async def place(kubeconfig: Path, namespace: str) -> AsyncIterator[Place]:
    """One namespace of it, as the commands of argocd-agentctl want it."""
    async with opened(kubeconfig) as cluster:
        yield Place(cluster, namespace, f"namespace {namespace}")


@dataclass(frozen=True, slots=True)
class Hub:
    """Where one principal lives. Its ports stay the same over restarts."""

    kubeconfig: Path
    namespace: str
    port: int = field(default_factory=a_port)
    health_port: int = field(default_factory=a_port)
    metrics_port: int = field(default_factory=a_port)
    proxy_port: int = field(default_factory=a_port)
    redis_port: int = field(default_factory=a_port)  # of the Redis that Argo CD is served, where a test wants it

    @property
    def proxy(self) -> str:
        """Where Argo CD finds live objects."""
        return f"{LOOPBACK}:{self.proxy_port}"

    @property
    def redis(self) -> str:
        """Where it finds Redis, if it is served."""
        return f"{LOOPBACK}:{self.redis_port}"

    def start(self, *flags: str, kubeconfig: Path | None = None) -> Running:
        """Start the principal. A flag that is given again counts instead of ours."""
        arguments = [
            "principal",
            f"--kubeconfig={kubeconfig or self.kubeconfig}",
            f"--namespace={self.namespace}",
            f"--listen-host={LOOPBACK}",
            f"--listen-port={self.port}",
            f"--health-host={LOOPBACK}",
            f"--healthz-port={self.health_port}",
            f"--metrics-port={self.metrics_port}",
            f"--resource-proxy-listen-host={LOOPBACK}",
            f"--resource-proxy-listen-port={self.proxy_port}",
            "--disable-redis-proxy",
        ]
        defaults = {"--auth": "mtls:subject:CN=([^,]+)", "--allowed-namespaces": "*"}
        return Running("principal", [*arguments, *_with_defaults(defaults, flags)], self.health_port)

    async def put(self, name: str, data: dict[str, str], kind: str = "Opaque") -> None:
        """Keep a Secret here, in place of what is there."""
        await _put(self.kubeconfig, self.namespace, name, data, kind)

    async def ca(self) -> Pair:
        """The CA of this installation."""
        async with place(self.kubeconfig, self.namespace) as here:
            return await read_pair(here, SECRET_CA)

    async def issue(self, *, ca: Pair | None = None, ips: Sequence[str] = (LOOPBACK,), dns: Sequence[str] = ()) -> None:
        """Give the principal a new certificate, signed by *ca* or by our own."""
        pair = certificates.issue(
            ca or await self.ca(), "principal", _key(), _now(), usages=[Usage.SERVER], days=2, ips=ips, dns=dns
        )
        await self.put(SECRET_PRINCIPAL_TLS, _tls(pair), "kubernetes.io/tls")

    async def drop(self, name: str) -> None:
        """Delete a Secret. Gone is gone."""
        await _drop(self.kubeconfig, self.namespace, name)


@dataclass(frozen=True, slots=True)
class Spoke:
    """Where one agent lives. `agent` is its name, and its namespace on the hub."""

    hub: Hub
    kubeconfig: Path
    agent: str
    namespace: str
    health_port: int = field(default_factory=a_port)
    metrics_port: int = field(default_factory=a_port)

    def start(self, *flags: str, kubeconfig: Path | None = None) -> Running:
        """Start the agent. A flag that is given again counts instead of ours."""
        arguments = [
            "agent",
            f"--kubeconfig={kubeconfig or self.kubeconfig}",
            f"--namespace={self.namespace}",
            "--agent-mode=managed",
            f"--health-host={LOOPBACK}",
            f"--healthz-port={self.health_port}",
            f"--metrics-port={self.metrics_port}",
        ]
        defaults = {
            "--server-address": LOOPBACK,
            "--server-port": str(self.hub.port),
            "--creds": "mtls:any",
        }
        return Running(f"agent {self.agent}", [*arguments, *_with_defaults(defaults, flags)], self.health_port)

    async def put(self, name: str, data: dict[str, str], kind: str = "Opaque") -> None:
        """Keep a Secret here, in place of what is there."""
        await _put(self.kubeconfig, self.namespace, name, data, kind)

    async def drop(self, name: str) -> None:
        """Delete a Secret. Gone is gone."""
        await _drop(self.kubeconfig, self.namespace, name)

    async def issue(self, name: str = "", *, ca: Pair | None = None, ended: bool = False) -> None:
        """Give the agent a new certificate, on *name*, signed by *ca* or by the hub's; *ended*: no longer valid."""
        now = _now() - timedelta(days=3) if ended else _now()
        ca = ca or await self.hub.ca()
        pair = certificates.issue(ca, name or self.agent, _key(), now, usages=[Usage.CLIENT], days=2)
        await self.put(SECRET_CLIENT_TLS, _tls(pair), "kubernetes.io/tls")

    async def trust(self, *cas: Pair) -> None:
        """Let the agent trust principals that *cas* have signed."""
        await self.put(SECRET_CA, {"ca.crt": "".join(ca.certificate_pem for ca in cas)})

    async def register(self) -> None:
        """Tell the hub about the agent."""
        async with place(self.hub.kubeconfig, self.hub.namespace) as here:
            material = await agents.issued_material(here, self.agent, OPTIONS, _now())
            await agents.create(here, self.agent, self.hub.proxy, {}, material)

    async def unregister(self) -> None:
        """Let the hub forget the agent."""
        await self.hub.drop(CLUSTER_SECRET_PREFIX + self.agent)


async def install_hub(kubeconfig: Path) -> Hub:
    """A namespace with everything that a principal needs."""
    hub = Hub(kubeconfig, a_name("hub"))
    await make_namespace(kubeconfig, hub.namespace)
    async with place(kubeconfig, hub.namespace) as here:
        await pki.make_ca(here, CA_OPTIONS, _now(), force=False)
        await pki.issue_server(
            here, "principal", SECRET_PRINCIPAL_TLS, OPTIONS, _now(), ips=[LOOPBACK], dns=["localhost"], upsert=False
        )
        await pki.issue_server(
            here, "resource-proxy", SECRET_RESOURCE_PROXY_TLS, OPTIONS, _now(), ips=[LOOPBACK], dns=[], upsert=False
        )
        await store(here, secret(SECRET_JWT, hub.namespace, {SECRET_JWT_KEY: token_key()}), replace=False, flag="")
    return hub


async def install_spoke(
    hub: Hub,
    kubeconfig: Path,
    *,
    agent: str = "",
    registered: bool = True,
    namespace: str = "",
    has_hub_namespace: bool = True,
) -> Spoke:
    """Two namespaces with everything that an agent needs, and its cluster Secret if it is *registered*.

    Without *has_hub_namespace* the one on the hub is left out.
    """
    spoke = Spoke(hub, kubeconfig, agent or a_name("agent"), namespace or a_name("spoke"))
    if has_hub_namespace:
        await make_namespace(hub.kubeconfig, spoke.agent)
    await make_namespace(kubeconfig, spoke.namespace)
    async with place(hub.kubeconfig, hub.namespace) as there, place(kubeconfig, spoke.namespace) as here:
        await pki.issue_agent(there, here, spoke.agent, OPTIONS, _now(), upsert=False)
    if registered:
        await spoke.register()
    return spoke


async def make_namespace(kubeconfig: Path, name: str) -> None:
    """One that is there already is fine."""
    async with opened(kubeconfig) as cluster:
        with contextlib.suppress(AlreadyExists):
            await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))


def a_ca(name: str = "another CA") -> Pair:
    """A CA that nobody trusts yet."""
    return certificates.make_ca(name, "", _key(), _now(), 30)


@cache
def token_key() -> str:
    """A key that signs tokens; making one takes a while, so all share it."""
    return keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, 2048))


def _with_defaults(defaults: dict[str, str], flags: Sequence[str]) -> list[str]:
    given = {flag.partition("=")[0] for flag in flags}
    return [*(f"{name}={value}" for name, value in defaults.items() if name not in given), *flags]


async def _put(kubeconfig: Path, namespace: str, name: str, data: dict[str, str], kind: str) -> None:
    async with place(kubeconfig, namespace) as here:
        await store(here, secret(name, namespace, data, kind), replace=True, flag="")


async def _drop(kubeconfig: Path, namespace: str, name: str) -> None:
    async with opened(kubeconfig) as cluster:
        with contextlib.suppress(NotFound):
            await cluster.delete(SECRETS, namespace, name)


def _tls(pair: Pair) -> dict[str, str]:
    return {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}


def _key() -> keys.PrivateKey:
    return keys.generate(OPTIONS.algorithm)


def _now() -> datetime:
    return datetime.now(UTC)
