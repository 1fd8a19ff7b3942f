"""What a managed agent does about what its principal sends."""

import pytest

from argocd_agent.errors import EventDiscarded, EventRefused
from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import (
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_MISMATCH_POLICY,
    ANNOTATION_NEXT_OPERATION,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    CONDITION_REFUSED,
)
from argocd_agent.resources import copies
from argocd_agent.resources.objects import Object
from argocd_agent.resources.plan import (
    Action,
    Create,
    Delete,
    Incoming,
    Nothing,
    Replace,
    ReportGone,
    ReportNotAdopted,
    Update,
    for_mirror,
)
from argocd_agent.resources.policy import Adoption, Mismatch, Policies
from tests.support.objects import a_mirror, an_application

HUB = {"name": "agent-1", "server": "https://proxy?agentName=agent-1", "namespace": "default"}


def from_hub(**more: object) -> Object:
    return an_application(namespace="agent-1", destination=dict(HUB), **more)  # type: ignore[arg-type] # a builder's


def planned(kind: str, incoming: Object, held: Object | None, **policies: object) -> Action:
    settings = Policies(**policies)  # type: ignore[arg-type] # a test's own words
    return for_mirror(copies.APPLICATIONS, Incoming(kind, incoming, "hub-1"), held, "argocd", settings)


@pytest.mark.feature("A-32")
@pytest.mark.parametrize("kind", [EventType.CREATE, EventType.SPEC_UPDATE])
def test_what_is_absent_is_created_for_the_cluster_itself(kind: str) -> None:
    incoming = from_hub(
        annotations={ANNOTATION_LAST_APPLIED: "{}", "team": "a"}, labels={"x": "y"}, finalizers=("f/g",)
    )

    action = planned(kind, incoming, None)

    assert isinstance(action, Create)
    created = action.object
    assert created.look("spec")["destination"] == {"name": "in-cluster", "namespace": "default"}
    assert created.annotations == {"team": "a", ANNOTATION_SOURCE_UID: "uid-1", ANNOTATION_PRINCIPAL_UID: "hub-1"}
    assert (created.namespace, created.uid, created.version) == ("argocd", "", "")
    assert (created.labels, created.metadata.finalizers) == ({"x": "y"}, ("f/g",))


def test_an_update_that_changes_nothing_is_nothing() -> None:
    assert isinstance(planned(EventType.SPEC_UPDATE, from_hub(), a_mirror()), Nothing)


@pytest.mark.feature("A-33")
def test_an_update_replaces_what_is_specified_and_leaves_status_and_refresh() -> None:
    held = a_mirror(
        status={"sync": {"status": "Synced"}}, labels={"old": "1"}, annotations={ANNOTATION_REFRESH: "hard", "old": "1"}
    )

    action = planned(EventType.SPEC_UPDATE, from_hub(path="other", labels={"new": "1"}), held)

    assert isinstance(action, Update)
    assert action.object.look("spec")["source"]["path"] == "other"
    assert action.object.labels == {"new": "1"}
    assert action.object.annotations[ANNOTATION_REFRESH] == "hard"
    assert "old" not in action.object.annotations
    assert action.object.fields["status"] == held.fields["status"]
    assert (action.object.uid, action.object.version) == (held.uid, held.version)


def test_a_refresh_asked_for_on_the_hub_arrives() -> None:
    action = planned(EventType.SPEC_UPDATE, from_hub(annotations={ANNOTATION_REFRESH: "normal"}), a_mirror())

    assert isinstance(action, Update)
    assert action.object.annotations[ANNOTATION_REFRESH] == "normal"


@pytest.mark.feature("A-45", "A-104")
def test_another_principal_takes_over_in_place() -> None:
    action = planned(EventType.SPEC_UPDATE, from_hub(uid="uid-9"), a_mirror(principal="hub-0"))

    assert isinstance(action, Update)
    assert action.object.annotations[ANNOTATION_SOURCE_UID] == "uid-9"
    assert action.object.annotations[ANNOTATION_PRINCIPAL_UID] == "hub-1"
    assert action.object.uid == "local-1"


@pytest.mark.feature("A-42")
def test_a_source_made_anew_replaces_its_mirror() -> None:
    held = a_mirror()

    action = planned(EventType.CREATE, from_hub(uid="uid-2"), held)

    assert isinstance(action, Replace)
    assert action.old is held
    assert action.new.annotations[ANNOTATION_SOURCE_UID] == "uid-2"


