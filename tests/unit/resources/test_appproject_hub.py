"""Projects of autonomous agents as the hub holds them."""

import pytest

from argocd_agent.errors import EventRefused
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID
from argocd_agent.resources.appproject import digest_parts_hub, hub_edition, hub_name, owner_of, source_name
from argocd_agent.resources.objects import Object, OwnerReference
from tests.support.objects import a_project

AGENT = AgentName("auto")
HUB = "argocd-hub"


def with_policy(line: object, *, role: object = "dev") -> Object:
    return a_project("mine", spec={"roles": [{"name": role, "policies": [line]}]})


def policy_on_hub(line: object, *, role: object = "dev") -> object:
    return hub_edition(with_policy(line, role=role), AGENT, HUB).look("spec")["roles"][0]["policies"][0]


def test_the_hub_holds_it_under_a_name_that_says_whose_it_is() -> None:
    project = a_project(
        "mine",
        spec={
            "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "x"}, {"name": "other"}],
            "sourceNamespaces": ["*"],
            "description": "d",
        },
        labels={"a": "b"},
        annotations={"c": "d"},
        finalizers=("e/f",),
    ).with_metadata(
        owner_references=(OwnerReference(name="parent"),),
        deletion_timestamp="2026-01-01T00:00:00Z",
        deletion_grace_period_seconds=0,
    )

    held = hub_edition(project, AGENT, HUB)

    assert held.metadata == project.metadata.__class__(
        name="auto-mine",
        namespace=HUB,
        uid="uid-1",
        resource_version="1",
        labels={"a": "b"},
        annotations={"c": "d"},
        finalizers=("e/f",),
    )
    assert held.look("spec") == {
        "destinations": [{"name": "auto", "server": "*", "namespace": "x"}, {"name": "auto", "server": "*"}],
        "sourceNamespaces": ["auto"],
        "description": "d",
    }


def test_a_name_of_253_characters_is_held_and_one_of_254_is_refused() -> None:
    assert len(hub_edition(a_project("p" * 248), AGENT, HUB).name) == 253

    with pytest.raises(EventRefused, match=r"expected a name of at most 253 characters on the hub, found 254"):
        hub_edition(a_project("p" * 249), AGENT, HUB)


@pytest.mark.parametrize("spec", [b"null", b"[]", b'"x"', b"{", b"\xff", b'{"x":1e999}'])
def test_a_spec_that_is_no_json_object_is_refused(spec: bytes) -> None:
    with pytest.raises(EventRefused, match=r"project mine of agent auto: .*"):
        hub_edition(a_project("mine").with_fields({"spec": spec}), AGENT, HUB)


# The table of policies, row by row.


@pytest.mark.parametrize(
    "line",
    [
        "",
        "p, proj:mine:dev, applications, get, mine/*",
        "p, proj:mine:dev, applications, get, mine/*, allow, more",
        "g, proj:mine:dev, applications, get, mine/*, allow",
        "P, proj:mine:dev, applications, get, mine/*, allow",
        "p, proj:mine:dev, clusters, get, mine/*, allow",
        "p, proj:mine:dev, repositories, get, mine/*, allow",
        "p, role:admin, applications, get, mine/*, allow",
        "p, mine:dev, applications, get, mine/*, allow",
    ],
)
def test_a_line_that_is_not_a_policy_of_a_project_on_applications_stays(line: str) -> None:
    assert policy_on_hub(line) == line


@pytest.mark.parametrize("resource", ["applications", "applicationsets", "logs", "exec"])
def test_a_policy_of_the_role_gets_the_name_on_the_hub_and_the_agents_namespace(resource: str) -> None:
    line = f"p, proj:mine:dev, {resource}, get, mine/guest*, deny"

    assert policy_on_hub(line) == f"p, proj:auto-mine:dev, {resource}, get, auto-mine/auto/guest*, deny"


@pytest.mark.parametrize(
    "subject", ["proj:other:dev", "proj:mine:ops", "proj:mine", "proj:mine:dev:x", "proj:miner:dev"]
)
def test_a_policy_of_another_project_or_role_stays(subject: str) -> None:
    line = f"p, {subject}, applications, get, mine/*, allow"

    assert policy_on_hub(line) == line


def test_the_object_gets_one_leading_blank_and_everything_else_keeps_its_blanks() -> None:
    assert (
        policy_on_hub("p,  proj:mine:dev ,applications,get,mine/*,allow")
        == "p,  proj:auto-mine:dev ,applications,get, auto-mine/auto/*,allow"
    )
    assert (
        policy_on_hub(" p , proj:mine:dev, applications ,*,   mine/*  , allow ")
        == " p , proj:auto-mine:dev, applications ,*, auto-mine/auto/*, allow "
    )


