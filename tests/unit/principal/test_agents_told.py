"""Whose the objects are is told once for all agents that are remembered: on a large hub each telling looks at all."""

from collections.abc import Collection

from argocd_agent.principal.agents import Agent, Agents
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode

FIRST, SECOND, THIRD = AgentName("a"), AgentName("b"), AgentName("c")


def nobody_comes(_: AgentName, __: Mode) -> Agent:
    raise AssertionError("no agent connects here")


def test_modes_of_an_earlier_life_are_told_at_once_and_only_what_they_change() -> None:
    told: list[Collection[AgentName]] = []
    agents = Agents(nobody_comes, told.append)

    agents.remember({FIRST: Mode.AUTONOMOUS, SECOND: Mode.MANAGED, THIRD: Mode.AUTONOMOUS})
    agents.remember({FIRST: Mode.MANAGED})

    assert told == [[FIRST, THIRD]]
    assert (agents.is_autonomous(FIRST), agents.is_autonomous(SECOND)) == (True, False)
