"""Writes requirements/runtime.txt and requirements/dev.txt: every package pinned, with the hashes of all its files.

Source: the dependencies and the dev group of pyproject.toml. What is pinned already stays at its version;
`--upgrade` lets all of it move. The files name no registry, so `make setup` uses whichever one pip is set up with.
Run by `make lock`, on the oldest Python that is supported: newer ones need a subset.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent
OLDEST = (3, 11)
HEADER = """\
# Written by `make lock` from pyproject.toml; not edited. {what}
"""
OPTIONS = [
    *("--quiet", "--no-config", "--no-header", "--generate-hashes", "--allow-unsafe", "--strip-extras"),
    *("--no-emit-options", "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
    *("--no-annotate", "--resolver", "backtracking"),
]


def main() -> None:
    """Write both files; dev.txt holds what runtime.txt holds, at the same versions."""
    if sys.version_info[:2] != OLDEST:
        sys.exit(f"make lock: expected Python {OLDEST[0]}.{OLDEST[1]}, the oldest supported, found {sys.version}")
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    compile_one("runtime.txt", runtime, "What the programs need.")
    compile_one(
        "dev.txt", [*runtime, *project["dependency-groups"]["dev"]], "What `make setup` installs.", "runtime.txt"
    )


def compile_one(name: str, requirements: list[str], what: str, constraint: str | None = None) -> None:
    """Pin *requirements* into the file *name*; packages that *constraint* names get its versions."""
    with tempfile.TemporaryDirectory() as scratch:
        source, pinned = Path(scratch, "requirements.in"), Path(scratch, name)
        lines = [*requirements, *([f"-c {FOLDER / constraint}"] if constraint else [])]
        source.write_text("\n".join(lines) + "\n")
        if (FOLDER / name).exists():
            pinned.write_text((FOLDER / name).read_text())
        subprocess.run(
            [sys.executable, "-m", "piptools", "compile", *OPTIONS, *sys.argv[1:], "-o", str(pinned), str(source)],
            check=True,
        )
        kept = [line for line in pinned.read_text().splitlines() if not line.lstrip().startswith("#")]
        (FOLDER / name).write_text(HEADER.format(what=what) + "\n".join(kept).strip() + "\n")


if __name__ == "__main__":
    main()
