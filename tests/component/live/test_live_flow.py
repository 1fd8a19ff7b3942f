"""Live requests as they run: side by side, to the deadline, cancelled, in pieces, and watched."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from argocd_agent.agent.serve.answers import PIECE_BYTES
from argocd_agent.backends.embedded import EmbeddedCluster
from argocd_agent.backends.embedded.face.raw import EmbeddedRaw
from argocd_agent.backends.ports import RawAnswer, RawRequest
from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import AgentAway, EventDiscarded
from argocd_agent.protocol.capabilities import REFERENCE
from argocd_agent.protocol.events import AgentName, Event, EventId, EventType, ResourceId, Target
from argocd_agent.protocol.names import ANNOTATION_TRACKING_ID, EXTENSION_REMAINING
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.wire.payloads import decode
from argocd_agent.wire.payloads import encode as written
from argocd_agent.wire.requests import ResourcePart, ResourceRequest, ResourceResponse
from tests.support.liveline import SHOP, Line, a_line, a_question
from tests.support.world import passing

TRACKED = {ANNOTATION_TRACKING_ID: "guestbook:/v1/ConfigMap:shop/x"}
MAPS = f"/api/v1/namespaces/{SHOP}/configmaps"
ONE = AgentName("agent-1")


class Slow(EmbeddedRaw):
    """An API server that takes its time, and says who gave up."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        super().__init__(cluster)
        self.seconds, self.at_once, self.most, self.given_up = 0.3, 0, 0, 0

    async def call(self, request: RawRequest, limit_bytes: int) -> RawAnswer:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await passing(self.seconds)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.at_once -= 1
        return await super().call(request, limit_bytes)


@contextlib.asynccontextmanager
async def a_slow_line(**more: Any) -> AsyncGenerator[tuple[Line, Slow], None]:
    made: list[Slow] = []

    def raw(cluster: EmbeddedCluster) -> Slow:
        made.append(Slow(cluster))
        return made[0]

    async with a_line(raw=raw, **more) as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)
        yield line, made[0]


def a_get(uuid: str, name: str, **extensions: str) -> Event:
    """A request as a principal of the reference sends it."""
    payload = ResourceRequest(
        uuid=uuid, method="GET", group="", version="v1", resource="configmaps", namespace=SHOP, name=name
    )
    return Event(Target.RESOURCE, "GET", ResourceId(uuid), EventId(uuid), written(payload), extensions=extensions)


@pytest.mark.feature("P-95")
async def test_many_requests_to_a_slow_api_server_take_as_long_as_one() -> None:
    async with a_slow_line() as (line, slow):
        began = asyncio.get_running_loop().time()

        answers = await asyncio.gather(*[line.request("GET", f"{MAPS}/ours") for _ in range(25)])

        assert {status for status, _ in answers} == {200}
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.3)
        assert slow.most == 25


async def test_a_slow_api_server_is_given_up_before_the_asker_gives_up() -> None:
    async with a_slow_line() as (line, slow):
        slow.seconds = 1000.0

        status, body = await line.request("GET", f"{MAPS}/ours")

        assert status == 504
        assert "did not answer in time" in decode_any(body)["message"]
        assert asyncio.get_running_loop().time() < 31.0
        assert (slow.given_up, len(line.live.resources)) == (1, 0)


async def test_who_goes_away_ends_the_call_to_the_api_server_too() -> None:
    async with a_slow_line() as (line, slow):
        slow.seconds = 20.0
        task = asyncio.create_task(line.request("GET", f"{MAPS}/ours"))
        await passing(1.0)
        before = slow.at_once

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await passing(0.1)

        assert (before, slow.at_once, slow.given_up, len(line.live.resources)) == (1, 0, 1, 0)


async def test_requests_die_with_the_session_that_they_came_on() -> None:
    async with a_slow_line() as (line, slow):
        slow.seconds = 20.0
        task = asyncio.create_task(line.request("GET", f"{MAPS}/ours"))
        await passing(1.0)

        await line.cut()

        with pytest.raises(AgentAway):
            await task
        assert (slow.given_up, len(line.live.resources)) == (1, 0)


async def test_a_request_whose_deadline_has_passed_is_dropped() -> None:
    async with a_slow_line() as (line, slow):
        with pytest.raises(EventDiscarded, match="its deadline had passed"):
            await line.live.resources.handle(a_get("u-1", "ours", **{EXTENSION_REMAINING: "0"}))

        assert slow.most == 0


@pytest.mark.feature("A-79")
async def test_a_principal_of_the_reference_gets_its_answer_in_one_with_the_uuid_as_event_id() -> None:
    async with a_line(hub_is=REFERENCE, agent_is=REFERENCE) as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED, fields={"data": {"a": "x" * 500_000}})

        await line.live.resources.handle(a_get("u-1", "ours"))
        await line.live.resources.handle(a_get("u-2", "none"))
        await passing(1.0)

        whole, missing = line.given
        found = decode(whole.data, ResourceResponse)
        assert (whole.type, whole.event_id, found.uuid, found.status) == (EventType.RESPONSE, "u-1", "u-1", 200)
        assert len(found.resource) > 500_000
        assert decode(missing.data, ResourceResponse).status == 404
        assert whole.resource_id not in ("u-1", missing.resource_id)


