"""Each of the real parts beside our programs does its work, without them."""

import asyncio
from pathlib import Path

from argocd_agent.backends.ports import Scope
from argocd_agent.demo.seeing import until
from argocd_agent.resources.kinds import APPLICATIONSETS, CONFIGMAPS, NAMESPACES
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.applications import Applications, status_of
from tests.support.applicationsets import a_list, an_application_set
from tests.support.argocd import ArgoCD
from tests.support.clusters import RealClusters
from tests.support.gitserver import GitServer
from tests.support.guestbook import DEPLOYMENTS, PAGE, SERVERS, guestbook
from tests.support.kwok import FakeNode
from tests.support.programs import run
from tests.support.sites import Hub, Spoke, a_name, make_namespace, opened

SYNCED_SECONDS = 30.0


def _is_synced_and_healthy(obj: Object) -> bool:
    status = status_of(obj)
    return (status.get("sync", {}).get("status"), status.get("health", {}).get("status")) == ("Synced", "Healthy")


async def test_an_application_is_synced_from_git_and_healthy_when_its_pods_are_ready(
    spoke: Spoke, spoke_argo: ArgoCD, git: GitServer
) -> None:
    name, target = a_name("app"), a_name("target")
    repository = git.repository(name)
    revision = repository.commit(guestbook("welcome", replicas=2))
    async with opened(spoke.kubeconfig) as cluster:
        applications = Applications(cluster, spoke.namespace)
        await applications.create(
            name,
            destination={"name": "in-cluster", "namespace": target},
            spec={
                "source": {"repoURL": repository.url, "path": "guestbook", "targetRevision": "main"},
                "syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]},
            },
        )

        done = await applications.until(name, _is_synced_and_healthy, "synced and healthy", SYNCED_SECONDS)

        page = await cluster.get(CONFIGMAPS, target, PAGE)
        servers = await cluster.get(DEPLOYMENTS, target, SERVERS)
    assert status_of(done)["sync"]["revision"] == revision
    assert page.look("data") == {"text": "welcome"}
    assert servers.look("status")["readyReplicas"] == 2


async def test_containers_show_their_logs_and_run_commands(clusters: RealClusters, node: FakeNode) -> None:
    namespace, kubectl = a_name("pods"), [str(clusters.tools / "kubectl"), f"--kubeconfig={clusters[1].kubeconfig}"]
    await make_namespace(clusters[1].kubeconfig, namespace)
    kubectl.append(f"--namespace={namespace}")

    def ask(*arguments: str) -> str:
        said = run(kubectl, arguments)
        assert said.status == 0, said.err
        return said.out

    await asyncio.to_thread(ask, "create", "deployment", "web", "--image=web:1")
    await asyncio.to_thread(ask, "rollout", "status", "deployment/web", "--timeout=20s")
    node.says("a line of the log")

    assert "a line of the log" in await asyncio.to_thread(ask, "logs", "deployment/web")
    assert await asyncio.to_thread(ask, "exec", "deployment/web", "--", "echo", "hello") == "hello\n"


async def test_an_application_set_makes_applications_and_takes_them_along(hub: Hub, hub_argo: ArgoCD) -> None:
    name = a_name("set")
    names = [f"{name}-{end}" for end in ("one", "two")]
    wanted = an_application_set(name, hub.namespace, [a_list(*names)], preserved=True)
    async with opened(hub.kubeconfig) as cluster:
        applications = Applications(cluster, hub.namespace)
        await cluster.create(APPLICATIONSETS, wanted)

        made = [await applications.until_there(each) for each in names]
        await cluster.delete(APPLICATIONSETS, hub.namespace, name)

        for obj in made:
            await applications.until_gone(obj.name)
    assert {owner.name for obj in made for owner in obj.metadata.owner_references or ()} == {name}


async def test_a_deleted_namespace_goes_with_what_is_in_it(clusters: RealClusters, hub: Hub, node: FakeNode) -> None:
    async def goes(kubeconfig: Path) -> None:
        name = a_name("namespace")
        async with opened(kubeconfig) as cluster:
            await make_namespace(kubeconfig, name)
            await cluster.create(
                CONFIGMAPS, new_object(CONFIGMAPS, Metadata(name="a", namespace=name), data={"a": "b"})
            )

            await cluster.delete(NAMESPACES, "", name)

            await until(cluster, NAMESPACES, "", name, lambda held: held is None, 20.0, "the namespace is gone")
            assert not (await cluster.list(CONFIGMAPS, Scope(name))).items

    async with asyncio.TaskGroup() as group:
        for kubeconfig in (hub.kubeconfig, clusters[1].kubeconfig):
            group.create_task(goes(kubeconfig), name=str(kubeconfig))
