"""Applications of autonomous agents as the hub holds them."""

from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import EventRefused
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_NOTIFIED,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    CONDITION_DELETION_HELD,
    CONDITION_REFUSED,
)
from argocd_agent.resources.autonomous import digest_parts, hub_edition, mirror, mirror_updated
from argocd_agent.resources.objects import Object, OwnerReference
from tests.support.objects import an_application

AGENT = AgentName("auto")
CLUSTER = "cluster-auto"
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
SYNC = {"sync": {"revision": "abc"}}


def edition(**more: Any) -> Object:
    return hub_edition(an_application(**more), AGENT, CLUSTER)


def held(**more: Any) -> Object:
    """A mirror as an API server of the hub gives it back."""
    return mirror(edition(**more), NOW).with_metadata(uid="on-hub", resource_version="5", generation=1)


def updated(one: Object, keep_operation: bool = False, keep_refresh: bool = False, **more: Any) -> Object:
    return mirror_updated(one, edition(**more), LATER, keep_operation=keep_operation, keep_refresh=keep_refresh)


def condition(kind: str) -> dict[str, str]:
    return {"type": kind, "message": kind}


def test_the_hub_holds_it_in_the_agents_namespace_and_project_for_the_agents_cluster() -> None:
    incoming = an_application(
        destination={"server": "https://kubernetes.default.svc", "namespace": "x"},
        labels={"a": "b"},
        finalizers=(FINALIZER,),
        deleting=True,
    ).with_metadata(owner_references=(OwnerReference(name="parent"),), deletion_grace_period_seconds=0)

    found = hub_edition(incoming, AGENT, CLUSTER)

    spec = found.look("spec")
    assert spec["project"] == "auto-default"
    assert spec["destination"] == {"name": CLUSTER, "namespace": "x"}
    assert spec["source"] == incoming.look("spec")["source"]
    about = found.metadata
    assert (about.namespace, about.uid, about.labels, about.finalizers) == ("auto", "uid-1", {"a": "b"}, (FINALIZER,))
    assert (about.owner_references, about.deletion_timestamp, about.deletion_grace_period_seconds) == (None, None, None)


@pytest.mark.parametrize("destination", [None, {}, "x", {"name": "in-cluster"}, {"namespace": ""}, {"namespace": 1}])
def test_a_destination_without_a_namespace_is_the_cluster_alone(destination: object) -> None:
    assert edition(spec={"destination": destination}).look("spec")["destination"] == {"name": CLUSTER}


@pytest.mark.parametrize("spec", [{"project": ""}, {"project": None}])
def test_no_project_is_the_default_one(spec: dict[str, Any]) -> None:
    assert edition(spec=spec).look("spec")["project"] == "auto-default"


def test_a_project_of_253_characters_is_held_and_one_of_254_is_refused() -> None:
    assert len(edition(spec={"project": "p" * 248}).look("spec")["project"]) == 253

    with pytest.raises(EventRefused, match=r"^Application guestbook of agent auto: .*at most 253 .*found 254"):
        edition(spec={"project": "p" * 249})


@pytest.mark.parametrize("spec", [b"null", b"[]", b'"x"', b"1", b"{", b"\xff", b'{"x":1e999}', b'{"project":1}'])
def test_a_spec_that_the_hub_cannot_hold_is_refused(spec: bytes) -> None:
    with pytest.raises(EventRefused, match=r"^Application guestbook of agent auto: "):
        hub_edition(an_application().with_fields({"spec": spec}), AGENT, CLUSTER)


def test_a_missing_spec_is_refused_with_what_was_expected() -> None:
    with pytest.raises(EventRefused, match="expected spec to be a JSON object, found null"):
        hub_edition(an_application().with_fields({"spec": None}), AGENT, CLUSTER)


def test_child_applications_in_the_status_are_where_the_hub_holds_them() -> None:
    child = {"group": "argoproj.io", "kind": "Application", "namespace": "argocd", "name": "child"}
    others = [
        {"group": "argoproj.io", "kind": "AppProject", "namespace": "argocd"},
        {"group": "apps", "kind": "Application", "namespace": "x"},
        {"kind": "Application", "namespace": "x"},
        "odd",
    ]

    status = edition(status={"resources": [child, *others], "health": {"status": "Healthy"}}).look("status")

    assert status == {"resources": [{**child, "namespace": "auto"}, *others], "health": {"status": "Healthy"}}


