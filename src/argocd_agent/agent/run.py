"""The agent: builds the parts and runs them in one task group. Read this first.

Start order: health answers at once and says what is missing; then the spoke's own Applications are read; only then the
principal is dialled, so that nothing is compared with half a picture. The spoke works on without its principal.
"""

import asyncio
from pathlib import Path

from argocd_agent import __version__
from argocd_agent.agent.cache import SpokeCache, check_cache
from argocd_agent.agent.calls import Calls
from argocd_agent.agent.config import AgentConfig
from argocd_agent.agent.connection import Connection, Login
from argocd_agent.agent.keys import Keys
from argocd_agent.agent.spoke import Spoke, parts_of
from argocd_agent.agent.view import Sights
from argocd_agent.backends.kubernetes.pods import KubernetesPods
from argocd_agent.backends.kubernetes.raw import KubernetesRaw
from argocd_agent.errors import ConfigError
from argocd_agent.peer.program import cluster_of, pages, reporter, run_parts
from argocd_agent.protocol.capabilities import announce
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import NO_AGENT_METRICS, agent_metrics
from argocd_agent.transport.channel import DialOptions
from argocd_agent.transport.dial import Endpoint

log = get_log("Agent")

PRINCIPAL = "connection to the principal"


async def run_agent(config: AgentConfig, stop: asyncio.Event) -> None:
    """Serve until *stop* is set. Raises `ConfigError` for what cannot work and will not heal by itself."""
    login = _login(config)
    check_cache(config)
    health = Health((*parts_of(config.mode), PRINCIPAL))
    metrics, registry = (
        agent_metrics(__version__, config.mode.value) if config.metrics_port else (NO_AGENT_METRICS, None)
    )
    async with cluster_of(config) as cluster:
        spoke_cache = SpokeCache(config, cluster)
        calls = Calls()
        sights = Sights(KubernetesRaw(cluster), KubernetesPods(cluster), calls)
        spoke = Spoke(config, cluster, health, metrics, spoke_cache.cache, sights)
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
            calls=calls,
        )
        keys.read_files()
        async with pages(config, health, lambda: connection.is_connected, registry):
            log.info(
                "Agent starts",
                {fields.VERSION: __version__, fields.MODE: config.mode.value, fields.NAMESPACE: config.namespace},
            )
            parts = {"keys": keys.run(), "spoke": _serve(spoke, connection), "cache": spoke_cache.run()}
            await run_parts(parts, stop)


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


async def _serve(spoke: Spoke, connection: Connection) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(spoke.run(), name="the spoke")
        await spoke.read()
        tasks.create_task(connection.run(), name="stay connected")