@pytest.mark.feature("A-42", "A-43")
@pytest.mark.parametrize(
    ("annotations", "setting"),
    [({ANNOTATION_MISMATCH_POLICY: "upsert"}, Mismatch.RECREATE), (None, Mismatch.UPSERT)],
)
def test_a_source_made_anew_is_taken_over_where_the_policy_says_so(
    annotations: dict[str, str] | None, setting: Mismatch
) -> None:
    action = planned(EventType.CREATE, from_hub(uid="uid-2", annotations=annotations), a_mirror(), mismatch=setting)

    assert isinstance(action, Update)
    assert action.object.annotations[ANNOTATION_SOURCE_UID] == "uid-2"


@pytest.mark.feature("A-43")
def test_a_bad_policy_annotation_falls_back_to_the_setting() -> None:
    incoming = from_hub(uid="uid-2", annotations={ANNOTATION_MISMATCH_POLICY: "whatever"})

    assert isinstance(planned(EventType.CREATE, incoming, a_mirror()), Replace)


@pytest.mark.feature("A-44")
def test_what_was_there_before_is_adopted_by_a_create() -> None:
    action = planned(EventType.CREATE, from_hub(), an_application(uid="local-1"))

    assert isinstance(action, Update)
    assert action.object.annotations[ANNOTATION_SOURCE_UID] == "uid-1"


def test_what_was_there_before_is_not_touched_by_an_update() -> None:
    with pytest.raises(EventRefused, match='"argocd/guestbook" is not ours'):
        planned(EventType.SPEC_UPDATE, from_hub(), an_application(uid="local-1"))


@pytest.mark.feature("A-44")
@pytest.mark.parametrize(
    ("annotations", "setting"),
    [({ANNOTATION_ADOPTION_POLICY: "never"}, Adoption.ALWAYS), (None, Adoption.NEVER)],
)
def test_what_may_not_be_adopted_is_reported(annotations: dict[str, str] | None, setting: Adoption) -> None:
    held = an_application(uid="local-1", annotations=annotations)

    action = planned(EventType.CREATE, from_hub(), held, adoption=setting)

    assert isinstance(action, ReportNotAdopted)
    assert "guestbook" in action.message


def test_a_source_that_is_being_deleted_takes_its_mirror_with_it() -> None:
    finalizers = ("resources-finalizer.argocd.argoproj.io",)

    action = planned(
        EventType.SPEC_UPDATE, from_hub(finalizers=finalizers, deleting=True), a_mirror(finalizers=finalizers)
    )

    assert action == Delete(a_mirror(finalizers=finalizers), foreground=True)


def test_finalizers_arrive_before_the_mirror_of_a_dying_source_is_deleted() -> None:
    action = planned(EventType.SPEC_UPDATE, from_hub(finalizers=("f/g",), deleting=True), a_mirror())

    assert isinstance(action, Update)
    assert action.then_delete
    assert action.object.metadata.finalizers == ("f/g",)


def test_a_dying_mirror_gets_no_new_finalizer_and_may_lose_one() -> None:
    held = a_mirror(finalizers=("a/b", "c/d"), deleting=True)

    action = planned(EventType.SPEC_UPDATE, from_hub(finalizers=("c/d", "e/f"), deleting=True), held)

    assert isinstance(action, Update)
    assert action.object.metadata.finalizers == ("c/d",)


def test_finalizers_of_a_garbage_collector_stay_on_their_cluster() -> None:
    action = planned(EventType.CREATE, from_hub(finalizers=("foregroundDeletion", "f/g")), None)

    assert isinstance(action, Create)
    assert action.object.metadata.finalizers == ("f/g",)


def test_nothing_is_created_for_a_source_that_is_being_deleted() -> None:
    assert planned(EventType.SPEC_UPDATE, from_hub(deleting=True), None) == ReportGone()


@pytest.mark.feature("A-48")
def test_an_operation_is_set_and_nothing_else() -> None:
    action = planned(EventType.SET_OPERATION, from_hub(path="other", operation={"sync": {}}), a_mirror())

    assert isinstance(action, Update)
    assert action.object == a_mirror(operation={"sync": {}})


