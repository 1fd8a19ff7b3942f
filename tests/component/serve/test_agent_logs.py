"""The agent's server of logs, between pods without a cluster and a hub without a network, on virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from argocd_agent.agent.serve.logs import LogServer
from argocd_agent.agent.serve.ports import everything
from argocd_agent.errors import AuthenticationFailed, EventDiscarded, EventRefused, NotFound, StreamClosed, Unavailable
from argocd_agent.protocol.events import Event, EventId, ResourceId, Target
from argocd_agent.transport.gate import CallerGone, UnknownRequest
from argocd_agent.wire.datastreams import LARGEST_DATA_BYTES, LogFrame
from argocd_agent.wire.payloads import encode
from argocd_agent.wire.requests import ContainerLogRequest
from tests.support.loghub import LogHub
from tests.support.pods import START, FakePods
from tests.support.world import passing

NOW = START / 10**9
SECOND = 10**9


def a_request(uuid: str = "u-1", **options: Any) -> Event:
    wanted = ContainerLogRequest(uuid=uuid, namespace="default", pod_name="web", **options)
    return Event(Target.CONTAINER_LOG, "GET", ResourceId(uuid), EventId(uuid), encode(wanted))


@contextlib.asynccontextmanager
async def serving(pods: FakePods, hub: LogHub, **options: Any) -> AsyncIterator[LogServer]:
    server = LogServer(
        pods, hub, options.pop("is_allowed", everything), **{"limit": 4, "clock": lambda: NOW, **options}
    )
    running = asyncio.create_task(server.run())
    await passing(0.01)
    try:
        yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.feature("A-91")
async def test_a_static_log_comes_byte_for_byte_in_frames_of_64_kib_after_a_first_empty_one() -> None:
    pods, hub = FakePods(piece_bytes=100_000), LogHub()
    for number in range(20_000):
        pods.say(number, f"{number} " + "x" * 20)

    async with serving(pods, hub) as server:
        await server.handle(a_request())
        await passing(1)

    (call,) = hub.calls
    assert hub.arrived["u-1"] == "".join(f"{text}\n" for _, text in pods.lines).encode()
    assert call.frames[0] == LogFrame("u-1")
    assert call.frames[-1] == LogFrame("u-1", is_end=True)
    assert max(len(frame.data) for frame in call.frames) <= LARGEST_DATA_BYTES


async def test_every_option_reaches_the_cluster() -> None:
    pods, hub = FakePods(), LogHub()
    options: dict[str, Any] = {
        "container": "c",
        "tail_lines": 5,
        "since_seconds": 60,
        "since_time": "2026-11-21T12:00:00Z",
        "timestamps": True,
        "previous": True,
        "insecure_skip_tls_verify_backend": True,
        "limit_bytes": 10,
    }

    async with serving(pods, hub) as server:
        await server.handle(a_request(**options))
        await passing(1)

    (asked,) = pods.asked
    assert (asked.namespace, asked.pod, asked.follow) == ("default", "web", False)
    assert asked.skips_backend_verification
    assert {name: getattr(asked, name) for name in options if hasattr(asked, name)} == {
        name: value for name, value in options.items() if hasattr(asked, name)
    }


@pytest.mark.feature("A-92")
async def test_a_followed_log_comes_line_by_line_without_the_timestamps_that_nobody_asked_for() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True))
        pods.say(1, "one")
        await passing(1)
        first = hub.arrived["u-1"]
        pods.say(2, "two")
        await passing(1)
        second = hub.arrived["u-1"]
        pods.end()
        await passing(1)

    assert (first, second) == (b"one\n", b"one\ntwo\n")
    assert hub.calls[0].frames[-1].is_end
    assert len(server.running) == 0


@pytest.mark.feature("A-92")
@pytest.mark.parametrize("timestamps", [True, False])
async def test_a_followed_log_goes_on_after_a_cut_without_a_gap_or_a_line_twice(timestamps: bool) -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True, timestamps=timestamps, tail_lines=2))
        for number in range(10):
            pods.say(number // 4 * SECOND, f"line {number}")
            await passing(0.1)
            if number == 3:
                hub.loses_bytes = True  # what is on its way when the connection breaks
            if number == 5:
                hub.cut()
                hub.loses_bytes = False
            if number == 7:
                hub.up.set()
        await passing(10)
        pods.end()
        await passing(1)

    followed = hub.arrived["u-1"].decode().splitlines()
    assert [line[line.index("line") :] for line in followed] == [f"line {number}" for number in range(10)]
    assert len(hub.calls) == 2
    assert (pods.asked[1].since_time, pods.asked[1].tail_lines) == ("2026-11-21T12:00:00Z", None)


async def test_toward_a_hub_that_does_not_say_what_has_arrived_lines_come_twice_rather_than_not_at_all() -> None:
    pods, hub = FakePods(), LogHub(says_arrived=False)

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True, since_seconds=60))
        pods.say(0, "one")
        pods.say(SECOND, "two")
        await passing(1)
        hub.cut()
        await passing(0.1)
        pods.say(2 * SECOND, "three")
        await passing(1)
        hub.up.set()
        await passing(10)

    assert hub.arrived["u-1"] == b"one\ntwo\none\ntwo\nthree\n"
    assert (pods.asked[1].since_time, pods.asked[1].since_seconds) == ("2026-11-21T12:00:00Z", None)


async def test_a_log_that_breaks_off_at_the_cluster_is_read_again_within_the_same_call() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True))
        pods.say(0, "one")
        await passing(1)
        pods.break_off()
        await passing(1)
        pods.say(0, "two")
        await passing(1)

    assert hub.arrived["u-1"] == b"one\ntwo\n"
    assert len(hub.calls) == 1


async def test_before_the_first_line_since_and_tail_mean_the_time_of_the_request() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request("since", follow=True, since_seconds=60))
        await server.handle(a_request("tail", follow=True, tail_lines=0))
        await passing(1)
        hub.cut()
        hub.up.set()
        await passing(5)

    assert {options.since_time for options in pods.asked[2:]} == {"2026-11-21T11:59:00Z", "2026-11-21T12:00:00Z"}
    assert {options.tail_lines for options in pods.asked[2:]} == {None}


@pytest.mark.feature("A-93")
async def test_a_request_that_comes_twice_is_served_once() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True))
        with pytest.raises(EventDiscarded):
            await server.handle(a_request(follow=True))
        await passing(1)

        assert len(pods.asked) == 1


@pytest.mark.feature("P-98", "A-92")
@pytest.mark.parametrize("told", [CallerGone("client disconnected"), UnknownRequest()])
async def test_when_the_user_has_left_the_cluster_is_not_read_any_more(told: Any) -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True))
        await passing(1)
        hub.calls[0].end(told)
        await passing(1)

        assert (pods.open_logs, len(server.running), len(hub.calls)) == (0, 0, 1)


async def test_a_log_that_is_not_there_is_told_with_the_clusters_words_and_at_once() -> None:
    pods, hub = FakePods(refuses=NotFound('pods "web" not found')), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request())
        await passing(1)

    assert hub.calls[0].frames[-1] == LogFrame("u-1", is_end=True, error='pods "web" not found')


@pytest.mark.parametrize("follow", [True, False])
async def test_an_error_that_was_told_is_not_told_again(follow: bool) -> None:
    pods, hub = FakePods(refuses=NotFound('pods "web" not found')), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=follow))
        await passing(60)

    assert len(hub.calls) == 1


async def test_a_time_that_is_none_is_left_out() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(since_time="yesterday"))
        await passing(1)

    assert pods.asked[0].since_time == ""


async def test_retries_follow_the_table_and_end_after_30_seconds() -> None:
    pods, hub = FakePods(), LogHub(refuses=StreamClosed("UNAVAILABLE"))
    loop = asyncio.get_running_loop()

    async with serving(pods, hub) as server:
        began = loop.time()
        await server.handle(a_request(follow=True))
        while len(server.running):
            await passing(0.1)
        lasted = loop.time() - began

    assert 20 < lasted < 30.2


async def test_a_static_log_is_not_sent_again() -> None:
    pods, hub = FakePods(), LogHub()
    hub.taking.clear()

    async with serving(pods, hub) as server:
        await server.handle(a_request())
        await passing(1)
        hub.cut()
        hub.up.set()
        hub.taking.set()
        await passing(60)

        assert (len(hub.calls), len(server.running)) == (1, 0)


@pytest.mark.feature("A-15")
async def test_a_token_that_is_not_taken_leads_to_a_new_login_and_the_log_goes_on() -> None:
    pods, hub = FakePods(), LogHub(refuses=AuthenticationFailed("UNAUTHENTICATED"))

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True))
        pods.say(0, "one")
        await passing(0.05)
        hub.refuses = None
        await passing(5)

    assert hub.renewed == ["UNAUTHENTICATED"]
    assert hub.arrived["u-1"] == b"one\n"


@pytest.mark.feature("A-91")
async def test_the_cluster_is_read_only_as_fast_as_the_hub_takes() -> None:
    pods, hub = FakePods(piece_bytes=1000), LogHub()
    pods.say(0, "x" * 100_000)
    hub.taking.clear()

    async with serving(pods, hub) as server:
        await server.handle(a_request())
        await passing(10)

        assert hub.calls[0].frames == []
        hub.taking.set()
        await passing(1)
        assert len(hub.arrived["u-1"]) == 100_001


async def test_too_many_at_once_are_refused_in_words_and_beyond_that_as_events() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub, limit=1) as server:
        await server.handle(a_request("u-1", follow=True))
        await server.handle(a_request("u-2", follow=True))
        with pytest.raises(EventRefused):
            await server.handle(a_request("u-3", follow=True))
        await passing(1)

    assert "serves 1 logs already" in hub.calls[1].frames[-1].error


async def test_a_pod_of_no_application_is_refused_and_so_is_everything_when_logs_are_off() -> None:
    async def nothing(namespace: str, pod: str) -> bool:
        return False

    async def broken(namespace: str, pod: str) -> bool:
        raise Unavailable("no answer")

    errors = []
    for options in ({"is_allowed": nothing}, {"is_allowed": broken}, {"is_enabled": False}):
        pods, hub = FakePods(), LogHub()
        async with serving(pods, hub, **options) as server:
            await server.handle(a_request())
            await passing(1)
        errors.append(hub.calls[0].frames[-1].error)
        assert pods.asked == []

    assert errors == [
        "pod default/web does not belong to an Application",
        "no answer",
        "container logs are switched off on this agent (--logs-enable)",
    ]


async def test_the_limit_of_a_followed_log_counts_what_is_shown() -> None:
    pods, hub = FakePods(), LogHub()

    async with serving(pods, hub) as server:
        await server.handle(a_request(follow=True, limit_bytes=6))
        pods.say(0, "one")
        pods.say(0, "two")
        await passing(1)

        assert hub.arrived["u-1"] == b"one\ntw"
        assert len(server.running) == 0


async def test_a_request_without_a_pod_is_refused() -> None:
    async with serving(FakePods(), LogHub()) as server:
        with pytest.raises(EventRefused):
            await server.handle(Event(Target.CONTAINER_LOG, "GET", ResourceId("r"), EventId("e"), b'{"uuid":"u"}'))
