"""Applications that a generator makes in an agent's namespace on the hub: they travel as all do, and keep their owner.

Argo CD's applicationset-controller runs on the hub, its application-controller on the spoke, and ours between them.
"""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.codec import encode
from argocd_agent.errors import Conflict
from argocd_agent.resources.kinds import APPLICATIONS, APPLICATIONSETS
from argocd_agent.resources.objects import Object
from tests.support.applications import FINALIZER, Applications, revision_of, source_of, status_of
from tests.support.argocd import ArgoCD
from tests.support.gitserver import GitServer, Repository
from tests.support.guestbook import guestbook
from tests.support.objects import an_application_set
from tests.support.pairs import Pair
from tests.support.sites import a_name
from tests.support.watching import watching

SECONDS = 30.0
SYNC = {"automated": {}, "syncOptions": ["CreateNamespace=true"]}
# A settled Application is still looked at by its controller, which notes the time: a loop writes hundreds of times.
FEW = 4


class Generated:
    """An ApplicationSet of the agent's namespace, and the names of its Applications."""

    def __init__(self, pair: Pair, repository: Repository) -> None:
        self.agent, self.repository = pair.spoke.agent, repository
        self.name = a_name("set")
        self.one, self.two = f"{self.name}-one", f"{self.name}-two"

    async def create(self, cluster: Cluster) -> Object:
        """It, with an Application each for `one` and `two`, synced as soon as they are there."""
        wanted = an_application_set(
            self.name,
            self.agent,
            self.generators(self.one, self.two),
            destination={"name": self.agent, "namespace": "{{.name}}"},
            source={"repoURL": self.repository.url, "path": "guestbook", "targetRevision": "main"},
            spec={"syncPolicy": SYNC},
            metadata={"annotations": {"round": "first"}},
        )
        return await cluster.create(APPLICATIONSETS, wanted)

    def generators(self, *names: str) -> list[dict[str, object]]:
        """A list generator."""
        return [{"list": {"elements": [{"name": name} for name in names]}}]

    async def change(self, cluster: Cluster, change: Callable[[dict[str, object]], dict[str, object]]) -> None:
        """Write what *change* makes of its `spec`."""
        while True:
            held = await cluster.get(APPLICATIONSETS, self.agent, self.name)
            try:
                await cluster.update(APPLICATIONSETS, held.with_fields({"spec": encode(change(held.look("spec")))}))
            except Conflict:
                continue
            return

    async def annotate(self, cluster: Cluster, round_: str) -> None:
        """Let its Applications carry another annotation."""

        def other(spec: dict[str, object]) -> dict[str, object]:
            template = spec["template"]
            assert isinstance(template, dict), "an ApplicationSet has a template"
            return {
                **spec,
                "template": {**template, "metadata": {"name": "{{.name}}", "annotations": {"round": round_}}},
            }

        await self.change(cluster, other)


@pytest.fixture
def generated(pair: Pair, git: GitServer) -> Generated:
    repository = git.repository(a_name("set"))
    repository.commit(guestbook("one"))
    return Generated(pair, repository)


def _is_done(obj: Object) -> bool:
    status = status_of(obj)
    said = (status.get("sync", {}).get("status"), status.get("health", {}).get("status"))
    return said == ("Synced", "Healthy") and status.get("operationState", {}).get("phase") == "Succeeded"


async def _until_done(hub: Applications, names: Sequence[str]) -> list[Object]:
    return [await hub.until(name, _is_done, f"{name} is synced and healthy", SECONDS) for name in names]


def _owners(obj: Object) -> list[tuple[str, str]]:
    return [(owner.kind, owner.uid) for owner in obj.metadata.owner_references or ()]


async def test_generated_applications_are_deployed_by_the_spoke_and_their_set_stays_on_the_hub(
    pair: Pair, generated: Generated
) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)

        done = await _until_done(hub, [generated.one, generated.two])

        sets = await spoke.cluster.list(APPLICATIONSETS, Scope())
    assert {revision_of(obj) for obj in done} == {generated.repository.head}
    assert not sets.items


