"""A node without a machine: kwok says that its Pods run and are ready, and answers for their logs and commands.

    with a_node(cluster, tools, folder) as node: …
        node.says("a line")      # what every container of every Pod has logged
    # `kubectl exec` runs its command on this machine, in `node.folder`

The cluster needs `workloads` beside it, or nobody makes Pods and gives them to the node.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.seeing import until
from argocd_agent.errors import AlreadyExists
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.clusters import RealCluster
from tests.support.programs import LOOPBACK, Running, a_port, said_and_ended

NODES = Api("", "v1", "nodes", "Node", namespaced=False)
NODE_NAME = "no-machine"
READY_SECONDS = 60.0  # two on an idle machine


@dataclass(frozen=True, slots=True)
class FakeNode:
    """The node, ready. `folder` is where commands in its containers run, `log` what they have said."""

    name: str
    folder: Path
    log: Path

    def says(self, *lines: str) -> None:
        """Every container says *lines* now, in the format of a container runtime."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
        with self.log.open("a") as log:
            log.writelines(f"{now} stdout F {line}\n" for line in lines)


@contextlib.contextmanager
def a_node(cluster: RealCluster, tools: Path, folder: Path) -> Iterator[FakeNode]:
    """One ready node of *cluster*; kwok runs until the end of the block, the node goes with it. Not inside a loop."""
    folder.mkdir(parents=True, exist_ok=True)
    node = FakeNode(NODE_NAME, folder, folder / "containers.log")
    node.log.touch()
    configuration, port = folder / "kwok.yaml", a_port()
    stages = [stage.read_text() for stage in sorted((tools / "kwok-stages").glob("*.yaml"))]
    configuration.write_text("---\n".join([yaml.safe_dump_all(_logs_and_commands(node)), *stages]))
    arguments = [
        f"--kubeconfig={cluster.kubeconfig}",
        f"--config={configuration}",
        f"--manage-single-node={NODE_NAME}",
        f"--node-ip={LOOPBACK}",
        f"--node-port={port}",
        f"--server-address={LOOPBACK}:{port}",
        f"--tls-cert-file={cluster.authority.server_certificate}",
        f"--tls-private-key-file={cluster.authority.server_key}",
    ]
    program = Running(f"kwok of {cluster.name}", arguments, command=[str(tools / "kwok")])
    with said_and_ended(program, "Watch"):
        asyncio.run(_join(cluster))
        try:
            yield node
        finally:
            asyncio.run(_leave(cluster))


async def _join(cluster: RealCluster) -> None:
    """Make the node, and wait until kwok calls it ready.

    The API server gives every new node a taint, for a controller to remove that we do not run.
    """
    api = cluster.connect()
    try:
        with contextlib.suppress(AlreadyExists):
            await api.create(NODES, new_object(NODES, Metadata(name=NODE_NAME)))
        await api.patch(NODES, "", NODE_NAME, encode({"spec": {"taints": None}}), PatchType.MERGE)
        await until(api, NODES, "", NODE_NAME, _is_ready, READY_SECONDS, "a ready node")
    finally:
        await api.close()


async def _leave(cluster: RealCluster) -> None:
    api: KubernetesCluster = cluster.connect()
    try:
        await api.delete(NODES, "", NODE_NAME)
    finally:
        await api.close()


def _is_ready(node: Object | None) -> bool:
    conditions = (node.look("status") or {}).get("conditions", []) if node else []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _logs_and_commands(node: FakeNode) -> list[dict[str, object]]:
    kinds: dict[str, dict[str, object]] = {
        "ClusterLogs": {"logs": [{"logsFile": str(node.log), "follow": True}]},
        "ClusterExec": {"execs": [{"local": {"workDir": str(node.folder)}}]},
    }
    return [
        {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": {"name": "all"}, "spec": spec}
        for kind, spec in kinds.items()
    ]
