from argocd_agent.codec import decode_any
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.appproject import agent_edition, agents_of
from bench.appprojects import appproject, names, project_patch


def test_a_project_is_for_every_agent_that_its_glob_matches() -> None:
    agents = [AgentName(name) for name in ("fleet-000", "fleet-019", "bench")]

    found = agents_of(appproject("argocd", "team-1", "fleet-*", "v1"), agents, by_destination=False)

    assert found == agents[:2]


def test_every_edition_shows_the_marker_of_an_edit() -> None:
    patch = decode_any(project_patch("v2"), "patch")

    edited = appproject("argocd", "team-1", "fleet-*", patch["spec"]["description"])

    assert b"v2" in agent_edition(edited, AgentName("fleet-000"), by_destination=False).fields["spec"]


def test_no_two_projects_have_one_name() -> None:
    assert len(set(names(500))) == 500