async def test_owner_and_finalizer_stay_on_the_hub_whatever_comes_back(
    pair: Pair, hub_argo: ArgoCD, generated: Generated
) -> None:
    async with pair.open() as (hub, spoke):
        made = await generated.create(hub.cluster)
        before, _ = await _until_done(hub, [generated.one, generated.two])
        newest = generated.repository.commit(guestbook("two"))

        full = f"{generated.agent}/{generated.one}"
        await asyncio.to_thread(hub_argo.run, "app", "sync", full, "--async")
        await hub.until(
            generated.one, lambda obj: revision_of(obj) == newest and _is_done(obj), "the newest is synced", SECONDS
        )

        after, mirror = await hub.get(generated.one), await spoke.get(generated.one)
    assert _owners(before) == _owners(after) == [("ApplicationSet", made.uid)]
    assert before.metadata.finalizers == after.metadata.finalizers == (FINALIZER,)
    assert (mirror.metadata.owner_references, mirror.metadata.finalizers) == (None, (FINALIZER,))


async def test_what_the_generator_wipes_goes_on_the_spoke_and_the_mirror_stays_ours(
    pair: Pair, generated: Generated
) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await _until_done(hub, [generated.one])
        before = await spoke.get(generated.one)

        await hub.change(generated.one, lambda obj: obj.with_metadata(annotations={**obj.annotations, "by": "hand"}))
        await generated.annotate(hub.cluster, "second")
        await hub.until(generated.one, lambda obj: obj.annotations == {"round": "second"}, "wiped", SECONDS)
        after = await spoke.until(
            generated.one,
            lambda obj: obj.annotations.get("round") == "second" and "by" not in obj.annotations,
            "wiped on the spoke too",
            SECONDS,
        )

    assert (after.uid, source_of(after)) == (before.uid, source_of(before))


async def test_an_application_that_the_generator_makes_anew_is_followed(pair: Pair, generated: Generated) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        first, _ = await _until_done(hub, [generated.one, generated.two])

        await hub.delete(generated.one)
        second = await hub.until(
            generated.one, lambda obj: obj.uid != first.uid and _is_done(obj), "made anew, synced", SECONDS
        )
        mirror = await spoke.get(generated.one)

    assert source_of(mirror) == second.uid
    assert _owners(second) == _owners(first)


async def test_settled_applications_are_not_written_while_others_come_and_go(
    pair: Pair, generated: Generated, git: GitServer
) -> None:
    other = Generated(pair, generated.repository)
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await _until_done(hub, [generated.one, generated.two])
        await hub.delete(generated.one)
        await hub.until(
            generated.one, lambda obj: not obj.metadata.deletion_timestamp and _is_done(obj), "anew", SECONDS
        )
        await generated.annotate(hub.cluster, "second")
        await spoke.until(generated.one, lambda obj: obj.annotations.get("round") == "second", "the round", SECONDS)

        async with (
            watching(hub.cluster, APPLICATIONS, hub.namespace) as on_hub,
            watching(spoke.cluster, APPLICATIONS, spoke.namespace) as on_spoke,
        ):
            await other.create(hub.cluster)
            await _until_done(hub, [other.one, other.two])
            await hub.cluster.delete(APPLICATIONSETS, other.agent, other.name)
            await hub.until_gone(other.one, SECONDS)
            await hub.until_gone(other.two, SECONDS)

    for seen in (on_hub, on_spoke):
        assert seen.of(other.one), "the watch works"
        assert len(seen.of(generated.one)) + len(seen.of(generated.two)) <= FEW


async def test_what_is_taken_off_the_list_goes_on_both_sides(pair: Pair, generated: Generated) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await _until_done(hub, [generated.one, generated.two])

        await generated.change(hub.cluster, lambda spec: {**spec, "generators": generated.generators(generated.two)})

        await hub.until_gone(generated.one, SECONDS)
        await spoke.until_gone(generated.one, SECONDS)
        assert await hub.is_there(generated.two)
        assert await spoke.is_there(generated.two)


async def test_a_deleted_set_takes_its_applications_away_on_both_sides(pair: Pair, generated: Generated) -> None:
    async with pair.open() as (hub, spoke):
        await generated.create(hub.cluster)
        await _until_done(hub, [generated.one, generated.two])

        await hub.cluster.delete(APPLICATIONSETS, generated.agent, generated.name)

        for name in (generated.one, generated.two):
            await hub.until_gone(name, SECONDS)
            await spoke.until_gone(name, SECONDS)
