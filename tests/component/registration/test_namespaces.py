"""The namespaces of autonomous agents on the hub: who makes them, and who hears of their end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.ports import Scope
from argocd_agent.errors import EventDeferred, EventRefused, Forbidden, Unavailable
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.principal.namespaces import Namespaces
from argocd_agent.protocol.events import AgentName
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object
from argocd_agent.settings.values import Method
from tests.component.registration.registrar import AGENT, Asked
from tests.support.world import passing

ON = {"namespace_create_enabled": True}


@dataclass
class Hub:
    api: Asked
    namespaces: Namespaces
    removed: list[AgentName]
    appeared: list[AgentName]

    async def names(self) -> set[str]:
        return {obj.name for obj in (await self.api.cluster.list(NAMESPACES, Scope())).items}

    async def make(self, name: str = AGENT, **more: Any) -> None:
        await self.api.cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name, **more)))
        await passing(0.5)


@contextlib.asynccontextmanager
async def a_hub(is_watched: bool = True, **settings: Any) -> AsyncIterator[Hub]:
    """A hub that knows AGENT alone."""
    config = PrincipalConfig(namespace="argocd", auth=Method("mtls", "subject:CN=([^,]+)"), **settings)
    api, removed, appeared = Asked(open_memory()), list[AgentName](), list[AgentName]()
    namespaces = Namespaces(
        config, api, lambda name: name == AGENT, removed.append, lambda _: None, appeared=appeared.append
    )
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(namespaces.run(), name="watch") if is_watched else None
        if watching is not None:
            await namespaces.read()
        yield Hub(api, namespaces, removed, appeared)
        if watching is not None:
            watching.cancel()


@pytest.mark.feature("P-70")
async def test_a_missing_namespace_is_made_with_the_labels_that_were_set() -> None:
    async with a_hub(**ON, namespace_create_labels=(("team", "edge"), ("tier", "1"))) as hub:
        await hub.namespaces.ensure(AGENT)

        made = await hub.api.cluster.get(NAMESPACES, "", AGENT)
        assert {"team": "edge", "tier": "1"}.items() <= made.labels.items()


@pytest.mark.feature("P-70")
@pytest.mark.parametrize(
    ("pattern", "is_made"), [("", True), ("gent", True), ("^agent-[0-9]$", True), ("^gent", False)]
)
async def test_the_pattern_is_looked_for_anywhere_in_the_name(pattern: str, is_made: bool) -> None:
    async with a_hub(**ON, namespace_create_pattern=pattern) as hub:
        with contextlib.nullcontext() if is_made else pytest.raises(EventRefused, match="--namespace-create-pattern"):
            await hub.namespaces.ensure(AGENT)

        assert (AGENT in await hub.names()) is is_made


@pytest.mark.feature("P-70")
async def test_where_nobody_is_to_make_it_the_refusal_says_what_to_set() -> None:
    async with a_hub() as hub:
        with pytest.raises(EventRefused, match=r"agent-1 is missing on the hub: .*--namespace-create-enable"):
            await hub.namespaces.ensure(AGENT)

        assert hub.api.log == [("get", AGENT)]


@pytest.mark.feature("P-70")
@pytest.mark.parametrize("settings", [{}, ON, {**ON, "namespace_create_pattern": "nobody"}])
async def test_a_namespace_that_is_there_is_good_and_is_not_asked_for(settings: dict[str, Any]) -> None:
    async with a_hub(**settings) as hub:
        await hub.make()

        for _ in range(10):
            await hub.namespaces.ensure(AGENT)

        assert hub.api.log == []


async def test_one_that_was_made_is_not_asked_for_again() -> None:
    async with a_hub(**ON) as hub:
        await hub.namespaces.ensure(AGENT)
        await passing(0.5)
        await hub.namespaces.ensure(AGENT)

        assert hub.api.log == [("get", AGENT), ("create", AGENT)]


async def test_events_that_come_together_make_it_once() -> None:
    async with a_hub(**ON) as hub:
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(hub.namespaces.ensure(AGENT), name=f"event {number}")

        assert AGENT in await hub.names()


async def test_one_that_somebody_makes_meanwhile_is_fine() -> None:
    async with a_hub(**ON) as hub:
        hub.api.before["create"] = hub.make

        await hub.namespaces.ensure(AGENT)

        assert AGENT in await hub.names()


@pytest.mark.parametrize("verb", ["get", "create"])
async def test_trouble_with_the_api_puts_the_event_off(verb: str) -> None:
    async with a_hub(**ON) as hub:
        hub.api.failing[verb] = [Unavailable("connection refused")]

        with pytest.raises(EventDeferred, match="connection refused"):
            await hub.namespaces.ensure(AGENT)
        await hub.namespaces.ensure(AGENT)

        assert AGENT in await hub.names()


async def test_what_is_forbidden_is_refused_with_what_the_api_says() -> None:
    async with a_hub(**ON) as hub:
        hub.api.failing["create"] = [Forbidden("namespaces is forbidden")]

        with pytest.raises(EventRefused, match="namespaces is forbidden"):
            await hub.namespaces.ensure(AGENT)


async def test_without_the_watch_the_api_is_asked_each_time() -> None:
    async with a_hub(is_watched=False) as hub:
        await hub.make()
        await hub.namespaces.ensure(AGENT)
        await hub.namespaces.ensure(AGENT)

        assert hub.api.log == [("get", AGENT)] * 2


async def test_one_that_is_being_deleted_is_waited_for() -> None:
    async with a_hub(**ON) as hub:
        await hub.make(finalizers=("example.com/slow",))
        await hub.api.cluster.delete(NAMESPACES, "", AGENT)
        await passing(0.5)

        with pytest.raises(EventDeferred, match="agent-1 is being deleted"):
            await hub.namespaces.ensure(AGENT)
        assert hub.removed == []


@pytest.mark.feature("P-40")
async def test_the_end_of_an_agents_namespace_is_told_once_and_no_others() -> None:
    async with a_hub() as hub:
        for name in (AGENT, "other", "agent-10"):
            await hub.make(name)
        for name in ("other", "agent-10", AGENT):
            await hub.api.cluster.delete(NAMESPACES, "", name)
        await passing(0.5)

        assert hub.removed == [AGENT]
        assert AGENT not in await hub.names()


@pytest.mark.feature("P-40", "P-70")
async def test_after_its_end_the_namespace_is_made_anew() -> None:
    async with a_hub(**ON) as hub:
        await hub.namespaces.ensure(AGENT)
        await passing(0.5)
        await hub.api.cluster.delete(NAMESPACES, "", AGENT)
        await passing(0.5)

        await hub.namespaces.ensure(AGENT)

        assert AGENT in await hub.names()
        assert hub.removed == [AGENT]


@pytest.mark.parametrize("settings", [{}, {**ON, "namespace_create_pattern": "nobody"}])
async def test_one_that_somebody_makes_after_it_was_missed_is_told_of_once(settings: dict[str, Any]) -> None:
    async with a_hub(**settings) as hub:
        await hub.make("of-nobody")
        with pytest.raises(EventRefused):
            await hub.namespaces.ensure(AGENT)

        await hub.make()

        assert hub.appeared == [AGENT]


async def test_one_that_we_made_ourselves_is_no_news() -> None:
    async with a_hub(**ON) as hub:
        await hub.namespaces.ensure(AGENT)
        await passing(0.5)

        assert hub.appeared == []
