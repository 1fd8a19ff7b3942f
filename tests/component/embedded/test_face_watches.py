"""Watches through the HTTP face: lines, tables, bookmarks, errors, slow readers, the end."""

import asyncio

import aiohttp
import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.embedded.face import Client, serve
from argocd_agent.resources.kinds import APPLICATIONS
from tests.component.embedded.caller import APPS, MAPS, TABLE, a_face
from tests.unit.backends.embedded.builders import an_application

pytestmark = pytest.mark.real_time(timeout=30)


async def test_a_watch_shows_changes_as_they_happen() -> None:
    async with a_face() as caller, caller.watch(f"{APPS}?watch=1") as events:
        created = await caller.cluster.create(APPLICATIONS, an_application())
        first = await anext(events)
        await caller.cluster.delete(APPLICATIONS, "default", "guestbook")
        second = await anext(events)

    assert (first["type"], first["object"]["metadata"]["uid"]) == ("ADDED", created.uid)
    assert second["type"] == "DELETED"


async def test_a_watch_list_says_where_the_beginning_ends() -> None:
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    async with a_face() as caller:
        await caller.cluster.create(APPLICATIONS, an_application())
        async with caller.watch(f"{APPS}?{query}") as events:
            added, bookmark = await anext(events), await anext(events)

    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_table_watch_sends_tables() -> None:
    async with a_face() as caller, caller.watch(f"{APPS}?watch=1", Accept=TABLE) as events:
        await caller.cluster.create(APPLICATIONS, an_application())
        event = await anext(events)

    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][0] == "guestbook"


async def test_a_watch_ends_when_its_time_is_over() -> None:
    async with a_face() as caller, caller.watch(f"{APPS}?watch=1&timeoutSeconds=1") as events:
        assert [event async for event in events] == []


async def test_a_watch_from_a_forgotten_version_gets_its_error_as_an_event() -> None:
    async with a_face() as caller:
        await caller.cluster.create(APPLICATIONS, an_application())
        caller.cluster.compact()
        async with caller.watch(f"{APPS}?watch=1&resourceVersion=1") as events:
            error = await anext(events)
            rest = [event async for event in events]

    assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert rest == []


async def test_a_client_that_does_not_read_holds_nobody_up_and_is_told() -> None:
    async with a_face(window=5) as caller, caller.watch(f"{MAPS}?watch=1") as slow:
        for number in range(40):
            body = {"metadata": {"name": f"cm-{number}"}, "data": {"filler": "x" * 500_000}}
            status, _ = await caller.ask("POST", MAPS, body)
            assert status == 201
        # Only now is the stream read: what fitted into the buffers, and then the error.
        seen = [event["type"] async for event in slow]

    assert seen[-1] == "ERROR"
    assert 1 < len(seen) < 41


async def test_closing_the_face_ends_watches_within_a_second() -> None:
    cluster = open_memory()
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer t"}) as session:
        async with serve(cluster, clients=[Client("t")]) as face:
            response = await session.get(f"{face.url}{APPS}?watch=1")
            start = asyncio.get_running_loop().time()
        rest = await response.content.read()

    assert rest == b""
    assert asyncio.get_running_loop().time() - start < 1
