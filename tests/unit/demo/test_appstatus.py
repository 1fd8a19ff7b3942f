from argocd_agent.demo.appstatus import (
    Result,
    compared_status,
    failed_status,
    finished_operation,
    last_attempt,
    settle,
    started_operation,
    with_history,
)
from argocd_agent.demo.git import Commit
from argocd_agent.demo.merge import Fields, Json, fields_at
from argocd_agent.demo.model import ResourceKey
from argocd_agent.resources.kinds import CONFIGMAPS
from tests.unit.demo.builders import SHA, a_config_map, a_deployment, an_application, states

COMMIT = Commit(SHA, "someone <s@example.com>", "a change")
T1, T2 = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"
SYNC: Fields = {"sync": {"revision": SHA}, "initiatedBy": {"username": "admin"}}


def compared(app_status: Fields | None = None, now: str = T1) -> dict[str, Json]:
    found = states([a_config_map(), a_deployment()], [a_config_map()])
    return compared_status(an_application(app_status), found, "Directory", COMMIT, now)


def finished(phase: str = "Succeeded") -> Fields:
    app = an_application(operation=SYNC)
    result = Result(ResourceKey(CONFIGMAPS, "shop", "settings"), "Synced", "configmap/settings created")
    return finished_operation(started_operation(app, T1), phase, "told", [result], app, COMMIT, T2)


def test_a_comparison_says_what_is_where_and_why() -> None:
    status = compared()

    assert status["sync"] == {
        "status": "OutOfSync",
        "revision": SHA,
        "comparedTo": {
            "source": {"repoURL": "https://example.com/repo.git", "path": "app", "targetRevision": "main"},
            "destination": {"name": "in-cluster", "namespace": "shop"},
        },
    }
    assert status["health"] == {"status": "Missing", "lastTransitionTime": T1}
    assert status["resources"] == [
        {"version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "settings", "status": "Synced"},
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
            "status": "OutOfSync",
            "health": {"status": "Missing"},
        },
    ]


def test_images_of_live_workloads_stand_in_the_summary() -> None:
    found = states([a_deployment()], [a_deployment()])

    assert compared_status(an_application(), found, "Directory", COMMIT, T1)["summary"] == {"images": ["nginx:1"]}


def test_the_same_comparison_a_second_later_changes_nothing() -> None:
    first = settle(an_application(), compared(), False, T1)

    again = settle(an_application(first), compared(first, now=T2), False, T2)

    assert again == first


def test_a_refresh_that_was_asked_for_shows_its_time() -> None:
    first = settle(an_application(), compared(), False, T1)

    again = settle(an_application(first), compared(first, now=T2), True, T2)

    assert again == {**first, "reconciledAt": T2}


def test_a_failed_comparison_keeps_the_resources_and_says_why_until_it_works_again() -> None:
    first = compared()

    failed = failed_status(an_application(first), "no such path", T2)
    later = failed_status(an_application(failed), "no such path", "2026-01-02T04:00:00Z")
    healed = compared_status(an_application(failed), (), "Directory", COMMIT, T2)

    assert fields_at(failed, "sync")["status"] == "Unknown"
    assert failed["resources"] == first["resources"]
    assert failed["conditions"] == [{"type": "ComparisonError", "message": "no such path", "lastTransitionTime": T2}]
    assert later["conditions"] == failed["conditions"]
    assert "conditions" not in healed


def test_conditions_of_others_are_left_alone() -> None:
    theirs: Fields = {"conditions": [{"type": "OrphanedResourceWarning", "message": "x"}]}

    assert compared(theirs)["conditions"] == theirs["conditions"]


def test_a_successful_operation_enters_the_history_with_the_next_id() -> None:
    app = an_application({"history": [{"id": 4, "revision": "older"}]}, SYNC)

    status = with_history(app, {**app.status}, finished(), T2)

    assert status["history"] == [
        {"id": 4, "revision": "older"},
        {
            "id": 5,
            "revision": SHA,
            "source": {"repoURL": "https://example.com/repo.git", "path": "app", "targetRevision": "main"},
            "deployStartedAt": T1,
            "deployedAt": T2,
            "initiatedBy": {"username": "admin"},
        },
    ]


def test_a_failed_operation_does_not_enter_the_history() -> None:
    assert "history" not in with_history(an_application(operation=SYNC), {}, finished("Failed"), T2)


def test_the_history_is_bounded() -> None:
    held: list[Json] = [{"id": number} for number in range(10)]
    app = an_application({"history": held}, SYNC)

    history = with_history(app, {**app.status}, finished(), T2)["history"]

    assert isinstance(history, list)
    assert [fields_at(entry)["id"] for entry in history] == list(range(1, 11))


def test_an_attempt_counts_for_its_revision_and_source_only() -> None:
    app = an_application({"operationState": finished()})
    moved = an_application({"operationState": {**finished(), "syncResult": {"revision": SHA, "source": {}}}})
    failed = an_application({"operationState": finished("Failed")})

    assert last_attempt(app, SHA) == (True, True)
    assert last_attempt(app, "b" * 40)[0] is False
    assert last_attempt(moved, SHA)[0] is False
    assert last_attempt(failed, SHA) == (True, False)
    assert last_attempt(an_application(), SHA) == (False, False)
