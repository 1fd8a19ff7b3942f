"""Embedded API servers as processes: what `make test` has instead of real clusters.

with faces(folder, 2) as (hub_kubeconfig, spoke_kubeconfig): …
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FACE = (sys.executable, "-m", "argocd_agent.backends.embedded.face")


@contextlib.contextmanager
def faces(folder: Path, count: int) -> Iterator[tuple[Path, ...]]:
    """The kubeconfigs of *count* clusters, with Argo CD's kinds and nothing in them."""
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(_face(folder, f"c{number}")) for number in range(count)]
        yield tuple(_until_ready(process, kubeconfig) for process, kubeconfig in started)


@contextlib.contextmanager
def _face(folder: Path, name: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    kubeconfig = folder / f"{name}.kubeconfig"
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [*FACE, "--kubeconfig", str(kubeconfig), "--name", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield process, kubeconfig
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _until_ready(process: "subprocess.Popen[str]", kubeconfig: Path) -> Path:
    """It says one line when it is ready, and ends its output when it is not going to be."""
    assert process.stdout is not None, "there is a pipe"
    line = process.stdout.readline()
    assert line.startswith("ready"), f"the embedded API server said {line!r}"
    return kubeconfig
