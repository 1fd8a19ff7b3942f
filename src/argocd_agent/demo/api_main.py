"""One cluster of the demo as a process: an embedded API server with TLS. `python -m argocd_agent.demo.api_main --help`.

The face's own command serves plain HTTP, and over plain HTTP kubectl sends no credentials. Prints one ready line, ends
with status 0 on SIGINT and SIGTERM; objects are gone with it.
"""

import argparse
import asyncio
import signal
import ssl
from pathlib import Path

from argocd_agent.backends.embedded import open_memory
from argocd_agent.backends.embedded.face.server import serve
from argocd_agent.errors import AlreadyExists
from argocd_agent.resources.kinds import NAMESPACES
from argocd_agent.resources.objects import Metadata, new_object


def main() -> int:
    """Serve until a signal; the exit status."""
    parser = argparse.ArgumentParser(description="One cluster of the demo.")
    parser.add_argument("--name", required=True, help="name of the context in the kubeconfig")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="where to write the kubeconfig")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM of certificate and key to serve with")
    parser.add_argument("--ca", type=Path, required=True, help="PEM of the CA, for the kubeconfig")
    parser.add_argument("--namespace", action="append", default=[], help="a namespace to make at the start")
    asyncio.run(_run(parser.parse_args()))
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(arguments.certificate)
    cluster = open_memory()
    for name in arguments.namespace:
        try:
            await cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=name)))
        except AlreadyExists:
            continue
    async with serve(cluster, tls=tls, ca=arguments.ca.read_bytes(), name=arguments.name) as face:
        face.write_kubeconfig(arguments.kubeconfig, namespace=arguments.namespace[0])
        print(f"ready {face.url}", flush=True)
        await stopped.wait()
    await cluster.close()


if __name__ == "__main__":
    raise SystemExit(main())
