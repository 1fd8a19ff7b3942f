"""What only a real kube-apiserver shows of our client."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argocd_agent.backends.kubernetes import KubeConfig, KubernetesCluster, load
from argocd_agent.backends.kubernetes.config import User
from argocd_agent.backends.ports import EVERYTHING, PatchType, Scope, WatchEvent, WatchType
from argocd_agent.codec import encode
from argocd_agent.errors import Forbidden, Unauthorized, Unavailable
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, CRDS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, new_object
from tests.support.clusters import TOKEN, TOKEN_USER, RealCluster, RealClusters

NAMESPACE = "argocd"


def named(name: str) -> Metadata:
    return Metadata(name=name, namespace=NAMESPACE)


@contextlib.asynccontextmanager
async def closing(cluster: KubernetesCluster) -> AsyncIterator[KubernetesCluster]:
    """*cluster*, closed at the end of the block."""
    try:
        yield cluster
    finally:
        await cluster.close()


def a_name() -> str:
    return f"x-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def spoke(clusters: RealClusters) -> RealCluster:
    """A cluster that is running when the test begins, whatever the test before did to it."""
    cluster = clusters[1]
    if cluster.program is None or cluster.program.process.poll() is not None:
        cluster.start()
        cluster.wait()
    return cluster


async def test_a_user_without_permission_is_told_which_verb_on_which_resource(spoke: RealCluster) -> None:
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["get", "list"]}]
    path = await spoke.restricted_user(a_name(), NAMESPACE, rules)
    user = path.stem
    async with closing(KubernetesCluster(load(str(path)))) as cluster:
        await cluster.list(APPLICATIONS, Scope(NAMESPACE))

        with pytest.raises(Forbidden) as patched:
            await cluster.patch(APPLICATIONS, NAMESPACE, "guestbook", b"{}", PatchType.MERGE)
        with pytest.raises(Forbidden) as watched:
            await anext(cluster.watch(APPLICATIONS, EVERYTHING, "1"))

    assert str(patched.value) == (
        f'cannot patch applications.argoproj.io "{NAMESPACE}/guestbook": forbidden: User "{user}" cannot patch '
        f'resource "applications" in API group "argoproj.io" in the namespace "{NAMESPACE}" (403 Forbidden)'
    )
    assert str(watched.value) == (
        f'cannot watch applications.argoproj.io in all namespaces: forbidden: User "{user}" cannot watch resource '
        '"applications" in API group "argoproj.io" at the cluster scope (403 Forbidden)'
    )


async def test_a_new_custom_resource_can_be_used_as_soon_as_its_definition_is_established(spoke: RealCluster) -> None:
    plural = f"w{uuid.uuid4().hex[:8]}"
    api = Api("example.com", "v1", plural, plural.capitalize())
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": api.group,
        "scope": "Namespaced",
        "names": {"plural": plural, "singular": plural, "kind": api.kind, "listKind": f"{api.kind}List"},
        "versions": [version],
    }
    async with closing(spoke.connect()) as cluster:
        crd = await cluster.create(CRDS, new_object(CRDS, Metadata(name=api.resource), spec=spec))
        await _until_established(cluster, crd.name, crd.version)

        created = await cluster.create(api, new_object(api, named("first"), anything={"goes": True}))

    assert created.look("anything") == {"goes": True}


async def test_a_token_file_is_read_again_when_its_token_was_refused(spoke: RealCluster, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("not-this-one")
    admin = load(str(spoke.kubeconfig))
    config = KubeConfig(admin.server, User(name="tokens", token_file=str(file)), ca=admin.ca)
    async with closing(KubernetesCluster(config)) as cluster:
        with pytest.raises(Unauthorized, match="cannot list namespaces: Unauthorized"):
            await cluster.list(NAMESPACES)

        file.write_text(TOKEN)
        with pytest.raises(Forbidden, match=f'User "{TOKEN_USER}" cannot list resource "namespaces"'):
            await cluster.list(NAMESPACES)


async def test_impersonation_acts_as_somebody_else(spoke: RealCluster) -> None:
    admin = load(str(spoke.kubeconfig))
    user = User(certificate=admin.user.certificate, key=admin.user.key, impersonation=(("Impersonate-User", "alice"),))
    async with closing(KubernetesCluster(KubeConfig(admin.server, user, ca=admin.ca))) as cluster:
        with pytest.raises(Forbidden, match='User "alice" cannot list'):
            await cluster.list(NAMESPACES)


@pytest.mark.feature("A-72")
async def test_a_watch_goes_on_after_the_api_server_was_away(spoke: RealCluster) -> None:
    names = [a_name() for _ in range(3)]
    async with closing(spoke.connect()) as cluster:
        start = await cluster.list(CONFIGMAPS, Scope(NAMESPACE))
        events = cluster.watch(CONFIGMAPS, Scope(NAMESPACE), start.version)
        await cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, named(names[0])))
        before = await anext(events)

        await asyncio.to_thread(spoke.stop)
        with pytest.raises(Unavailable, match=rf"cannot watch configmaps .*127\.0\.0\.1:{spoke.port}"):
            await anext(events)
        with pytest.raises(Unavailable, match=rf"no connection to 127\.0\.0\.1:{spoke.port}: Connect"):
            await cluster.get(CONFIGMAPS, NAMESPACE, names[0])
        spoke.start()
        await asyncio.to_thread(spoke.wait)
        # A server that has just started knows no version from before, if anybody wrote to its etcd meanwhile.
        again = await cluster.list(CONFIGMAPS, Scope(NAMESPACE))
        await cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, named(names[1])))
        resumed = cluster.watch(CONFIGMAPS, Scope(NAMESPACE), again.version)
        after = await _next_change(resumed)
        await resumed.aclose()

    assert (before.type, before.object.name) == (WatchType.ADDED, names[0])
    assert (after.type, after.object.name) == (WatchType.ADDED, names[1])


async def test_server_side_apply_creates_and_changes(spoke: RealCluster) -> None:
    name = a_name()
    async with closing(spoke.connect()) as cluster:
        for value in ("1", "2"):
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": value}}
            applied = await cluster.patch(CONFIGMAPS, NAMESPACE, name, encode(body), PatchType.APPLY)

    assert applied.look("data") == {"a": "2"}


async def test_a_thousand_objects_in_parallel_need_no_more_connections_than_allowed(spoke: RealCluster) -> None:
    prefix = a_name()
    async with closing(spoke.connect()) as cluster:
        await asyncio.gather(
            *(
                cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, named(f"{prefix}-{number:04}")))
                for number in range(1000)
            )
        )
        page = await cluster.list(CONFIGMAPS, Scope(NAMESPACE), limit=2000)

    assert sum(obj.name.startswith(prefix) for obj in page.items) == 1000


async def _until_established(cluster: KubernetesCluster, name: str, version: str) -> None:
    scope = Scope(fields=f"metadata.name={name}")
    async with contextlib.aclosing(cluster.watch(CRDS, scope, version)) as events:
        async for event in events:
            conditions = (event.object.look("status") or {}).get("conditions") or []
            if any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions):
                return


async def _next_change(events: AsyncIterator[WatchEvent]) -> WatchEvent:
    async for event in events:
        if event.type is not WatchType.BOOKMARK:
            return event
    raise AssertionError("the watch ended before a change came")