@pytest.mark.parametrize("status", [b"null", b"[]", b'"x"', b"1"])
def test_a_status_that_is_none_is_left_out(status: bytes) -> None:
    assert "status" not in hub_edition(an_application().with_fields({"status": status}), AGENT, CLUSTER).fields


@pytest.mark.parametrize("kind", [CONDITION_REFUSED, CONDITION_DELETION_HELD, CONDITION_AGENT_ERROR])
def test_conditions_of_ours_are_not_taken_from_a_spoke(kind: str) -> None:
    other = condition("SyncError")

    assert edition(status={"conditions": [condition(kind), other]}).look("status") == {"conditions": [other]}
    assert edition(status={"conditions": [condition(kind)]}).look("status") == {}


def test_a_mirror_is_a_new_object_that_says_whose_it_is() -> None:
    found = mirror(
        edition(
            version="7",
            labels={"a": "b"},
            annotations={
                "c": "d",
                ANNOTATION_REFRESH: "hard",
                ANNOTATION_PRINCIPAL_UID: "p",
                ANNOTATION_LAST_APPLIED: "{}",
                ANNOTATION_NOTIFIED: "n",
            },
            finalizers=("foregroundDeletion", FINALIZER, "orphan"),
            operation=SYNC,
            status={"health": {"status": "Healthy"}},
        ),
        NOW,
    )

    about = found.metadata
    assert (about.name, about.namespace, about.uid, about.resource_version) == ("guestbook", "auto", "", "")
    assert (about.labels, about.finalizers) == ({"a": "b"}, (FINALIZER,))
    assert found.annotations == {
        "c": "d",
        ANNOTATION_REFRESH: "hard",
        ANNOTATION_SOURCE_UID: "uid-1",
        ANNOTATION_LAST_UPDATED: NOW,
    }
    assert found.fields.keys() == {"spec", "status"}
    assert found.look("status") == {"health": {"status": "Healthy"}}


def test_a_mirror_of_a_replica_names_the_first_source() -> None:
    found = mirror(edition(annotations={ANNOTATION_SOURCE_UID: "first"}), NOW)

    assert found.annotations[ANNOTATION_SOURCE_UID] == "first"


def test_an_update_that_says_nothing_new_is_what_is_held() -> None:
    one = held(labels={"a": "b"}, annotations={"c": "d"}, finalizers=(FINALIZER,), status={"x": 1})
    spelled_otherwise = one.with_fields({"status": b'{ "x" : 1.0 }'}).with_metadata(owner_references=())

    for copy in (one, spelled_otherwise):
        found = updated(copy, labels={"a": "b"}, annotations={"c": "d"}, finalizers=(FINALIZER,), status={"x": 1})
        assert found is copy


def test_empty_metadata_is_no_news() -> None:
    one = held().with_metadata(labels={}, finalizers=())

    assert updated(one) is one


def test_an_update_brings_what_the_spoke_says_and_the_time() -> None:
    one = held(labels={"old": "1"}, annotations={"old": "1"}, status={"x": 1})

    found = updated(
        one, path="other", labels={"new": "1"}, annotations={"new": "1"}, finalizers=(FINALIZER,), status={"x": 2},
        operation=SYNC,
    )  # fmt: skip

    assert found.look("spec")["source"]["path"] == "other"
    assert (found.look("status"), found.look("operation")) == ({"x": 2}, SYNC)
    assert (found.labels, found.metadata.finalizers) == ({"new": "1"}, (FINALIZER,))
    assert found.annotations == {"new": "1", ANNOTATION_SOURCE_UID: "uid-1", ANNOTATION_LAST_UPDATED: LATER}
    assert (found.uid, found.version) == ("on-hub", "5")


def test_an_update_takes_away_what_the_spoke_has_no_more() -> None:
    one = held(labels={"a": "b"}, annotations={ANNOTATION_REFRESH: "hard"}, finalizers=(FINALIZER,), status={"x": 1})

    found = updated(one.with_fields({"operation": encode(SYNC)}))

    assert found.fields.keys() == {"spec"}
    assert (found.metadata.labels, found.metadata.finalizers) == (None, None)
    assert ANNOTATION_REFRESH not in found.annotations


def test_what_is_the_hubs_stays_and_a_principals_uid_goes() -> None:
    own = {ANNOTATION_SOURCE_UID: "first", ANNOTATION_NOTIFIED: "n", ANNOTATION_LAST_APPLIED: "{}"}
    one = held().with_annotations({**own, ANNOTATION_PRINCIPAL_UID: "p"})

    found = updated(one, uid="another", annotations={ANNOTATION_PRINCIPAL_UID: "q", ANNOTATION_NOTIFIED: "spoke"})

    assert found.annotations == {**own, ANNOTATION_LAST_UPDATED: LATER}


