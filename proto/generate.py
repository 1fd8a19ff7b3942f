"""Turn `proto/*.proto` into the message classes of `argocd_agent.wire.proto`. This is what `make proto` runs.

Messages and their type stubs only: our gRPC services are thin and written by hand. The sources are shown to protoc
under the path where the classes will live, so that its output imports itself correctly. The same sources and the same
grpcio-tools give the same bytes.
"""

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]  # it has no stubs

SOURCES = Path(__file__).parent
PACKAGE = "argocd_agent/wire/proto"


def generate(root: Path) -> None:
    """Write `*_pb2.py` and `*_pb2.pyi` below *root*, at the path of the package. Exits where protoc fails."""
    (root / PACKAGE).mkdir(parents=True, exist_ok=True)
    names = sorted(f"{PACKAGE}/{source.name}" for source in SOURCES.glob("*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PACKAGE}={SOURCES}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={root}",
            f"--pyi_out={root}",
            *names,
        ]
    )
    if status != 0:
        sys.exit(status)


if __name__ == "__main__":
    generate(SOURCES.parent / "src")
