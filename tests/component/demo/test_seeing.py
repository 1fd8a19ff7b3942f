"""Waiting for what a cluster shows."""

import asyncio

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_memory
from argocd_agent.codec import encode
from argocd_agent.demo.seeing import NotSeen, until
from argocd_agent.resources.kinds import CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.loop import run


def a_config_map(name: str, **data: str) -> Object:
    return new_object(CONFIGMAPS, Metadata(name=name, namespace="default"), data=data)


async def a_cluster() -> EmbeddedCluster:
    cluster = open_memory()
    try:
        await cluster.get(NAMESPACES, "", "default")
    except LookupError:
        await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name="default")))
    return cluster


async def until_text(cluster: EmbeddedCluster, text: str | None, seconds: float = 60.0) -> Object | None:
    def claim(found: Object | None) -> bool:
        return (None if found is None else found.look("data")["text"]) == text

    return await until(cluster, CONFIGMAPS, "default", "a", claim, seconds, f"text {text}")


def test_what_is_there_already_is_seen_at_once() -> None:
    async def test() -> None:
        cluster = await a_cluster()
        await cluster.create(CONFIGMAPS, a_config_map("a", text="x"))

        found = await until_text(cluster, "x")

        assert found is not None
        assert asyncio.get_running_loop().time() == 0

    run(test())


def test_a_creation_a_change_and_a_deletion_are_seen_when_they_come() -> None:
    async def test() -> None:
        cluster = await a_cluster()
        async with asyncio.TaskGroup() as tasks:
            seen = [tasks.create_task(until_text(cluster, text)) for text in ("x", "y")]
            await cluster.create(CONFIGMAPS, a_config_map("b", text="y"))
            made = await cluster.create(CONFIGMAPS, a_config_map("a", text="x"))
            await seen[0]
            await cluster.update(CONFIGMAPS, made.with_fields({"data": encode({"text": "y"})}))
            await seen[1]
            gone = tasks.create_task(until_text(cluster, None))
            await cluster.delete(CONFIGMAPS, "default", "a")

            assert await gone is None

    run(test())


def test_what_does_not_come_is_named_with_the_time_that_was_waited() -> None:
    async def test() -> None:
        cluster = await a_cluster()

        with pytest.raises(NotSeen, match=r"not seen within 60 seconds: text x \(ConfigMap default/a\)"):
            await until_text(cluster, "x")

        assert asyncio.get_running_loop().time() == 60

    run(test())
