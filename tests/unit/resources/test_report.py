"""What is seen on an object that a peer could not apply, or whose deletion is held."""

from argocd_agent.codec import decode_any
from argocd_agent.protocol.names import ANNOTATION_REFUSED, CONDITION_DELETION_HELD, CONDITION_REFUSED
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.resources.report import (
    MAX_MESSAGE,
    MAX_REPORTERS,
    THE_PRINCIPAL,
    refusal_sentence,
    with_deletion_held,
    with_refusal,
)
from tests.support.objects import an_application

COMPARISON = {"type": "ComparisonError", "message": "m"}


def a_project(refused: str | None = None) -> Object:
    return Object(Metadata(name="p", annotations=None if refused is None else {ANNOTATION_REFUSED: refused}), {})


def test_a_refused_application_gets_one_condition_beside_those_of_others() -> None:
    app = an_application(status={"conditions": [COMPARISON], "health": {"status": "Healthy"}})

    once = with_refusal(app, "Application", "agent-1", "too odd")
    assert once is not None
    again = with_refusal(once, "Application", "agent-1", "odder still")
    assert again is not None

    assert again.look("status") == {
        "health": {"status": "Healthy"},
        "conditions": [
            COMPARISON,
            {"type": CONDITION_REFUSED, "message": "Agent agent-1 cannot apply this Application: odder still"},
        ],
    }


def test_what_an_object_says_already_is_no_change() -> None:
    app = with_refusal(an_application(), "Application", "agent-1", "odd")
    project = with_refusal(a_project(), "AppProject", "agent-1", "odd")
    assert app is not None
    assert project is not None

    assert with_refusal(app, "Application", "agent-1", "odd") is None
    assert with_refusal(project, "AppProject", "agent-1", "odd") is None
    assert with_refusal(an_application(), "Application", "agent-1", "") is None
    assert with_refusal(an_application(status={"conditions": "odd"}), "Application", "agent-1", "") is None
    assert with_refusal(a_project(), "AppProject", "agent-1", "") is None
    assert with_deletion_held(an_application(), "") is None


def test_healed_leaves_no_trace() -> None:
    app = an_application(status={"conditions": [COMPARISON]})
    refused = with_refusal(app, "Application", "agent-1", "odd")
    assert refused is not None

    healed = with_refusal(refused, "Application", "agent-1", "")

    assert healed is not None
    assert healed.look("status") == app.look("status")


def test_a_held_deletion_is_a_condition_of_its_own() -> None:
    refused = with_refusal(an_application(), "Application", "agent-1", "odd")
    assert refused is not None

    held = with_deletion_held(refused, "held")
    assert held is not None
    assert [one["type"] for one in held.look("status")["conditions"]] == [CONDITION_REFUSED, CONDITION_DELETION_HELD]

    released = with_deletion_held(held, "")
    assert released is not None
    assert released.look("status") == refused.look("status")


def test_several_agents_refuse_one_project_and_heal_one_by_one() -> None:
    one = with_refusal(a_project(), "AppProject", "agent-2", "b")
    assert one is not None
    two = with_refusal(one, "AppProject", "agent-1", "a")
    assert two is not None
    assert two.annotations[ANNOTATION_REFUSED] == '{"agent-1":"a","agent-2":"b"}'

    left = with_refusal(two, "AppProject", "agent-2", "")
    assert left is not None
    assert left.annotations[ANNOTATION_REFUSED] == '{"agent-1":"a"}'
    none = with_refusal(left, "AppProject", "agent-1", "")

    assert none is not None
    assert none.annotations == {}


def test_what_is_no_report_is_written_over() -> None:
    refused = with_refusal(a_project("[1]"), "AppProject", "agent-1", "a")

    assert refused is not None
    assert refused.annotations[ANNOTATION_REFUSED] == '{"agent-1":"a"}'


def test_an_annotation_has_room_for_so_many_reporters_and_no_more() -> None:
    project: Object | None = a_project()
    for number in range(MAX_REPORTERS):
        assert project is not None
        project = with_refusal(project, "AppProject", f"agent-{number}", "x" * 2 * MAX_MESSAGE)
    assert project is not None

    assert with_refusal(project, "AppProject", "one-more", "a") is None
    changed = with_refusal(project, "AppProject", "agent-3", "a")

    texts = decode_any(project.annotations[ANNOTATION_REFUSED])
    assert {len(text) for text in texts.values()} == {MAX_MESSAGE}
    assert changed is not None
    assert decode_any(changed.annotations[ANNOTATION_REFUSED])["agent-3"] == "a"


def test_the_sentence_names_who_cannot_apply_what() -> None:
    assert refusal_sentence("AppProject", "a", "odd") == "Agent a cannot apply this AppProject: odd"
    assert refusal_sentence("Application", THE_PRINCIPAL, "odd") == "The principal cannot apply this Application: odd"
