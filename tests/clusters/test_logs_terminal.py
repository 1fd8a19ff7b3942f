"""Logs and commands of pods on a real kube-apiserver. The kubelet behind it is ours, and speaks as a kubelet does."""

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.backends.kubernetes.pods import KubernetesPods
from argocd_agent.backends.pods import Command, Exec, LogOptions
from argocd_agent.errors import BadRequest, Forbidden, NotFound
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.wire.execframes import Ended
from tests.support.clusters import RealCluster, RealClusters
from tests.support.kubelets import OldServer

NODES = Api("", "v1", "nodes", "Node", namespaced=False)
PODS = Api("", "v1", "pods", "Pod")
NAMESPACE = "argocd"


@pytest.fixture
def spoke(clusters: RealClusters) -> RealCluster:
    """A cluster that is running when the test begins, whatever the test before did to it."""
    cluster = clusters[1]
    if cluster.program is None or cluster.program.process.poll() is not None:
        cluster.start()
        cluster.wait()
    return cluster


@contextlib.asynccontextmanager
async def connected(path: str) -> AsyncIterator[KubernetesCluster]:
    """A client, closed at the end of the block."""
    cluster = KubernetesCluster(load(path))
    try:
        yield cluster
    finally:
        await cluster.close()


@contextlib.asynccontextmanager
async def a_pod(spoke: RealCluster, kubelet: OldServer) -> AsyncIterator[tuple[KubernetesPods, str]]:
    """A pod, with two containers, on a node whose kubelet is *kubelet*: as admin sees it, and its name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(spoke.folder.parent / "server.crt", spoke.folder.parent / "server.key")
    server = await asyncio.start_server(kubelet.serve, "127.0.0.1", 0, ssl=context)
    name = f"x-{uuid.uuid4().hex[:8]}"
    endpoint = {"kubeletEndpoint": {"Port": server.sockets[0].getsockname()[1]}}
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    node = new_object(NODES, Metadata(name=name), status={"addresses": addresses, "daemonEndpoints": endpoint})
    async with server, connected(str(spoke.kubeconfig)) as cluster:
        await cluster.create(NODES, node)
        await cluster.create(PODS, _pod(name, node=name))
        yield KubernetesPods(cluster), name
        await cluster.delete(PODS, NAMESPACE, name)
        await cluster.delete(NODES, "", name)


def _pod(name: str, node: str = "") -> Object:
    containers = [{"name": part, "image": "example.com/app"} for part in ("app", "side")]
    spec = {"containers": containers} | ({"nodeName": node} if node else {})
    return new_object(PODS, Metadata(name=name, namespace=NAMESPACE), spec=spec)


async def until_ended(command: Exec) -> tuple[bytes, Ended]:
    output = b""
    while not isinstance(found := await command.read(), Ended):
        output += found
    return output, found


def of(pod: str, **options: object) -> LogOptions:
    return LogOptions(**{"namespace": NAMESPACE, "pod": pod, "container": "app", **options})  # type: ignore[arg-type]  # the test says which


@pytest.mark.feature("A-91", "C-45")
async def test_a_log_comes_byte_for_byte_and_its_options_reach_the_kubelet(spoke: RealCluster) -> None:
    kubelet = OldServer(log=b"2026-11-21T12:00:00.000000000Z one\n" * 50_000)

    async with a_pod(spoke, kubelet) as (pods, name):
        options = of(name, tail_lines=7, since_seconds=60, timestamps=True, previous=True, limit_bytes=1 << 30)
        async with pods.log(options) as pieces:
            found = b"".join([piece async for piece in pieces])

    assert found == kubelet.log
    asked = kubelet.requests[0].splitlines()[0]
    assert asked.startswith(f"GET /containerLogs/{NAMESPACE}/{name}/app?")
    assert all(word in asked for word in ("tailLines=7", "sinceSeconds=60", "timestamps=true", "previous=true"))


@pytest.mark.feature("A-92", "C-45")
async def test_a_followed_log_comes_as_it_is_written(spoke: RealCluster) -> None:
    kubelet = OldServer(log=b"one\n")

    async with a_pod(spoke, kubelet) as (pods, name), pods.log(of(name, follow=True)) as pieces:
        first = await anext(pieces)
        kubelet.more.put_nowait(b"two\n")
        second = await anext(pieces)
        kubelet.more.put_nowait(b"")
        rest = [piece async for piece in pieces]

    assert (first, second, rest) == (b"one\n", b"two\n", [])


@pytest.mark.feature("A-94", "C-46")
async def test_a_command_takes_input_and_sizes_and_says_its_exit_code(spoke: RealCluster) -> None:
    kubelet = OldServer()

    async with a_pod(spoke, kubelet) as (pods, name):
        command = await pods.exec(Command(namespace=NAMESPACE, pod=name, container="app", words=("sh",)))
        await command.resize(120, 40)
        await command.write(b"hello")
        output = await command.read()
        await command.write(b"exit 3\n")
        _, ended = await until_ended(command)
        await command.close()

    assert (type(command).__name__, output) == ("_WebSocketExec", b"hello")
    assert (ended.exit_code, ended.is_success) == (3, False)
    assert [decoded.strip() for decoded in kubelet.sizes] == [b'{"Width":120,"Height":40}']


@pytest.mark.feature("A-94", "C-46")
async def test_the_end_of_input_ends_a_command_well(spoke: RealCluster) -> None:
    async with a_pod(spoke, OldServer()) as (pods, name):
        command = await pods.exec(Command(namespace=NAMESPACE, pod=name, container="app", words=("cat",)))
        await command.close_stdin()
        _, ended = await until_ended(command)
        await command.close()

    assert ended == Ended(0)


ONLY_CREATE = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}]
ONLY_GET = [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]


@contextlib.asynccontextmanager
async def as_user(spoke: RealCluster, rules: Sequence[dict[str, list[str]]]) -> AsyncIterator[KubernetesPods]:
    path = await spoke.restricted_user(f"x-{uuid.uuid4().hex[:8]}", NAMESPACE, rules)
    async with connected(str(path)) as cluster:
        yield KubernetesPods(cluster)


@pytest.mark.feature("A-94")
async def test_an_account_that_may_only_create_runs_commands_too(spoke: RealCluster) -> None:
    async with a_pod(spoke, OldServer()) as (_, name), as_user(spoke, ONLY_CREATE) as pods:
        command = await pods.exec(Command(namespace=NAMESPACE, pod=name, container="app", words=("sh",)))
        await command.resize(80, 24)
        await command.write(b"hello")
        output = await command.read()
        await command.write(b"exit 3\n")
        _, ended = await until_ended(command)
        await command.close()

    assert (type(command).__name__, output, ended.exit_code) == ("SpdyExec", b"hello", 3)


async def test_what_is_refused_is_refused_with_the_servers_words(spoke: RealCluster) -> None:
    unscheduled = f"x-{uuid.uuid4().hex[:8]}"
    command = Command(namespace=NAMESPACE, pod=unscheduled, container="app", words=("sh",))

    async with connected(str(spoke.kubeconfig)) as cluster, as_user(spoke, ONLY_GET) as restricted:
        pods = KubernetesPods(cluster)
        with pytest.raises(NotFound, match=f'pods "{unscheduled}" not found'):
            await pods.exec(command)
        await cluster.create(PODS, _pod(unscheduled))
        with pytest.raises(BadRequest, match="does not have a host assigned"):
            await pods.exec(command)
        with pytest.raises(BadRequest, match="a container name must be specified"):
            async with pods.log(of(unscheduled, container="")):
                raise AssertionError("it has two containers")
        with pytest.raises(Forbidden, match="pods/exec"):
            await restricted.exec(command)
        await cluster.delete(PODS, NAMESPACE, unscheduled)