@pytest.mark.feature("A-84")
async def test_a_principal_of_the_reference_may_list_events_only() -> None:
    async with a_line(hub_is=REFERENCE) as line:
        status, body = await line.request("GET", MAPS)

        assert status == 500
        assert "not authorized to list resources" in decode_any(body)["message"]
        assert (await line.request("GET", f"/api/v1/namespaces/{SHOP}/events"))[0] == 200


async def test_a_large_answer_comes_in_pieces_and_is_whole() -> None:
    async with a_line() as line:
        data = {"a": "ü" * 450_000}
        for number in range(6):
            await line.create(CONFIGMAPS, f"m-{number}", annotations=TRACKED, fields={"data": data})

        status, body = await line.request("GET", MAPS)

        assert (status, [item["data"] for item in decode_any(body)["items"]]) == (200, [data] * 6)
        pieces = [event for event in line.given if event.type == EventType.PART]
        assert len(pieces) > 20
        assert all(len(decode(event.data, ResourcePart).data or b"") <= PIECE_BYTES for event in pieces)


async def test_a_reader_that_takes_nothing_gets_no_more_than_its_credit_and_holds_up_nobody() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "large", annotations=TRACKED, fields={"data": {"a": "x" * 1_000_000}})
        await line.create(CONFIGMAPS, "small", annotations=TRACKED)

        async with line.ask.asked(ONE, "slow", a_question("GET", f"{MAPS}/large", credit=3)) as replies:
            await replies.next()
            await passing(20.0)
            began = asyncio.get_running_loop().time()
            small, _ = await line.request("GET", f"{MAPS}/small")

            assert len([event for event in line.given if event.type == EventType.PART]) == 3
            assert (small, asyncio.get_running_loop().time() - began) == (200, 0.0)
        await passing(0.1)

        assert len(line.live.resources) == 0


async def a_watch(line: Line, seen: list[Any], path: str = MAPS, **params: str) -> None:
    """Watch until cancelled; the events go to *seen*."""
    question = a_question("GET", path, is_long=True, params={"watch": "true", **params})
    async with line.ask.asked(ONE, "ui", question) as replies:
        while (event := await replies.next()).type == EventType.PART:
            lines = (decode(event.data, ResourcePart).data or b"").splitlines()
            seen += [decode_any(one) for one in lines]
            replies.allow_more()
        seen.append(decode(event.data, ResourceResponse).status)


async def test_a_watch_shows_what_belongs_to_an_application_as_it_changes() -> None:
    async with a_line() as line:
        seen: list[Any] = []
        await line.create(CONFIGMAPS, "before", annotations=TRACKED)
        watching = asyncio.create_task(a_watch(line, seen))
        await passing(1.0)

        held = await line.create(CONFIGMAPS, "ours", annotations=TRACKED)
        await line.create(CONFIGMAPS, "theirs")
        await line.cluster.update(CONFIGMAPS, held.with_fields({"data": encode({"a": "1"})}))
        await line.cluster.delete(CONFIGMAPS, SHOP, "ours")
        await passing(1.0)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await passing(0.1)

        names = [(one["type"], one["object"]["metadata"]["name"]) for one in seen]
        assert names == [("ADDED", "before"), ("ADDED", "ours"), ("MODIFIED", "ours"), ("DELETED", "ours")]
        assert len(line.live.resources) == 0


async def test_a_watch_from_a_version_that_is_forgotten_ends_with_what_the_api_server_says() -> None:
    async with a_line() as line:
        seen: list[Any] = []
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)
        assert isinstance(line.cluster, EmbeddedCluster)
        line.cluster.compact()
        await line.create(CONFIGMAPS, "more", annotations=TRACKED)

        await a_watch(line, seen, resourceVersion="1")

        assert [one["type"] for one in seen[:-1]] == ["ERROR"]
        assert (seen[0]["object"]["code"], seen[-1]) == (410, 200)


async def test_a_watch_of_what_is_not_there_is_refused_as_the_api_server_refuses_it() -> None:
    async with a_line() as line:
        seen: list[Any] = []

        await a_watch(line, seen, "/apis/nowhere.example/v1/things")

        assert seen == [404]


async def test_a_watcher_that_does_not_read_holds_no_more_than_its_credit() -> None:
    async with a_line() as line:
        params = {"watch": "true"}
        question = a_question("GET", MAPS, is_long=True, credit=4, params=params)
        async with line.ask.asked(ONE, "ui", question) as replies:
            await replies.next()
            for number in range(50):
                await line.create(CONFIGMAPS, f"m-{number}", annotations=TRACKED)
                await passing(0.1)

            began = asyncio.get_running_loop().time()
            status, _ = await line.request("GET", f"{MAPS}/m-49")

            assert len([event for event in line.given if event.type == EventType.PART]) == 4
            assert (status, asyncio.get_running_loop().time() - began) == (200, 0.0)


async def test_live_requests_and_answers_are_not_acked_between_our_own_ends() -> None:
    async with a_line() as line:
        await line.create(CONFIGMAPS, "ours", annotations=TRACKED)

        await line.request("GET", f"{MAPS}/ours")
        await passing(1.0)

        assert [event.type for event in line.received] == ["GET"]
        assert [event.type for event in line.given] == [EventType.RESPONSE]
        assert line.sent_by_spoke == 1
