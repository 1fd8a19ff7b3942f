"""Watches: what happened after a version, in order, to those whom it concerns; too old versions; slow readers."""

import asyncio

import pytest

from argocd_agent.backends.ports import Scope, WatchEvent, WatchType
from argocd_agent.errors import Gone
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from tests.conformance.cluster_contract.case import WAIT_SECONDS, Place, case, changes, follow, names, watching

ADDED, MODIFIED, DELETED = WatchType.ADDED, WatchType.MODIFIED, WatchType.DELETED
BOOKMARK_SECONDS = 200.0  # a kube-apiserver was seen to take 60 to 120
SLOW_EVENTS = 300
SLOW_BYTES = 20_000  # each: together more than the buffers of a connection hold


def _short(events: list[WatchEvent]) -> list[tuple[WatchType, str]]:
    return [(event.type, event.object.name) for event in events]


@case
async def changes_come_in_order_with_their_content(place: Place) -> None:
    start = await place.cluster.list(APPLICATIONS, place.scope)
    created = await place.cluster.create(APPLICATIONS, place.application())
    updated = await place.cluster.update(APPLICATIONS, created.with_annotations({"a": "b"}))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    seen = await changes(place.cluster, APPLICATIONS, place.scope, start.version, 3)

    assert [event.type for event in seen] == [ADDED, MODIFIED, DELETED]
    assert [event.object.metadata for event in seen[:2]] == [created.metadata, updated.metadata]
    assert seen[0].object.look("spec") == created.look("spec")
    assert seen[2].object.annotations == {"a": "b"}
    assert seen[2].object.uid == created.uid
    assert seen[2].object.version not in {created.version, updated.version}


@case
async def a_running_watch_shows_changes_as_they_happen(place: Place) -> None:
    start = await place.cluster.list(APPLICATIONS, place.scope)
    running = asyncio.create_task(changes(place.cluster, APPLICATIONS, place.scope, start.version, 2))
    await asyncio.wait([running], timeout=0.2)
    await place.cluster.create(APPLICATIONS, place.application("first"))
    await place.cluster.create(APPLICATIONS, place.application("second"))

    assert _short(await running) == [(ADDED, "first"), (ADDED, "second")]


@case
async def a_watch_goes_on_from_any_version_seen(place: Place) -> None:
    start = await place.cluster.list(APPLICATIONS, place.scope)
    for number in range(4):
        await place.cluster.create(APPLICATIONS, place.application(f"app-{number}"))
    await place.cluster.delete(APPLICATIONS, place.namespace, "app-0")
    whole = await changes(place.cluster, APPLICATIONS, place.scope, start.version, 5)

    rests = [
        await changes(place.cluster, APPLICATIONS, place.scope, whole[seen].object.version, 4 - seen)
        for seen in range(4)
    ]

    assert [_short(rest) for rest in rests] == [_short(whole[seen + 1 :]) for seen in range(4)]


@case
async def an_update_without_a_change_is_no_event(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())
    await place.cluster.update(APPLICATIONS, created)
    await place.cluster.create(APPLICATIONS, place.application("next"))

    seen = await changes(place.cluster, APPLICATIONS, place.scope, created.version, 1)

    assert _short(seen) == [(ADDED, "next")]


@case
async def what_leaves_the_selector_is_deleted_and_what_enters_is_added(place: Place) -> None:
    scope = Scope(place.namespace, labels="team=a")
    start = await place.cluster.list(APPLICATIONS, scope)
    outside = await place.cluster.create(APPLICATIONS, place.application(labels={"team": "b"}))
    inside = await place.cluster.update(APPLICATIONS, outside.with_metadata(labels={"team": "a"}))
    changed = await place.cluster.update(APPLICATIONS, inside.with_annotations({"x": "y"}))
    left = await place.cluster.update(APPLICATIONS, changed.with_metadata(labels={"team": "b"}))
    await place.cluster.update(APPLICATIONS, left.with_annotations({"x": "z"}))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")
    await place.cluster.create(APPLICATIONS, place.application("last", labels={"team": "a"}))

    seen = await changes(place.cluster, APPLICATIONS, scope, start.version, 4)

    assert _short(seen) == [(ADDED, "guestbook"), (MODIFIED, "guestbook"), (DELETED, "guestbook"), (ADDED, "last")]
    assert seen[2].object.labels == {"team": "a"}, "what left is shown as it was when it still matched"
    assert seen[2].object.version == left.version


@case
async def a_watch_of_one_name_shows_only_that(place: Place) -> None:
    start = await place.cluster.list(CONFIGMAPS, place.scope)
    for name in ("other", "mine", "another"):
        await place.cluster.create(CONFIGMAPS, place.configmap(name))
    await place.cluster.delete(CONFIGMAPS, place.namespace, "mine")

    scope = Scope(place.namespace, fields="metadata.name=mine")
    seen = await changes(place.cluster, CONFIGMAPS, scope, start.version, 2)

    assert _short(seen) == [(ADDED, "mine"), (DELETED, "mine")]


