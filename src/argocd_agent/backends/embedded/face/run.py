"""One embedded cluster as a process: `python -m argocd_agent.backends.embedded.face --kubeconfig PATH`.

Prints one line when it is ready, and ends within a second of SIGTERM or SIGINT.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from argocd_agent.backends.embedded.cluster import EmbeddedCluster, open_memory, open_sqlite, utc_now
from argocd_agent.backends.embedded.face.access import ADMIN, Client
from argocd_agent.backends.embedded.face.server import Face, serve
from argocd_agent.errors import AlreadyExists, ClusterError
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object


async def run_face(
    kubeconfig: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    sqlite: Path | None = None,
    namespaces: Sequence[str] = (),
    name: str = "embedded",
    token: str = "",
    stop: asyncio.Event | None = None,
    on_ready: Callable[[Face], None] | None = None,
) -> None:
    """Serve one cluster until *stop* is set or SIGTERM or SIGINT comes; *kubeconfig* is written before *on_ready*.

    Without *token*, a random one is made. Raises OSError and `Unavailable` where it cannot start.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Clients outlive a process without a file: milliseconds keep each run's versions above those of the runs before.
    milliseconds = int(utc_now().timestamp() * 1000)
    cluster = await open_sqlite(sqlite) if sqlite else open_memory(first_version=milliseconds)
    try:
        await _make_namespaces(cluster, namespaces)
        clients = [Client(token, ADMIN)] if token else []
        async with serve(cluster, host=host, port=port, clients=clients, name=name) as face:
            face.write_kubeconfig(kubeconfig, namespace=namespaces[0] if namespaces else "default")
            if on_ready is not None:
                on_ready(face)
            await stop.wait()
    finally:
        await cluster.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="face", description="A Kubernetes-style API server on loopback.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write the kubeconfig")
    parser.add_argument("--sqlite", type=Path, help="keep objects in this file; without it they are gone at the end")
    parser.add_argument("--namespace", nargs="*", action="extend", default=[], help="namespaces to make at the start")
    parser.add_argument("--name", default="embedded", help="name of the context in the kubeconfig")
    given = parser.parse_args(arguments)
    try:
        asyncio.run(
            run_face(
                given.kubeconfig,
                host=given.host,
                port=given.port,
                sqlite=given.sqlite,
                namespaces=given.namespace,
                name=given.name,
                on_ready=lambda face: print(f"ready {face.url} kubeconfig {given.kubeconfig}", flush=True),
            )
        )
    except (OSError, ClusterError) as error:
        print(f"[FATAL]: {error}", file=sys.stderr)
        return 1
    return 0


async def _make_namespaces(cluster: EmbeddedCluster, names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(AlreadyExists):
            await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
