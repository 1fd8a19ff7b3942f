"""The principal: builds the parts and runs them in one task group. Read this first.

Start order: health answers at once and says what is missing; then the hub's own objects are read; only then may
agents come in. Nothing is served from half a picture.
"""

import asyncio
import random
from collections.abc import Callable

from argocd_agent import __version__
from argocd_agent.backends.ports import Cache, Cluster
from argocd_agent.backends.redis import MemoryCache, RedisCache
from argocd_agent.errors import ClusterError, ConfigError
from argocd_agent.peer.observe import pause
from argocd_agent.peer.program import cluster_of, pages, reporter, run_parts
from argocd_agent.peer.redis import RedisAccess, check_access
from argocd_agent.principal.auth.methods import AuthMethod, parse_method
from argocd_agent.principal.blocklist import Blocklist
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.gatekeeper import Gatekeeper
from argocd_agent.principal.hub import HUB_PARTS, Hub
from argocd_agent.principal.identity import principal_uid
from argocd_agent.principal.keys import Keys
from argocd_agent.principal.redisconfig import redis_settings
from argocd_agent.principal.registration import NoRegistration, Registration
from argocd_agent.protocol.backoff import Reconnect
from argocd_agent.protocol.capabilities import announce
from argocd_agent.settings.values import show_address
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log
from argocd_agent.telemetry.metrics import NO_PRINCIPAL_METRICS, PrincipalMetrics, principal_metrics
from argocd_agent.transport.listener import ListenerOptions, serve

log = get_log("Server")

IDENTITY, BLOCKLIST, LISTENER = "principal identity", "blocklist of certificates", "listener for agents"
REGISTRATION = "certificate of self-registered clusters"


async def run_principal(config: PrincipalConfig, stop: asyncio.Event) -> None:
    """Serve until *stop* is set. Raises `ConfigError` for what cannot work and will not heal by itself."""
    _method(config, is_blocked=lambda _: False)  # what is wrong with --auth is said before anything is started
    if (settings := redis_settings(config)) is not None:
        check_access(settings)
    health = Health((IDENTITY, *HUB_PARTS, BLOCKLIST, LISTENER))
    metrics, registry = principal_metrics(__version__) if config.metrics_port else (NO_PRINCIPAL_METRICS, None)
    async with cluster_of(config) as cluster:
        keys = Keys(config, cluster, health)
        for part in keys.parts:
            health.set(part, is_ready=False, reason="not read yet")
        keys.read_files()
        async with pages(config, health, lambda: health.report().is_ready, registry):
            log.info("Principal starts", {fields.VERSION: __version__, fields.NAMESPACE: config.namespace})
            serving = _serve(config, cluster, health, keys, metrics)
            await run_parts({"keys": keys.run(), "hub": serving}, stop)


def _method(config: PrincipalConfig, is_blocked: Callable[[str], bool]) -> AuthMethod:
    text = f"{config.auth.name}:{config.auth.argument}"
    return parse_method(text, plaintext=config.insecure_plaintext, is_blocked=is_blocked)


async def _serve(
    config: PrincipalConfig, cluster: Cluster, health: Health, keys: Keys, metrics: PrincipalMetrics
) -> None:
    settings = redis_settings(config)
    access = None if settings is None else RedisAccess(settings, cluster, config.namespace)
    cache: Cache = MemoryCache() if access is None else RedisCache(access.options)
    uid = await _identity(config, cluster, reporter(health, IDENTITY))
    hub = Hub(config, cluster, health, metrics, uid, cache, None if access is None else access.options)
    blocklist = Blocklist(cluster, config.namespace, lambda one: _dismiss(one), reporter(health, BLOCKLIST))
    registration = _registration(config, cluster, health, hub, keys)
    gate = Gatekeeper(
        _method(config, blocklist.has),
        keys.token_key,
        namespace=config.namespace,
        version=config.version_reported or __version__,
        match_subject=config.client_cert_subject_match and config.requires_client_certificates,
        failed=metrics.auth_failure,
        serve=hub.sessions.serve,
        take_pushed=hub.sessions.take_pushed,
        register=registration.ensure,
        take_log=hub.logs.stream,
        take_terminal=hub.terminals.stream,
    )

    def _dismiss(fingerprint: str) -> None:
        for agent in gate.agents_with(fingerprint):
            hub.dismiss(agent, "its certificate is blocked")

    async with asyncio.TaskGroup() as tasks:
        if access is not None:
            tasks.create_task(access.run(), name="the way to Redis")
        tasks.create_task(hub.run(), name="the hub")
        tasks.create_task(blocklist.run(), name="watch the blocklist")
        await hub.read()
        await blocklist.read()
        tasks.create_task(registration.run(), name="register agents")
        await registration.read()
        await keys.complete()
        view = hub.live.run(keys.token_key, hub.clusters.is_registered, blocklist.has, hub.logs, hub.terminals)
        tasks.create_task(view, name="the live view")
        tasks.create_task(hub.redis.run(), name="Redis for Argo CD")
        async with serve(_listener_options(config, keys, hub.uid), gate) as listener:
            log.info("Listening for agents", {fields.ADDRESS: f"{config.listen_host or '*'}:{listener.port}"})
            reporter(health, LISTENER)(None)
            await listener.wait_closed()


def _registration(
    config: PrincipalConfig, cluster: Cluster, health: Health, hub: Hub, keys: Keys
) -> Registration | NoRegistration:
    if not config.self_registration_enabled:
        return NoRegistration()
    health.set(REGISTRATION, is_ready=False, reason="not read yet")
    return Registration(
        cluster,
        config.namespace,
        hub.watches.clusters.objects,
        keys,
        address=show_address(config.resource_proxy_address),
        certificate=config.self_registration_client_cert_secret,
        report=reporter(health, REGISTRATION),
    )


def _listener_options(config: PrincipalConfig, keys: Keys, uid: str) -> ListenerOptions:
    return ListenerOptions(
        host=config.listen_host,
        port=config.listen_port,
        material=None if config.insecure_plaintext else keys.server,
        require_client_certificates=config.requires_client_certificates,
        minimum_tls=config.tls_minimum,
        max_message_bytes=config.grpc_max_message_bytes,
        announced=announce(principal_uid=uid),
        accepted_ping_seconds=config.keepalive_min_interval_seconds or 10.0,
        stop_grace_seconds=config.shutdown_timeout_seconds / 2,
    )


async def _identity(config: PrincipalConfig, cluster: Cluster, report: Callable[[str | None], None]) -> str:
    """Who we are, as soon as the hub's API tells us."""
    retry, clock = Reconnect(), asyncio.get_running_loop().time
    while True:
        try:
            uid = await principal_uid(cluster, config.namespace)
        except (ClusterError, ConfigError) as error:  # the ConfigMap may be mended while we wait
            report(str(error))
            retry.failed(clock())
            await pause(retry.delay(clock(), random.random()))
        else:
            report(None)
            return uid
