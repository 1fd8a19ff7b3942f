"""Another hub takes a spoke over: what the spoke has stays in place, of every kind."""

import asyncio
import dataclasses

import pytest

from argocd_agent.protocol.names import ANNOTATION_PRINCIPAL_UID, CONFIGMAP_GPG_KEYS
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Object
from tests.support.applications import Applications, Claim, Objects, Projects, revision_of, source_of, synced
from tests.support.clusters import RealClusters
from tests.support.objects import path_of
from tests.support.pairs import a_pair, ended
from tests.support.shared import a_repository, text_of, the_keys
from tests.support.sites import Hub, Spoke, install_hub, make_namespace, opened


async def filled(hub: Hub, agent: str, path: str) -> list[Object]:
    """An Application, a project, a repository and the keys, all of which say *path*."""
    names = {"destinations": [{"name": agent, "namespace": "*"}], "sourceNamespaces": [agent], "sourceRepos": [path]}
    async with opened(hub.kubeconfig) as cluster:
        return [
            await Applications(cluster, agent).create("guestbook", path=path),
            await Projects(cluster, hub.namespace).create("team", spec=names),
            await cluster.create(SECRETS, a_repository("repo", hub.namespace, url=path)),
            await cluster.create(CONFIGMAPS, the_keys(hub.namespace, KEY=path)),
        ]


def content_of(obj: Object) -> str:
    """The path that it says."""
    match obj.name:
        case "guestbook":
            return path_of(obj)
        case "team":
            return str(obj.look("spec")["sourceRepos"][0])
        case "repo":
            return text_of(obj, "url")
        case _:
            return str(obj.look("data")["KEY"])


async def taken_over(spoke: Spoke, hub: Hub) -> Spoke:
    """The same agent in the same place, which knows *hub* and is known there."""
    moved = dataclasses.replace(spoke, hub=hub)
    await make_namespace(hub.kubeconfig, spoke.agent)
    await moved.issue()
    await moved.trust(await hub.ca())
    await moved.register()
    return moved


@pytest.mark.feature("A-45", "A-104")
@pytest.mark.parametrize("policy", ["recreate", "upsert"])
async def test_another_hub_with_other_uids_takes_all_kinds_over_in_place(clusters: RealClusters, policy: str) -> None:
    flag = f"--source-uid-mismatch-policy={policy}"
    async with (
        a_pair(clusters[0].kubeconfig, clusters[1].kubeconfig, agent=[flag]) as pair,
        pair.open() as (first, applications),
    ):
        spoke, cluster = pair.spoke, applications.cluster
        places = [
            (applications, "guestbook"),
            (Projects(cluster, spoke.namespace), "team"),
            (Objects(cluster, spoke.namespace, SECRETS), "repo"),
            (Objects(cluster, spoke.namespace, CONFIGMAPS), CONFIGMAP_GPG_KEYS),
        ]
        await filled(pair.hub, spoke.agent, "one")
        await first.create("only-here")
        before = [await side.until_there(name) for side, name in places]
        kept = await applications.until_there("only-here")
        pair.end()

        other = await install_hub(clusters[2].kubeconfig)
        moved = await taken_over(spoke, other)
        sources = await filled(other, spoke.agent, "two")
        principal, agent = other.start(), moved.start(flag)
        with ended(principal, agent):
            await asyncio.to_thread(agent.until_ready)
            after = [
                await side.until(name, _mirrors(source), "the other source")
                for (side, name), source in zip(places, sources, strict=True)
            ]
            await applications.change("guestbook", synced("r1"))
            async with opened(other.kubeconfig) as there:
                await Applications(there, spoke.agent).until(
                    "guestbook", lambda obj: revision_of(obj) == "r1", "the status at the other hub"
                )

        assert [obj.uid for obj in after] == [obj.uid for obj in before]
        assert [content_of(obj) for obj in after] == ["two"] * 4
        assert before[0].annotations[ANNOTATION_PRINCIPAL_UID] != after[0].annotations[ANNOTATION_PRINCIPAL_UID]
        assert await applications.get("only-here") == kept


def _mirrors(source: Object) -> Claim:
    return lambda obj: source_of(obj) == source.uid
