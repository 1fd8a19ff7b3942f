"""The generated messages are what `make proto` makes of the sources now."""

import subprocess
import sys
from pathlib import Path

import pytest

from argocd_agent.wire import require_upb

ROOT = Path(__file__).parents[3]
PACKAGE = Path("argocd_agent/wire/proto")


def generated(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / PACKAGE).glob("*_pb2.py*") if path.suffix != ".pyc"}


def test_generating_again_gives_the_committed_bytes(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools, a tool of developers, is not installed")

    subprocess.run(  # in a process of its own: protoc's library exits on errors
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from proto.generate import generate;generate(pathlib.Path(sys.argv[1]))",
            tmp_path,
        ],
        check=True,
        cwd=ROOT,
        timeout=60,
    )

    assert generated(tmp_path) == generated(ROOT / "src")
    assert len(generated(tmp_path)) == 2 * len(list((ROOT / "proto").glob("*.proto")))


def test_protobuf_without_its_c_implementation_is_refused_by_name() -> None:
    with pytest.raises(ImportError, match="must run on its C implementation upb, found 'python'"):
        require_upb("python")
