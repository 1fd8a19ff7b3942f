"""Which managed agents a project of the hub is for, and what they get of it."""

from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_REFUSED,
    ANNOTATION_SOURCE_UID,
    DESTINATION_IN_CLUSTER,
    DESTINATION_IN_CLUSTER_SERVER,
)
from argocd_agent.resources.appproject import agent_edition, digest_parts_agent_edition, is_for_agent
from argocd_agent.resources.objects import Object
from tests.support.objects import a_project

AGENT = AgentName("agent-1")
HERE = {"name": DESTINATION_IN_CLUSTER, "server": DESTINATION_IN_CLUSTER_SERVER}
TO_ALL: dict[str, Any] = {"destinations": [{"name": "*", "namespace": "*"}], "sourceNamespaces": ["*"]}


def with_destinations(*destinations: object) -> Object:
    return a_project(spec={"destinations": list(destinations), "sourceNamespaces": ["*"]})


@pytest.mark.feature("P-71", "C-24")
@pytest.mark.parametrize(
    "destination",
    [
        {"name": "agent-1"},
        {"name": "agent-*"},
        {"name": "{agent,other}-[0-9]", "server": "https://elsewhere"},
        {"server": "*"},
        {"name": "", "server": "*"},
        {"name": None, "server": "*"},
        {"server": "https://proxy?agentName=agent-1"},
        {"server": "https://proxy:9090/path?a=b&agentName=agent-%2A&agentName=other"},
    ],
)
def test_a_destination_names_the_agent(destination: object) -> None:
    assert is_for_agent(with_destinations({"name": "other"}, destination), AGENT, by_destination=False)


@pytest.mark.feature("P-71", "C-24")
@pytest.mark.parametrize(
    "destination",
    [
        {"name": "agent-2"},
        {"name": "/agent-1/"},  # destinations know globs alone
        {"name": "agent"},
        {"name": "!agent-2"},  # denies another, names nobody
        {"name": "other", "server": "*"},
        {"name": "other", "server": "https://proxy?agentName=agent-1"},
        {"server": "https://proxy"},
        {"server": "https://proxy?agentName="},
        {"server": "https://proxy?agentName=other&agentName=agent-1"},
        {"server": "https://[proxy?agentName=agent-1"},
        {"server": "https://proxy#agentName=agent-1"},
        {"name": "[agent"},
        {"name": 1, "server": "*"},
        {"server": ["*"]},
        {},
        "agent-1",
        None,
    ],
)
def test_a_destination_does_not_name_the_agent(destination: object) -> None:
    assert not is_for_agent(with_destinations(destination), AGENT, by_destination=False)


@pytest.mark.feature("P-71", "C-24")
@pytest.mark.parametrize("by_destination", [True, False])
@pytest.mark.parametrize(("first", "second"), [("*", "!agent-*"), ("!agent-*", "*")])
def test_a_denied_agent_is_denied_wherever_the_denial_stands(first: str, second: str, by_destination: bool) -> None:
    project = with_destinations({"name": first}, {"name": second})

    assert not is_for_agent(project, AGENT, by_destination=by_destination)
    assert is_for_agent(project, AgentName("other"), by_destination=by_destination)


def test_a_denial_that_is_no_pattern_denies_nobody() -> None:
    assert is_for_agent(with_destinations({"name": "*"}, {"name": "![agent"}), AGENT, by_destination=True)


@pytest.mark.feature("P-71", "C-24")
@pytest.mark.parametrize(
    ("namespaces", "matches"),
    [
        (["other", "agent-1"], True),
        (["agent-*"], True),
        (["/gent-[0-9]/"], True),
        (["[bad", "/(/", "agent-?"], True),
        (["/^gent/"], False),
        (["other"], False),
        ([1, None, ["agent-1"]], False),
        ([], False),
        ("agent-1", False),
        (None, False),
    ],
)
def test_source_namespaces_name_the_agent_too_unless_destinations_alone_do(namespaces: object, matches: bool) -> None:
    project = a_project(spec={"destinations": [{"name": "agent-1"}], "sourceNamespaces": namespaces})

    assert is_for_agent(project, AGENT, by_destination=False) is matches
    assert is_for_agent(project, AGENT, by_destination=True)


