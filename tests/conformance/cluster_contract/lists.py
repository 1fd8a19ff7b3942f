"""Lists: pages of one moment, selectors, and what is refused."""

import pytest

from argocd_agent.backends.ports import Scope, WatchType
from argocd_agent.errors import BadRequest, Gone
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS
from argocd_agent.resources.objects import Metadata
from tests.conformance.cluster_contract.case import Place, case, changes, listed, names

LABELS: dict[str, dict[str, str]] = {
    "bare": {},
    "dev": {"env": "dev", "team": "a"},
    "empty": {"env": ""},
    "prod": {"env": "prod", "team": "b"},
}
LABEL_SELECTORS: dict[str, list[str]] = {
    "env=dev": ["dev"],
    "env==dev": ["dev"],
    "env = dev , team = a": ["dev"],
    "env!=dev": ["bare", "empty", "prod"],
    "env in (dev,prod)": ["dev", "prod"],
    "env in (dev)": ["dev"],
    "env in (, dev)": ["dev", "empty"],
    "env notin (dev,prod)": ["bare", "empty"],
    "env": ["dev", "empty", "prod"],
    "!env": ["bare"],
    "env=": ["empty"],
    "env!=": ["bare", "dev", "prod"],
    "env,team": ["dev", "prod"],
    "env in (dev,prod),team!=b": ["dev"],
    "env=dev,env=prod": [],
    "absent=x": [],
    "example.com/absent!=x": ["bare", "dev", "empty", "prod"],
}
FIELD_SELECTORS: dict[str, list[str]] = {
    "metadata.name=dev": ["dev"],
    "metadata.name==dev": ["dev"],
    "metadata.name!=dev": ["bare", "empty", "prod"],
    "metadata.namespace=NAMESPACE": ["bare", "dev", "empty", "prod"],
    "metadata.namespace!=NAMESPACE": [],
    "metadata.namespace=NAMESPACE,metadata.name=prod": ["prod"],
    "metadata.name=nobody": [],
}


@case
async def label_selectors_mean_what_kubernetes_says(place: Place) -> None:
    for name, labels in LABELS.items():
        await place.cluster.create(CONFIGMAPS, place.configmap(name, labels=labels))

    found = {selector: await names(place, CONFIGMAPS, labels=selector) for selector in LABEL_SELECTORS}

    assert found == LABEL_SELECTORS


@case
async def field_selectors_know_name_and_namespace(place: Place) -> None:
    for name in LABELS:
        await place.cluster.create(APPLICATIONS, place.application(name))

    found = {
        selector: await names(place, fields=selector.replace("NAMESPACE", place.namespace))
        for selector in FIELD_SELECTORS
    }

    assert found == FIELD_SELECTORS


@case
async def a_selector_that_cannot_be_read_is_refused(place: Place) -> None:
    for labels in ("env in dev", "env=(", "=x", "env in (a", "a b"):
        with pytest.raises(BadRequest):
            await place.cluster.list(CONFIGMAPS, Scope(place.namespace, labels=labels))
    for fields in ("spec.project=default", "metadata.name"):
        with pytest.raises(BadRequest):
            await place.cluster.list(APPLICATIONS, Scope(place.namespace, fields=fields))


@case
async def a_list_is_sorted_by_namespace_and_name(place: Place) -> None:
    for name in ("b", "a-b", "c", "a", "ab"):
        await place.cluster.create(APPLICATIONS, place.application(name))

    assert await names(place) == ["a", "a-b", "ab", "b", "c"]


@case
async def a_list_of_all_namespaces_has_those_of_each(place: Place) -> None:
    label = {"only": place.namespace}
    await place.cluster.create(APPLICATIONS, place.application(labels=label))

    page = await place.cluster.list(APPLICATIONS, Scope(labels=f"only={place.namespace}"))

    assert [obj.key for obj in page.items] == [(place.namespace, "guestbook")]


