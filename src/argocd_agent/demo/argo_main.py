"""Starts the stand-in for Argo CD as a process: `python -m argocd_agent.demo.argo_main --help`.

Prints one ready line on stdout, logs to stderr, ends with status 0 on SIGINT and SIGTERM.
"""

import argparse
import asyncio
import logging
import os
import signal
import time
from pathlib import Path

from argocd_agent.backends.kubernetes import KubernetesCluster, load
from argocd_agent.demo.argo import Controller
from argocd_agent.demo.git import find_git
from argocd_agent.demo.kubelet import Kubelet
from argocd_agent.demo.sources import Sources
from argocd_agent.wire.timestamps import format_time

READY = "argo: ready"
PERIOD_SECONDS = 3.0


def main() -> int:
    """Run until a signal; the exit status."""
    parser = argparse.ArgumentParser(description="The demo's stand-in for Argo CD's application-controller.")
    parser.add_argument("--kubeconfig", required=True, help="the cluster to look after")
    parser.add_argument("--namespace", default="argocd", help="where its Applications are")
    parser.add_argument("--work", required=True, type=Path, help="a folder for checkouts")
    parser.add_argument(
        "--period-seconds", type=float, default=PERIOD_SECONDS, help="how often Git is asked for new revisions"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_run(arguments.kubeconfig, arguments.namespace, arguments.work, arguments.period_seconds))
    return 0


async def _run(kubeconfig: str, namespace: str, work: Path, period_seconds: float) -> None:
    cluster = KubernetesCluster(load(kubeconfig, environ=os.environ))
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    controller = Controller(cluster, namespace, Sources(find_git(), work), period_seconds, _now)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(controller.run(), name="argo"),
                tasks.create_task(Kubelet(cluster, _now).run(), name="kubelet"),
            ]
            print(READY, flush=True)
            await stopped.wait()
            for task in running:
                task.cancel()
    finally:
        await cluster.close()


def _now() -> str:
    return format_time(time.time())


if __name__ == "__main__":
    raise SystemExit(main())