@pytest.mark.feature("A-48")
@pytest.mark.parametrize("held", [None, a_mirror(source="uid-2")])
def test_an_operation_for_another_application_is_refused(held: Object | None) -> None:
    with pytest.raises(EventRefused, match="guestbook"):
        planned(EventType.SET_OPERATION, from_hub(operation={"sync": {}}), held)


@pytest.mark.feature("A-48")
def test_no_operation_is_set_while_one_is_being_terminated() -> None:
    held = a_mirror(status={"operationState": {"phase": "Terminating"}})

    assert isinstance(planned(EventType.SET_OPERATION, from_hub(operation={"sync": {}}), held), Nothing)
    assert isinstance(planned(EventType.SPEC_UPDATE, from_hub(operation={"sync": {}}), held), Nothing)


def test_an_operation_waits_for_another_one_to_finish() -> None:
    held = a_mirror(operation={"sync": {"prune": True}})

    action = planned(EventType.SET_OPERATION, from_hub(operation={"sync": {}}), held)

    assert isinstance(action, Update)
    assert action.object.look("operation") == {"sync": {"prune": True}}
    assert action.object.annotations[ANNOTATION_NEXT_OPERATION] == '{"sync":{}}'


def test_an_operation_that_is_there_is_not_set_again() -> None:
    held = a_mirror(operation={"sync": {}})

    assert isinstance(planned(EventType.SET_OPERATION, from_hub(operation={"sync": {}}), held), Nothing)


@pytest.mark.feature("A-49")
def test_terminating_changes_the_phase_and_nothing_else() -> None:
    held = a_mirror(status={"operationState": {"phase": "Running", "message": "m"}, "sync": {"status": "OutOfSync"}})

    action = planned(EventType.TERMINATE_OPERATION, from_hub(), held)

    assert isinstance(action, Update)
    wanted = {"operationState": {"phase": "Terminating", "message": "m"}, "sync": {"status": "OutOfSync"}}
    assert action.object.look("status") == wanted


@pytest.mark.feature("A-49")
def test_terminating_without_an_operation_is_refused() -> None:
    with pytest.raises(EventRefused, match="no operation"):
        planned(EventType.TERMINATE_OPERATION, from_hub(), a_mirror())


def test_a_deletion_deletes_the_mirror() -> None:
    assert planned(EventType.DELETE, from_hub(), a_mirror()) == Delete(a_mirror())


@pytest.mark.parametrize("held", [a_mirror(source="uid-2"), an_application(uid="local-1")])
def test_a_deletion_of_another_object_is_refused(held: Object) -> None:
    with pytest.raises(EventRefused, match="deletion of Application"):
        planned(EventType.DELETE, from_hub(), held)


def test_a_deletion_by_another_principal_is_refused() -> None:
    with pytest.raises(EventRefused, match="by principal hub-1, but it is principal hub-0's"):
        planned(EventType.DELETE, from_hub(), a_mirror(principal="hub-0"))


@pytest.mark.parametrize("held", [None, a_mirror(deleting=True)])
def test_a_deletion_of_what_is_gone_or_going_is_nothing(held: Object | None) -> None:
    assert isinstance(planned(EventType.DELETE, from_hub(), held), Nothing)


def test_what_no_principal_sends_is_discarded() -> None:
    with pytest.raises(EventDiscarded, match="status-update"):
        planned(EventType.STATUS_UPDATE, from_hub(), a_mirror())


def test_what_the_hub_says_in_a_status_by_itself_is_not_copied() -> None:
    own = [{"type": kind, "message": "m"} for kind in (CONDITION_REFUSED, CONDITION_AGENT_ERROR)]
    other = {"type": "SyncError", "message": "m"}
    status = {"conditions": [*own, other], "health": {"status": "Degraded"}, "history": [{"id": 1}]}

    action = planned(EventType.CREATE, from_hub(status=status), None)

    assert isinstance(action, Create)
    assert action.object.look("status") == {"conditions": [other], "history": [{"id": 1}]}


def test_the_hub_cannot_name_what_an_application_of_the_spoke_owns() -> None:
    resources = [{"version": "v1", "kind": "Secret", "namespace": "kube-system", "name": "admin"}]
    incoming = from_hub(status={"sync": {"status": "Synced"}, "resources": resources})

    action = planned(EventType.CREATE, incoming, None)

    assert isinstance(action, Create)
    assert action.object.look("status") == {"sync": {"status": "Synced"}}
