"""The agent: builds the parts and runs them in one task group. Read this first.

Start order: health answers at once and says what is missing; then the spoke's own Applications are read; only then the
principal is dialled, so that nothing is compared with half a picture. The spoke works on without its principal.
"""

import asyncio
from pathlib import Path

from argocd_agent import __version__
from argocd_agent.agent.buffer import Buffer
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.connection import Connection, Login
from argocd_agent.agent.drift import Drift
from argocd_agent.agent.inbound import Inbound
from argocd_agent.agent.keys import Keys
from argocd_agent.agent.mirrors import Mirrors
from argocd_agent.agent.outbound import Outbound
from argocd_agent.agent.resync import Resync
from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.errors import ConfigError
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Observer
from argocd_agent.peer.program import cluster_of, pages, reporter, run_parts
from argocd_agent.peer.session import Session, Watchers
from argocd_agent.pki.subject import Subject
from argocd_agent.protocol.capabilities import announce
from argocd_agent.protocol.events import Event
from argocd_agent.protocol.heartbeat import heartbeat_for
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import AGENT_SOURCE
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.mapping import SpokeMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.policy import Adoption, Mismatch, Policies, Recreate
from argocd_agent.resources.scope import is_ignored, selector
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import AgentMetrics, agent_metrics
from argocd_agent.transport.channel import DialOptions
from argocd_agent.transport.dial import Endpoint
from argocd_agent.transport.stream import EventStream

log = get_log("Agent")

APPS, PRINCIPAL = "Applications", "connection to the principal"


async def run_agent(config: AgentConfig, stop: asyncio.Event) -> None:
    """Serve until *stop* is set. Raises `ConfigError` for what cannot work and will not heal by itself."""
    login = _login(config)
    health = Health((APPS, PRINCIPAL))
    metrics, registry = agent_metrics(__version__, config.mode.value)
    async with cluster_of(config) as cluster:
        spoke = _Spoke(config, cluster, health, metrics)
        keys = Keys(config, cluster, health, renewed=lambda: connection.material_changed())
        for part in keys.parts:
            health.set(part, is_ready=False, reason="not read yet")
        connection = Connection(
            _dial_options(config, keys),
            login,
            ready=keys.complete,
            serve=spoke.serve,
            metrics=metrics,
            report=reporter(health, PRINCIPAL),
        )
        keys.read_files()
        async with pages(config, health, lambda: connection.is_connected, registry):
            log.info(
                "Agent starts",
                {fields.VERSION: __version__, fields.MODE: config.mode.value, fields.NAMESPACE: config.namespace},
            )
            await run_parts({"keys": keys.run(), "spoke": spoke.run(connection)}, stop)


def _dial_options(config: AgentConfig, keys: Keys) -> DialOptions:
    return DialOptions(
        endpoint=Endpoint(
            host=config.server_address,
            port=config.server_port,
            tls=None if config.insecure_plaintext else keys.client,
        ),
        announced=announce(),
        max_message_bytes=config.grpc_max_message_bytes,
        compression=config.compression_enabled,
        keepalive_seconds=config.keep_alive_ping_interval_seconds,
    )


def _login(config: AgentConfig) -> Login:
    credentials: dict[str, str] = {}
    if config.creds.name == "userpass":
        credentials = _userpass(config.creds.argument)
    return Login(
        method=config.creds.name,
        credentials=credentials,
        mode=config.mode,
        version=config.version_announced,
        namespace=config.namespace,
    )


def _userpass(path: str) -> dict[str, str]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--creds: cannot read {path}: {error}") from error
    name, colon, password = lines[0].partition(":") if lines else ("", "", "")
    if not colon or not name:
        raise ConfigError(
            f"--creds: {path}: expected a first line name:password, found {'one without' if lines else 'none'}"
        )
    return {"clientid": name, "clientsecret": password}


class _Spoke:
    """The parts that know the principal and Applications, tied together."""

    def __init__(self, config: AgentConfig, cluster: Cluster, health: Health, metrics: AgentMetrics) -> None:
        self._config, self._metrics = config, metrics
        clock = asyncio.get_running_loop().time
        mapping = SpokeMapping(config.namespace)
        self._link = Link("the principal", config.ack_timeout_seconds, source=AGENT_SOURCE, clock=clock)
        self._buffer = Buffer(self._link.put, config.buffer_informer_event_interval_seconds, clock)
        mirrors = Mirrors()
        self._applications = Observer(
            cluster,
            APPLICATIONS,
            Scope(config.namespace, labels=selector(config.label_selector)),
            lambda change: outbound.on_change(change),
            admits=self._admits,
            report=reporter(health, APPS),
        )
        held = self._applications.objects
        applier = Applier(cluster, APPLICATIONS, config.max_concurrent_writes, self._applications.until_gone)
        self._drift = Drift(applier, mirrors, held, Recreate(config.on_application_recreate), clock)
        outbound = Outbound(
            self._link,
            mirrors,
            is_settled=self._applications.synced.is_set,
            buffer=self._buffer,
            put_right=self._drift.check,
        )
        self._resync = Resync(self._link, outbound, mapping, held, config.anti_entropy_interval_seconds)
        policies = Policies(Mismatch(config.source_uid_mismatch_policy), Adoption(config.adoption_policy))
        self._inbound = Inbound(self._link, applier, mirrors, held, outbound, mapping, policies, self._resync.handle)

    def _admits(self, obj: Object) -> bool:
        return not is_ignored(obj) and (not self._config.ignore_unmanaged_apps or bool(source_uid(obj)))

    async def run(self, connection: Connection) -> None:
        """Watch, repair, and keep the connection, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._applications.run(), name="watch Applications")
            tasks.create_task(self._drift.run(), name="put drift right")
            tasks.create_task(self._buffer.run(), name="hold back updates")
            await self._first_list()
            tasks.create_task(connection.run(), name="stay connected")

    async def _first_list(self) -> None:
        try:
            async with asyncio.timeout(self._config.informer_sync_timeout_seconds):
                await self._applications.synced.wait()
        except TimeoutError:
            log.error(
                "The Applications of this cluster could not be read yet; the reason is under /readyz",
                {fields.SECONDS: self._config.informer_sync_timeout_seconds},
            )
            await self._applications.synced.wait()

    async def serve(self, stream: EventStream, subject: Subject) -> str:
        """Drive one session; why it ended."""
        session = Session(
            self._link,
            stream,
            self._inbound.handle,
            self._watchers(),
            beat=heartbeat_for(Role.AGENT, stream.peer, self._config.heartbeat_interval_seconds),
            opened=self._resync.opened,
            beside={"anti-entropy": self._resync.beside},
        )
        return await session.run()

    def _watchers(self) -> Watchers:
        metrics = self._metrics

        def sent(event: Event) -> None:
            metrics.event_sent(event.target, event.type)

        def received(event: Event) -> None:
            metrics.event_received(event.target, event.type)

        def processed(event: Event, status: str, seconds: float) -> None:
            metrics.event_processed(event.target, status, seconds)

        def refused(event: Event, _: str) -> None:
            metrics.refused(event.target, event.type)

        return Watchers(sent, received, processed, refused)
