"""Which pages there are, and what they say when things change."""

import asyncio
from pathlib import Path

import pytest

from tests.support.pairs import a_pair, ended
from tests.support.sites import install_hub


@pytest.mark.feature("P-112")
async def test_without_metrics_no_port_is_open(kubeconfigs: tuple[Path, ...]) -> None:
    hub = await install_hub(kubeconfigs[0])
    principal = hub.start("--metrics-port=0")
    with ended(principal):
        await asyncio.to_thread(principal.until_ready)

        assert principal.page("/metrics", hub.metrics_port)[0] == 0  # nobody answers
        assert principal.page("/metrics")[0] == 404


@pytest.mark.feature("A-96", "C-94")
async def test_an_agent_that_lost_its_principal_is_alive_and_not_healthy(kubeconfigs: tuple[Path, ...]) -> None:
    async with a_pair(*kubeconfigs) as pair:
        before = pair.agent.page("/healthz")

        pair.principal.kill()
        await asyncio.to_thread(pair.agent.until_not_ready, "connection to the principal")

        assert (before, pair.agent.page("/healthz"), pair.agent.page("/livez")[0]) == ((200, ""), (503, ""), 200)
