"""The Redis that Argo CD on the hub talks to: the proxy's parts, put together as the settings say.

Give it what happens to agents, and `run` it. What is wrong with Redis is logged and counted; nothing else of the hub
waits for it, and its health does not depend on it.
"""

import asyncio
import ssl
import time
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster
from argocd_agent.backends.redis.client import RedisOptions
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.material import Material, Missing, Piece
from argocd_agent.pki.servertls import renew, server_context
from argocd_agent.pki.tls import ServerTls, TlsVersion
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.protocol.events import AgentName
from argocd_agent.proxies.redis.face import RedisFace
from argocd_agent.proxies.redis.lastknown import LastKnown
from argocd_agent.proxies.redis.ports import Asks, Owner
from argocd_agent.proxies.redis.reads import Reads
from argocd_agent.proxies.redis.subscriptions import Subscriptions
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import PrincipalMetrics

log = get_log("RedisProxy", "redis-proxy")

CERTIFICATE = "certificate of the Redis proxy"


def is_served(config: PrincipalConfig) -> bool:
    """Whether Argo CD is to be served Redis."""
    has_both = config.redis_server_address is not None and config.redis_proxy_listen is not None
    return has_both and not config.redis_proxy_disabled


class RedisProxy:
    """What Argo CD on the hub talks to instead of Redis. *owner* says whose an application is, *asks* is the way to
    agents, *upstream* the way to the hub's Redis; what agents say last is kept in *known*."""

    def __init__(
        self,
        config: PrincipalConfig,
        cluster: Cluster,
        upstream: Callable[[], RedisOptions],
        *,
        owner: Owner,
        asks: Asks,
        known: LastKnown,
        metrics: PrincipalMetrics,
    ) -> None:
        self._known, self._metrics = known, metrics
        self._subscriptions = Subscriptions(asks, lambda agent, failed: metrics.redis_asked(agent, "subscribe", failed))
        reads = Reads(asks, known, time.time, lambda agent, failed: metrics.redis_asked(agent, "get", failed))
        self._certificate = _Certificate(config, cluster) if config.redis_tls_enabled else None
        assert config.redis_proxy_listen is not None, "without an address it is switched off"
        self.face = RedisFace(
            config.redis_proxy_listen,
            tls=self._certificate.context if self._certificate is not None else None,
            upstream=upstream,
            owner=owner,
            reads=reads,
            subscriptions=self._subscriptions,
        )

    def read_files(self) -> None:
        """Read the certificate, where it is in files. Raises `ConfigError` for one that cannot be read."""
        if self._certificate is not None:
            self._certificate.material.read_files()

    def connected(self, agent: AgentName) -> None:
        """*agent* has a stream."""
        self._subscriptions.connected(agent)

    def disconnected(self, agent: AgentName) -> None:
        """*agent* has none any more."""
        self._subscriptions.disconnected(agent)

    def removed(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        self._subscriptions.forget(agent)
        self._known.forget(agent)
        self._metrics.redis_forgotten(agent)

    async def run(self) -> None:
        """Serve, until cancelled. Raises `ConfigError` where the address cannot be listened on."""
        async with asyncio.TaskGroup() as tasks:
            if self._certificate is not None:
                tasks.create_task(self._certificate.material.run(), name=CERTIFICATE)
                await self._certificate.arrived.wait()
            await self.face.run()


class _Certificate:
    """The certificate of the Redis that we serve, current without a restart. `context` may be used after `arrived`."""

    def __init__(self, config: PrincipalConfig, cluster: Cluster) -> None:
        files = None
        if config.redis_proxy_cert_path:
            files = {"tls.crt": config.redis_proxy_cert_path, "tls.key": config.redis_proxy_key_path}
        piece = Piece(CERTIFICATE, config.redis_proxy_secret_name, ("tls.crt", "tls.key"), files)
        self.material = Material(cluster, config.namespace, [piece], changed=self._changed, report=_report)
        maximum = TlsVersion(config.tls_max_version) if config.tls_max_version else None
        self.context: ssl.SSLContext = server_context(
            None, minimum=config.tls_minimum, maximum=maximum, ciphers=config.tls_ciphers
        )
        self.arrived = asyncio.Event()

    def _changed(self) -> None:
        try:
            found = self.material.get(CERTIFICATE)
            texts = (found[name].decode(errors="replace") for name in ("tls.crt", "tls.key"))
            renew(self.context, ServerTls(*texts), self.material.where(CERTIFICATE))
        except Missing:
            return  # said already, by whoever looks for it
        except KeyMaterialError as error:
            log.error(f"{error}; what was read before stays in use")
            return
        self.arrived.set()


def _report(name: str, problem: str | None) -> None:
    if problem is None:
        log.info(f"{name}: ready")
    else:
        log.warning(f"{name}: missing; Redis is not served until it is there", {fields.REASON: problem})
