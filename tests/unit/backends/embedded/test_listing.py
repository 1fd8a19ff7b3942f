"""Pages of lists, and what a watch with a selector sees of a change."""

import pytest

from argocd_agent.backends.embedded.kinds import PODS
from argocd_agent.backends.embedded.listing import Selection, page, select
from argocd_agent.backends.embedded.store import Change
from argocd_agent.backends.ports import Scope, WatchType
from argocd_agent.errors import BadRequest, Gone
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, EVENTS
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.unit.backends.embedded.builders import a_configmap, a_pod, an_engine, create, with_field


def _selection(**scope: str) -> Selection:
    return select(an_engine().kind(CONFIGMAPS), Scope(**scope))


def _version(obj: Object, version: int, **labels: str) -> Object:
    return obj.with_metadata(resource_version=str(version), labels=labels or None)


IN, OUT = _version(a_configmap(), 1, team="a"), _version(a_configmap(), 2)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Change(3, None, IN), WatchType.ADDED),
        (Change(3, OUT, IN), WatchType.ADDED),
        (Change(3, IN, IN), WatchType.MODIFIED),
        (Change(3, IN, OUT), WatchType.DELETED),
        (Change(3, IN, IN, is_removal=True), WatchType.DELETED),
        (Change(3, OUT, OUT), None),
        (Change(3, None, OUT), None),
        (Change(3, OUT, OUT, is_removal=True), None),
    ],
)
def test_a_watch_sees_what_enters_changes_and_leaves(change: Change, expected: WatchType | None) -> None:
    event = _selection(labels="team=a").event(change)

    assert (event and event.type) == expected


def test_what_left_is_shown_as_it_was_with_the_version_of_the_change() -> None:
    event = _selection(labels="team=a").event(Change(3, IN, OUT))

    assert event is not None
    assert (event.object.labels, event.object.version) == ({"team": "a"}, "3")


def test_pages_say_how_much_is_left() -> None:
    engine = an_engine()
    for name in "abcde":
        create(engine, CONFIGMAPS, a_configmap(name))
    selection = select(engine.kind(CONFIGMAPS), Scope("default"))

    first = page(engine.store, selection, 2)
    last = page(engine.store, selection, 3, first.next_token)

    assert ([obj.name for obj in first.items], first.remaining) == (["a", "b"], 3)
    assert ([obj.name for obj in last.items], last.next_token) == (["c", "d", "e"], "")


def test_a_token_from_before_the_window_is_gone() -> None:
    engine = an_engine(window=2)
    for name in "abc":
        create(engine, CONFIGMAPS, a_configmap(name))
    selection = select(engine.kind(CONFIGMAPS), Scope("default"))
    first = page(engine.store, selection, 1)

    for name in "def":
        create(engine, CONFIGMAPS, a_configmap(name))

    with pytest.raises(Gone, match="continue parameter is too old"):
        page(engine.store, selection, 1, first.next_token)


@pytest.mark.parametrize("token", ["nonsense", "e30", "bnVsbA", "%%%"])
def test_a_token_of_another_make_is_refused(token: str) -> None:
    engine = an_engine()

    with pytest.raises(BadRequest, match="continue"):
        page(engine.store, select(engine.kind(CONFIGMAPS), Scope()), 1, token)


def test_one_name_is_found_without_looking_at_the_others() -> None:
    engine = an_engine()
    create(engine, CONFIGMAPS, a_configmap("a"))
    kind = engine.kind(CONFIGMAPS)

    found = page(engine.store, select(kind, Scope("default", fields="metadata.name=a")))
    other = page(engine.store, select(kind, Scope("default", fields="metadata.name=a", labels="x")))

    assert [obj.name for obj in found.items] == ["a"]
    assert other.items == []


def test_field_selectors_look_into_kinds_that_have_them() -> None:
    engine = an_engine()
    create(engine, PODS, with_field(a_pod("p"), "status", {"phase": "Running"}))
    involved = {"kind": "Pod", "name": "p"}
    event = new_object(EVENTS, Metadata(name="e", namespace="default"), involvedObject=involved, reason="Started")
    create(engine, EVENTS, event)

    def count(selector: str, kind: object) -> int:
        served = engine.kind(PODS if kind is PODS else EVENTS)
        return len(page(engine.store, select(served, Scope(fields=selector))).items)

    assert count("status.phase=Pending", PODS) == 1
    assert count("status.phase=Running", PODS) == 0
    assert count("involvedObject.name=p,involvedObject.kind=Pod,reason!=Stopped", EVENTS) == 1


def test_a_field_that_a_kind_cannot_select_by_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.project"):
        select(an_engine().kind(APPLICATIONS), Scope(fields="spec.project=x"))