@pytest.mark.parametrize("spec", [b"null", b"[]", b'"x"', b"1", b"{", b"\xff", b'{"destinations":{}}', b"1e999"])
def test_a_project_that_cannot_be_read_is_for_nobody(spec: bytes) -> None:
    project = a_project().with_fields({"spec": spec})

    assert not is_for_agent(project, AGENT, by_destination=True)
    assert not is_for_agent(project.with_fields({"spec": None}), AGENT, by_destination=True)


def test_an_agent_gets_its_own_destinations_as_its_argo_cd_calls_them() -> None:
    project = with_destinations(
        {"name": "agent-*", "server": "https://proxy?agentName=agent-1", "namespace": "a"},
        {"name": "other", "namespace": "b"},
        {"name": "!other"},
        {"server": "*", "namespace": "c"},
        {"server": "*"},
        "agent-1",
    )

    edition = agent_edition(project, AGENT, by_destination=False)

    assert edition.look("spec")["destinations"] == [{"namespace": "a", **HERE}, {"namespace": "c", **HERE}, HERE]


@pytest.mark.parametrize("by_destination", [True, False])
def test_an_agent_gets_no_roles_and_source_namespaces_only_where_they_mean_something(by_destination: bool) -> None:
    project = a_project(spec={**TO_ALL, "roles": [{"name": "dev"}], "sourceRepos": ["*"], "description": "d"})

    spec = agent_edition(project, AGENT, by_destination=by_destination).look("spec")

    kept = {"sourceNamespaces": ["*"]} if by_destination else {}
    assert spec == {"destinations": [{"namespace": "*", **HERE}], "sourceRepos": ["*"], "description": "d", **kept}


def test_the_edition_keeps_metadata_and_everything_beside_the_spec() -> None:
    project = a_project(labels={"a": "b"}, annotations={"c": "d"}, finalizers=("e/f",), version="7", spec=TO_ALL)

    edition = agent_edition(project.with_fields({"status": b"{}"}), AGENT, by_destination=False)

    assert edition.metadata == project.metadata
    assert edition.fields["status"] == b"{}"


def test_equal_editions_have_equal_bytes() -> None:
    one = a_project().with_fields({"spec": b'{"destinations":[{"server":"*","name":""}], "x": 1.0, "a":"<"}'})
    other = a_project().with_fields({"spec": b'{"a":"\\u003c","x":1,"destinations":[{"name":"agent-1"}],"roles":[]}'})

    spec = agent_edition(one, AGENT, by_destination=False).fields["spec"]

    assert spec == agent_edition(other, AGENT, by_destination=False).fields["spec"]


def test_a_spec_without_a_canonical_form_is_named() -> None:
    with pytest.raises(DecodeError, match="spec"):
        agent_edition(a_project().with_fields({"spec": b'{"x":1e999}'}), AGENT, by_destination=False)


def test_the_digest_of_an_edition_is_that_of_the_copy_that_an_agent_stores() -> None:
    project = a_project(spec=TO_ALL, labels={"a": "b"}, annotations={"c": "d"}, finalizers=("e/f",))
    edition = agent_edition(project, AGENT, by_destination=False)
    own = {ANNOTATION_SOURCE_UID: "u", ANNOTATION_LAST_APPLIED: "{}", ANNOTATION_REFUSED: "why"}
    stored = edition.with_metadata(namespace="argocd", finalizers=None, uid="other").with_annotations(own)

    assert digest_parts_agent_edition(stored) == digest_parts_agent_edition(edition)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": {"a": "c"}},
        {"annotations": {"c": "e"}},
        {"spec": {**TO_ALL, "description": "d"}},
    ],
)
def test_what_a_user_can_change_counts_in_the_digest(change: dict[str, Any]) -> None:
    project: dict[str, Any] = {"spec": TO_ALL, "labels": {"a": "b"}, "annotations": {"c": "d"}}

    assert digest_parts_agent_edition(a_project(**project)) != digest_parts_agent_edition(
        a_project(**{**project, **change})
    )


def test_a_project_without_spec_has_the_digest_of_an_empty_one() -> None:
    assert digest_parts_agent_edition(a_project().with_fields({"spec": None})) == digest_parts_agent_edition(
        a_project().with_fields({"spec": encode({})})
    )
