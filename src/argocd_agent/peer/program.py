"""What both programs are made of: a cluster to stand on, health that people read, an orderly end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.backends.kubernetes.kubeconfig import load
from argocd_agent.settings.load import environment
from argocd_agent.settings.program import ProgramConfig
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.exposition import Registry
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.http import health_pages, metrics_pages, serving
from argocd_agent.telemetry.logs import get_log

log = get_log("Program")


class _Stopped(Exception):
    """Somebody asked the program to end."""


@contextlib.asynccontextmanager
async def cluster_of(config: ProgramConfig) -> AsyncIterator[KubernetesCluster]:
    """The Kubernetes API that *config* names. Raises `ConfigError` where the kubeconfig is wrong."""
    kubeconfig = load(config.kubeconfig, config.kubecontext, environment())
    cluster = KubernetesCluster(kubeconfig, qps=config.kube_qps, burst=config.kube_burst)
    try:
        yield cluster
    finally:
        await cluster.close()


def reporter(health: Health, part: str) -> Callable[[str | None], None]:
    """Takes what is wrong with *part*, or None, into *health*; news goes to the log."""

    def report(problem: str | None) -> None:
        if not health.set(part, problem is None, problem or ""):
            return
        if problem is None:
            log.info(f"{part}: ready")
        else:
            log.warning(f"{part}: not ready, and tried again", {fields.REASON: problem})

    return report


@contextlib.asynccontextmanager
async def pages(
    config: ProgramConfig, health: Health, is_healthy: Callable[[], bool], registry: Registry | None
) -> AsyncIterator[None]:
    """Serve health, and metrics if there are any, until the end of the block."""
    async with contextlib.AsyncExitStack() as stack:
        shown = health_pages(health, is_healthy)
        await stack.enter_async_context(serving(shown, config.health_host, config.healthz_port, "--healthz-port"))
        if registry is not None:
            shown = metrics_pages(registry)
            await stack.enter_async_context(serving(shown, config.health_host, config.metrics_port, "--metrics-port"))
        yield


async def run_parts(parts: Mapping[str, Coroutine[None, None, None]], stop: asyncio.Event) -> None:
    """Run *parts* side by side until *stop* is set, or one of them fails: then all end."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for name, part in parts.items():
                tasks.create_task(part, name=name)
            tasks.create_task(_until(stop), name="wait for the signal to stop")
    except* _Stopped:
        log.info("Stopped as asked")


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
    raise _Stopped