@case
async def a_missing_namespace_lists_as_empty(place: Place) -> None:
    page = await place.cluster.list(APPLICATIONS, Scope("no-such-namespace"))

    assert page.items == ()
    assert page.version
    assert page.next_token == ""


@case
async def listed_objects_are_those_that_get_gives(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(labels={"a": "b"}))

    [item] = (await place.cluster.list(APPLICATIONS, place.scope)).items

    got = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")
    assert item.metadata == got.metadata
    assert item.look("spec") == got.look("spec")


@case
async def pages_hold_everything_once_and_no_more_than_asked(place: Place) -> None:
    wanted = [f"app-{number:02}" for number in range(7)]
    for name in wanted:
        await place.cluster.create(APPLICATIONS, place.application(name))

    pages = await listed(place.cluster, APPLICATIONS, place.scope, limit=3)

    assert [len(page.items) for page in pages] == [3, 3, 1]
    assert [obj.name for page in pages for obj in page.items] == wanted
    assert [bool(page.next_token) for page in pages] == [True, True, False]


@case
async def pages_with_a_selector_hold_everything_that_matches(place: Place) -> None:
    for number in range(9):
        labels = {"odd": "yes"} if number % 2 else None
        await place.cluster.create(CONFIGMAPS, place.configmap(f"cm-{number}", labels=labels))

    pages = await listed(place.cluster, CONFIGMAPS, Scope(place.namespace, labels="odd"), limit=2)

    assert [obj.name for page in pages for obj in page.items] == ["cm-1", "cm-3", "cm-5", "cm-7"]


@case
async def all_pages_show_one_moment(place: Place) -> None:
    for name in ("a", "b", "c"):
        await place.cluster.create(CONFIGMAPS, place.configmap(name))
    first = await place.cluster.list(CONFIGMAPS, place.scope, limit=1)
    await place.cluster.create(CONFIGMAPS, place.configmap("bb"))
    await place.cluster.delete(CONFIGMAPS, place.namespace, "c")

    second = await place.cluster.list(CONFIGMAPS, place.scope, limit=5, token=first.next_token)

    assert [obj.name for obj in second.items] == ["b", "c"]
    assert second.version == first.version


@case
async def a_watch_from_a_list_misses_nothing(place: Place) -> None:
    for name in ("a", "b", "c"):
        await place.cluster.create(CONFIGMAPS, place.configmap(name))
    first = await place.cluster.list(CONFIGMAPS, place.scope, limit=2)
    await place.cluster.create(CONFIGMAPS, place.configmap("d"))
    last = await place.cluster.list(CONFIGMAPS, place.scope, limit=2, token=first.next_token)
    await place.cluster.delete(CONFIGMAPS, place.namespace, "a")

    seen = await changes(place.cluster, CONFIGMAPS, place.scope, last.version, 2)

    assert [obj.name for obj in last.items] == ["c"]
    assert [(event.type, event.object.name) for event in seen] == [(WatchType.ADDED, "d"), (WatchType.DELETED, "a")]


@case
async def a_token_whose_time_is_over_is_gone(place: Place) -> None:
    for name in ("a", "b"):
        await place.cluster.create(APPLICATIONS, place.application(name))
    first = await place.cluster.list(APPLICATIONS, place.scope, limit=1)
    await place.cluster.delete(APPLICATIONS, place.namespace, "b")
    token = await place.backend.expired_token(first.next_token)

    with pytest.raises(Gone):
        await place.cluster.list(APPLICATIONS, place.scope, limit=1, token=token)


@case
async def a_token_that_nobody_gave_is_refused(place: Place) -> None:
    with pytest.raises(BadRequest):
        await place.cluster.list(APPLICATIONS, place.scope, limit=1, token="made-up")


@case
async def metadata_has_nothing_that_was_not_said(place: Place) -> None:
    created = await place.cluster.create(CONFIGMAPS, place.configmap())

    expected = Metadata(
        name="settings",
        namespace=place.namespace,
        uid=created.uid,
        resource_version=created.version,
        creation_timestamp=created.metadata.creation_timestamp,
    )
    assert created.metadata == expected