def test_a_policy_on_an_object_of_another_project_stays_whole() -> None:
    line = "p, proj:mine:dev, applications, get, other/*, allow"

    assert policy_on_hub(line) == line


@pytest.mark.parametrize("target", ["*", "mine", "", "mine/ns/app", "other/ns/app"])
def test_an_object_that_has_not_two_parts_stays_and_the_subject_is_translated(target: str) -> None:
    assert (
        policy_on_hub(f"p, proj:mine:dev, applications, get, {target}, allow")
        == f"p, proj:auto-mine:dev, applications, get, {target}, allow"
    )


@pytest.mark.parametrize(("line", "role"), [(1, "dev"), (None, "dev"), ({"p": 1}, "dev"), ("p", 1), ("p", None)])
def test_what_is_no_policy_stays(line: object, role: object) -> None:
    assert policy_on_hub(line, role=role) == line


@pytest.mark.parametrize("field", ["roles", "destinations"])
@pytest.mark.parametrize("value", [None, 1, "x", {}, [1, None, "x"], []])
def test_a_field_of_another_shape_is_left_to_the_api_server(field: str, value: object) -> None:
    held = hub_edition(a_project("mine", spec={field: value}), AGENT, HUB)

    assert held.look("spec") == {field: value, "sourceNamespaces": ["auto"]}


def test_the_source_has_its_name_back_if_the_hub_gave_it_one() -> None:
    assert source_name(hub_name("mine", AGENT), AGENT) == "mine"
    assert source_name("auto-", AGENT) == "auto-"
    assert source_name("auto", AGENT) == "auto"
    assert source_name("other-mine", AGENT) == "other-mine"


def owner(project: Object) -> AgentName | None:
    return owner_of(project, lambda agent: agent == AGENT)


def test_a_copy_on_the_hub_is_its_autonomous_agents() -> None:
    held = hub_edition(a_project("mine", annotations={ANNOTATION_SOURCE_UID: "u"}), AGENT, HUB)

    assert owner(held) == AGENT


@pytest.mark.parametrize(
    ("name", "uid", "spec"),
    [
        ("auto-mine", "", {"sourceNamespaces": ["auto"]}),
        ("mine", "u", {"sourceNamespaces": ["auto"]}),
        ("auto-", "u", {"sourceNamespaces": ["auto"]}),
        ("managed-mine", "u", {"sourceNamespaces": ["managed"]}),
        ("auto-mine", "u", {"sourceNamespaces": ["other", "auto"]}),
        ("auto-mine", "u", {"sourceNamespaces": "auto"}),
        ("auto-mine", "u", {"sourceNamespaces": [1]}),
        ("-mine", "u", {"sourceNamespaces": [""]}),
        ("auto-mine", "u", {"sourceNamespaces": []}),
        ("auto-mine", "u", {}),
    ],
)
def test_any_other_project_is_the_hubs_own(name: str, uid: str, spec: dict[str, object]) -> None:
    project = a_project(name, annotations={ANNOTATION_SOURCE_UID: uid}, spec=spec)

    assert owner(project) is None


def test_a_project_that_cannot_be_read_is_the_hubs_own() -> None:
    project = a_project("auto-mine", annotations={ANNOTATION_SOURCE_UID: "u"}).with_fields({"spec": b"{"})

    assert owner(project) is None
    assert owner(project.with_fields({"spec": None})) is None


def test_the_agent_and_the_hub_have_one_digest_of_it() -> None:
    project = a_project("mine", labels={"a": "b"}, annotations={"c": "d"}, finalizers=("e/f",))
    stored = hub_edition(project, AGENT, HUB).with_metadata(finalizers=None, uid="on-hub")
    stored = stored.with_annotations({ANNOTATION_SOURCE_UID: "uid-1"})

    assert digest_parts_hub(project, AGENT, HUB, is_source=True) == digest_parts_hub(
        stored, AGENT, HUB, is_source=False
    )


def test_what_the_hub_refuses_has_a_digest_that_no_copy_has() -> None:
    refused = a_project("mine").with_fields({"spec": b"null"})

    parts = digest_parts_hub(refused, AGENT, HUB, is_source=True)

    assert parts != digest_parts_hub(refused, AGENT, HUB, is_source=False)