def test_what_is_nobodys_is_left_to_be_claimed() -> None:
    found = updated(held().with_annotations({ANNOTATION_SOURCE_UID: None}), path="other")

    assert ANNOTATION_SOURCE_UID not in found.annotations


def test_a_users_wish_of_which_the_spoke_has_yet_to_hear_is_kept_on_demand() -> None:
    one = held().with_fields({"operation": encode(SYNC)}).with_annotations({ANNOTATION_REFRESH: "hard"})

    assert updated(one, keep_operation=True, keep_refresh=True) is one
    assert updated(one, keep_operation=True).look("operation") == SYNC
    assert ANNOTATION_REFRESH not in updated(one, keep_operation=True).annotations
    assert updated(one, keep_refresh=True).annotations[ANNOTATION_REFRESH] == "hard"
    assert "operation" not in updated(one, keep_refresh=True).fields


def test_a_refresh_and_an_operation_of_the_spoke_are_seen() -> None:
    found = updated(
        held(), keep_operation=True, keep_refresh=True, operation=SYNC, annotations={ANNOTATION_REFRESH: "normal"}
    )

    assert found.look("operation") == SYNC
    assert found.annotations[ANNOTATION_REFRESH] == "normal"


@pytest.mark.parametrize("kind", [CONDITION_REFUSED, CONDITION_DELETION_HELD])
def test_the_hubs_own_conditions_outlive_a_status(kind: str) -> None:
    one = held().with_fields({"status": encode({"conditions": [condition("SyncError"), condition(kind)]})})

    found = updated(one, status={"conditions": [condition("Other")]})

    assert found.look("status") == {"conditions": [condition("Other"), condition(kind)]}
    assert updated(found, status={"conditions": [condition("Other")]}) is found


def test_one_that_is_being_deleted_gets_no_new_finalizer_and_keeps_its_collectors() -> None:
    one = held(finalizers=(FINALIZER,)).with_metadata(
        finalizers=(FINALIZER, "foregroundDeletion"), deletion_timestamp=NOW
    )

    found = updated(one, path="other", finalizers=("new/one", FINALIZER, "orphan"))

    assert found.metadata.finalizers == (FINALIZER, "foregroundDeletion")
    assert found.is_deleting


def digests(source: Object, copy: Object) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    return digest_parts(source, AGENT, is_source=True), digest_parts(copy, AGENT, is_source=False)


def test_the_agent_and_the_hub_have_one_digest_of_it() -> None:
    child = {"group": "argoproj.io", "kind": "Application", "namespace": "argocd"}
    source = an_application(status={"resources": [child]}, annotations={ANNOTATION_REFRESH: "hard"})

    ours, theirs = digests(source, mirror(hub_edition(source, AGENT, CLUSTER), NOW).with_metadata(uid="on-hub"))

    assert ours == theirs


@pytest.mark.parametrize(
    "change",
    [
        {"path": "other"},
        {"spec": {"project": "other"}},
        {"destination": {"namespace": "other"}},
        {"labels": {"a": "b"}},
        {"annotations": {"c": "d"}},
        {"finalizers": (FINALIZER,)},
        {"status": {"health": {"status": "Degraded"}}},
    ],
)
def test_what_the_spoke_changes_counts_in_the_digest(change: dict[str, Any]) -> None:
    ours, theirs = digests(an_application(**change), held())

    assert ours != theirs


@pytest.mark.parametrize(
    "change",
    [
        {"destination": {"server": "https://elsewhere", "namespace": "default"}},
        {"annotations": {ANNOTATION_NOTIFIED: "n", ANNOTATION_LAST_APPLIED: "{}"}},
        {"finalizers": ("foregroundDeletion",)},
        {"status": {"conditions": [condition(CONDITION_REFUSED), condition(CONDITION_AGENT_ERROR)]}},
        {"status": {}},
        {"deleting": True},
        {"operation": SYNC},
        {"annotations": {ANNOTATION_REFRESH: "hard"}},
    ],
)
def test_what_is_of_one_side_does_not_count(change: dict[str, Any]) -> None:
    ours, theirs = digests(an_application(**change), held())

    assert ours == theirs


def test_what_the_hub_refuses_has_a_digest_that_no_copy_has() -> None:
    refused = an_application().with_fields({"spec": b"null"})

    ours, theirs = digests(refused, refused)

    assert ours != theirs