@case
async def a_watch_of_one_namespace_shows_no_other(place: Place) -> None:
    other = f"{place.namespace}-other"
    await place.cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=other)))
    start = await place.cluster.list(APPLICATIONS, place.scope)
    await place.cluster.create(APPLICATIONS, place.application("theirs").with_metadata(namespace=other))
    await place.cluster.create(APPLICATIONS, place.application("ours"))

    here = await changes(place.cluster, APPLICATIONS, place.scope, start.version, 1)
    everywhere = await changes(place.cluster, APPLICATIONS, Scope(), start.version, 2)

    assert _short(here) == [(ADDED, "ours")]
    assert _short(everywhere) == [(ADDED, "theirs"), (ADDED, "ours")]


@case
async def a_watch_of_one_kind_shows_no_other(place: Place) -> None:
    start = await place.cluster.list(APPLICATIONS, place.scope)
    await place.cluster.create(CONFIGMAPS, place.configmap("noise"))
    await place.cluster.create(APPLICATIONS, place.application())

    assert _short(await changes(place.cluster, APPLICATIONS, place.scope, start.version, 1)) == [(ADDED, "guestbook")]


@case
async def namespaces_can_be_watched_too(place: Place) -> None:
    start = await place.cluster.list(NAMESPACES)
    wanted = f"{place.namespace}-new"
    await place.cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=wanted)))

    scope = Scope(fields=f"metadata.name={wanted}")
    assert _short(await changes(place.cluster, NAMESPACES, scope, start.version, 1)) == [(ADDED, wanted)]


@case
async def a_version_too_old_is_gone_and_a_list_shows_what_was_missed(place: Place) -> None:
    for name in ("kept", "removed"):
        await place.cluster.create(APPLICATIONS, place.application(name))
    known = await names(place)
    await place.cluster.delete(APPLICATIONS, place.namespace, "removed")
    too_old = await place.backend.too_old_version()

    with pytest.raises(Gone):
        await changes(place.cluster, APPLICATIONS, place.scope, too_old, 1)

    page = await place.cluster.list(APPLICATIONS, place.scope)
    assert set(known) - {obj.name for obj in page.items} == {"removed"}
    created = await place.cluster.create(APPLICATIONS, place.application("next"))
    [seen] = await changes(place.cluster, APPLICATIONS, place.scope, page.version, 1)
    assert seen.object.version == created.version


@case
async def bookmarks_move_the_version_on_without_losing_anything(place: Place) -> None:
    """An API server has something to say once the kind has changed where this watch does not look."""
    other = f"{place.namespace}-other"
    await place.cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=other)))
    start = await place.cluster.list(APPLICATIONS, place.scope)
    elsewhere = await place.cluster.create(APPLICATIONS, place.application().with_metadata(namespace=other))

    async with asyncio.timeout(BOOKMARK_SECONDS):
        async with watching(place.cluster, APPLICATIONS, place.scope, start.version) as stream:
            bookmark = await anext(aiter(stream))
        created = await place.cluster.create(APPLICATIONS, place.application())

    assert bookmark.type is WatchType.BOOKMARK
    assert int(bookmark.object.version) >= int(elsewhere.version)
    [seen] = await changes(place.cluster, APPLICATIONS, place.scope, bookmark.object.version, 1)
    assert seen.object.version == created.version


@case
async def a_slow_watcher_loses_nothing_and_holds_nobody_up(place: Place) -> None:
    start = await place.cluster.list(CONFIGMAPS, place.scope)
    wanted = [f"cm-{number:03}" for number in range(SLOW_EVENTS)]
    slow = follow(place.cluster, CONFIGMAPS, place.scope, start.version)
    fast = asyncio.create_task(changes(place.cluster, CONFIGMAPS, place.scope, start.version, SLOW_EVENTS))
    await place.cluster.create(CONFIGMAPS, place.configmap(wanted[0]))
    seen = [(await anext(slow)).object.name]

    for name in wanted[1:]:
        await place.cluster.create(CONFIGMAPS, place.configmap(name, data={"filler": "x" * SLOW_BYTES}))
    assert [event.object.name for event in await fast] == wanted

    async with asyncio.timeout(WAIT_SECONDS):
        while len(seen) < SLOW_EVENTS:
            event = await anext(slow)
            if event.type is not WatchType.BOOKMARK:
                seen.append(event.object.name)
    await slow.aclose()
    assert seen == wanted


@case
async def closing_the_cluster_ends_its_watches(place: Place) -> None:
    start = await place.cluster.list(APPLICATIONS, place.scope)
    is_open = asyncio.Event()

    async def drain() -> int:
        count = 0
        async with watching(place.cluster, APPLICATIONS, place.scope, start.version) as stream:
            async for event in stream:
                is_open.set()
                count += event.type is not WatchType.BOOKMARK
        return count

    draining = asyncio.create_task(drain())
    await place.cluster.create(APPLICATIONS, place.application())
    async with asyncio.timeout(WAIT_SECONDS):
        await is_open.wait()
        await place.cluster.close()
        await place.cluster.close()

        assert await draining == 1
