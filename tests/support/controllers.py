"""Kubernetes' own controllers beside a real API server: what it leaves to others happens.

    with controllers(cluster, tools): …      # namespaces finish deleting, owners' garbage is collected
    with workloads(cluster, tools): …        # and Deployments make Pods, which are given to nodes

Both run until the end of the block, whatever of the cluster's is stopped meanwhile. Namespaces take five seconds to go:
that is the controller's own pause.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.clusters import RealCluster
from tests.support.programs import Running, said_and_ended

JANITORS = ("namespace-controller", "garbage-collector-controller")
WORKLOADS = ("deployment-controller", "replicaset-controller")
COLLECTS = "Proceeding to collect garbage"
SCHEDULES = "Caches populated"
STARTED_SECONDS = 60.0  # half a second on an idle machine


@contextlib.contextmanager
def controllers(cluster: RealCluster, tools: Path, *, names: Sequence[str] = JANITORS) -> Iterator[Running]:
    """kube-controller-manager with those of *names*, collecting garbage."""
    arguments = [
        *_common(cluster),
        f"--controllers={','.join(names)}",
        "--kube-api-qps=500",  # the defaults make a test wait for the controller's own brake
        "--kube-api-burst=1000",
    ]
    program = Running(
        f"kube-controller-manager of {cluster.name}", arguments, command=[str(tools / "kube-controller-manager")]
    )
    with said_and_ended(program, COLLECTS, seconds=STARTED_SECONDS):
        yield program


@contextlib.contextmanager
def workloads(cluster: RealCluster, tools: Path) -> Iterator[Running]:
    """All of `controllers`, those of Deployments, and the scheduler. Pods stay pending without a node."""
    scheduler = Running(f"kube-scheduler of {cluster.name}", _common(cluster), command=[str(tools / "kube-scheduler")])
    with (
        said_and_ended(scheduler, SCHEDULES, '"*v1.Node"', seconds=STARTED_SECONDS),
        controllers(cluster, tools, names=[*JANITORS, *WORKLOADS]) as manager,
    ):
        yield manager


def _common(cluster: RealCluster) -> list[str]:
    return [f"--kubeconfig={cluster.kubeconfig}", "--leader-elect=false", "--secure-port=0", "-v=2"]
