import pytest

from argocd_agent.codec import encode
from argocd_agent.demo.comparison import app_health, compare, plain, sync_status, wants_sync
from argocd_agent.demo.health import Health
from argocd_agent.demo.merge import Fields
from argocd_agent.demo.model import Automated
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import decode_object
from tests.unit.demo.builders import a_config_map, a_deployment, live, manifests, states

HEAL = Automated(prune=True, self_heal=True)


def test_what_was_applied_and_not_touched_is_synced() -> None:
    found = states([a_config_map(a="1"), a_deployment()], [a_config_map(a="1"), a_deployment()])

    assert sync_status(found) == "Synced"


def test_what_is_not_there_is_missing_and_out_of_sync() -> None:
    (state,) = states([a_config_map()], [])

    assert not state.is_synced
    assert app_health([state]) is Health.MISSING


def test_a_changed_field_is_out_of_sync_with_the_patch_that_puts_it_right() -> None:
    (state,) = states([a_config_map(a="1")], [a_config_map(a="2")])

    assert sync_status([state]) == "OutOfSync"
    assert state.patch["data"] == {"a": "1"}


def test_an_object_that_the_repository_no_longer_has_requires_pruning_and_does_not_count_for_health() -> None:
    found = states([a_config_map("kept")], [a_config_map("kept"), a_deployment("dropped")])

    assert [(state.key.name, state.requires_pruning) for state in found] == [("kept", False), ("dropped", True)]
    assert sync_status(found) == "OutOfSync"
    assert app_health(found) is Health.HEALTHY


def test_objects_of_other_applications_are_not_looked_at() -> None:
    others = live(a_config_map("theirs"), application="another")

    assert compare("guestbook", manifests(a_config_map("mine")), others) == compare(
        "guestbook", manifests(a_config_map("mine")), {}
    )


def test_states_stand_in_the_order_of_applying() -> None:
    namespace: Fields = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}

    found = states([a_deployment("a"), a_config_map("z"), a_config_map("b"), namespace], [])

    assert [state.key.path for state in found] == [
        "namespace/shop",
        "configmap/b",
        "configmap/z",
        "deployment.apps/a",
    ]


def test_a_spoilt_note_of_what_was_applied_counts_as_none() -> None:
    (manifest,) = manifests(a_config_map(a="1"))
    spoilt = {"kubectl.kubernetes.io/last-applied-configuration": "{"}
    ((key, obj),) = live(a_config_map(a="1")).items()

    (state,) = compare("guestbook", [manifest], {key: obj.with_annotations(spoilt)})

    assert state.is_synced


def test_a_live_object_is_seen_with_its_kind() -> None:
    obj = decode_object(encode({"metadata": {"name": "x"}, "data": {"a": "1"}}))

    assert plain(obj, CONFIGMAPS) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x"},
        "data": {"a": "1"},
    }


@pytest.mark.parametrize(
    ("policy", "attempted", "succeeded", "expected"),
    [
        (None, False, False, False),
        (Automated(enabled=False), False, False, False),
        (Automated(), False, False, True),
        (Automated(), True, True, False),
        (HEAL, True, True, True),
        (HEAL, True, False, False),
    ],
)
def test_one_revision_is_synced_once_and_again_only_to_heal(
    policy: Automated | None, attempted: bool, succeeded: bool, expected: bool
) -> None:
    drifted = states([a_config_map(a="1")], [a_config_map(a="2")])

    assert wants_sync(policy, drifted, attempted, succeeded) is expected


def test_nothing_is_synced_when_all_is_in_line() -> None:
    assert not wants_sync(HEAL, states([a_config_map()], [a_config_map()]), False, False)


def test_without_pruning_nothing_is_done_for_what_only_waits_to_be_pruned() -> None:
    found = states([a_config_map("kept")], [a_config_map("kept"), a_config_map("dropped")])

    assert not wants_sync(Automated(prune=False), found, False, False)
    assert wants_sync(Automated(prune=True), found, False, False)


def test_an_empty_repository_does_not_prune_everything_unless_that_is_allowed() -> None:
    found = states([], [a_config_map()])

    assert not wants_sync(Automated(prune=True), found, False, False)
    assert wants_sync(Automated(prune=True, allow_empty=True), found, False, False)
