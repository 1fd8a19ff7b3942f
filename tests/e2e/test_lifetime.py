"""How the programs start, show themselves and end: signals, health pages, metrics, log lines."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from argocd_agent.codec import decode_any
from tests.support.pairs import Pair, a_pair, ended, shared_pair
from tests.support.programs import a_port
from tests.support.sites import Hub, install_hub, install_spoke

STOP_SECONDS = 5.0
NUMBERS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def pair_of_its_own(kubeconfigs: tuple[Path, ...]) -> Iterator[Pair]:
    """For a test that ends it."""
    with shared_pair(*kubeconfigs) as running:
        yield running


@pytest.mark.feature("A-102", "C-95")
@pytest.mark.parametrize("number", NUMBERS)
async def test_a_connected_pair_stops_in_order_within_5_seconds(
    kubeconfigs: tuple[Path, ...], number: signal.Signals
) -> None:
    async with a_pair(*kubeconfigs) as pair:
        began = time.monotonic()
        pair.principal.send(number)
        first = await asyncio.to_thread(pair.principal.until_ended)
        hub_took = time.monotonic() - began
        pair.agent.send(number)
        second = await asyncio.to_thread(pair.agent.until_ended)
        agent_took = time.monotonic() - began - hub_took

    assert (first, second) == (0, 0)
    assert hub_took < STOP_SECONDS
    assert agent_took < STOP_SECONDS
    assert number.name in pair.principal.said("Stopping")
    assert pair.agent.said("Stopped as asked")


@pytest.mark.feature("P-6")
@pytest.mark.parametrize("number", NUMBERS)
async def test_programs_that_wait_for_what_is_missing_stop_all_the_same(tmp_path: Path, number: signal.Signals) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(NOBODY.replace("PORT", str(a_port())))
    hub = Hub(kubeconfig, "argocd")
    principal = hub.start()
    with ended(principal):
        await asyncio.to_thread(principal.until_not_ready, "no connection to 127.0.0.1")

        principal.send(number)
        status = await asyncio.to_thread(principal.until_ended, STOP_SECONDS)

    assert status == 0


async def test_a_second_signal_ends_at_once_what_is_still_stopping(pair_of_its_own: Pair) -> None:
    await pair_of_its_own.ready()
    for program in (pair_of_its_own.principal, pair_of_its_own.agent):
        program.pause()  # so that both are there when it goes on, however busy this machine is
        for number in NUMBERS:
            program.send(number)
        program.resume()
        status = await asyncio.to_thread(program.until_ended, 2.0)

        # Which of the two comes second is the kernel's choice.
        assert status in {128 + number for number in NUMBERS}


@pytest.mark.feature("A-102")
async def test_an_agent_ends_at_once_on_signals_while_its_principal_does_not_answer(
    kubeconfigs: tuple[Path, ...],
) -> None:
    async with a_pair(*kubeconfigs) as pair:
        pair.principal.pause()

        began = time.monotonic()
        status = await asyncio.to_thread(pair.agent.stop)

    assert status == 0
    assert time.monotonic() - began < STOP_SECONDS


@pytest.mark.feature("A-96", "C-94")
async def test_health_pages_of_a_connected_pair_say_that_all_is_well(pair: Pair) -> None:
    await pair.ready()
    for program in (pair.principal, pair.agent):
        assert program.page("/healthz") == (200, "")
        assert program.page("/livez") == (200, "ok\n")
        assert program.page("/readyz") == (200, "ok\n")
        assert program.page("/nothing")[0] == 404


@pytest.mark.feature("A-96", "C-94")
async def test_an_agent_without_its_principal_lives_and_says_that_it_is_not_ready(
    kubeconfigs: tuple[Path, ...],
) -> None:
    hub = await install_hub(kubeconfigs[0])
    spoke = await install_spoke(hub, kubeconfigs[1])
    agent = spoke.start()
    with ended(agent):
        body = await asyncio.to_thread(agent.until_not_ready, "cannot reach the principal")

        assert body.startswith("not ready: connection to the principal: ")
        assert agent.page("/livez")[0] == 200
        assert agent.page("/healthz") == (503, "")

        principal = hub.start()
        with ended(principal):
            await asyncio.to_thread(agent.until_ready)

            assert agent.page("/healthz")[0] == 200


@pytest.mark.feature("P-111", "A-97", "C-99")
async def test_metrics_show_the_connection_and_count_events(pair: Pair) -> None:
    await pair.ready()
    async with pair.open() as (hub, spoke):
        await hub.create("counted")
        await spoke.until_there("counted")

    status, of_principal = pair.principal.page("/metrics", pair.hub.metrics_port)
    _, of_agent = pair.agent.page("/metrics", pair.spoke.metrics_port)

    assert status == 200
    assert sample(of_principal, "argocd_principal_connected_agents") == 1
    assert sample(of_agent, "argocd_agent_connection_status") == 1
    assert sample(of_principal, "principal_events_sent") >= 1
    assert sample(of_agent, "agent_events_received") >= 1
    assert "process_resident_memory_bytes" in of_agent


@pytest.mark.feature("P-114", "A-100", "C-103")
async def test_log_lines_are_json_where_asked_for(kubeconfigs: tuple[Path, ...]) -> None:
    async with a_pair(*kubeconfigs, principal=["--log-format=json"], agent=["--log-format=json"]) as pair:
        lines = [text for program in (pair.principal, pair.agent) for _, text in program.lines]

    assert all({"time", "level", "msg"} <= decode_any(line.encode()).keys() for line in lines)


async def test_warnings_go_to_stderr_and_what_is_well_to_stdout(pair: Pair, kubeconfigs: tuple[Path, ...]) -> None:
    spoke = await install_spoke(pair.hub, kubeconfigs[1])
    agent = spoke.start(f"--server-port={a_port()}")
    with ended(agent):
        await asyncio.to_thread(agent.until_said, "not ready, and tried again")

        assert all("level=info" in text for stream, text in agent.lines if stream == "stdout")
        assert all("level=warning" in text for stream, text in agent.lines if stream == "stderr")


def sample(page: str, name: str) -> float:
    """The sum of all series of *name* on a page of metrics."""
    values = [
        float(line.rpartition(" ")[2])
        for line in page.splitlines()
        if line.startswith((f"{name} ", f"{name}{{", f"{name}_total ", f"{name}_total{{"))
    ]
    assert values, f"no series of {name} in:\n{page}"
    return sum(values)


NOBODY = """
apiVersion: v1
kind: Config
clusters: [{name: nobody, cluster: {server: "https://127.0.0.1:PORT"}}]
users: [{name: nobody, user: {token: abc}}]
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
current-context: nobody
"""
