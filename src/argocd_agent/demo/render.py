"""A folder of a repository → the objects in it: plain YAML or JSON, a kustomization, or a Helm chart.

Which of them it is, is told as Argo CD tells it: by Chart.yaml, by kustomization.yaml, else plain. The tools kustomize
(or kubectl, which contains it) and helm are used where this machine has them; where a folder needs one that is absent,
the message says so. What a tool may take is bounded in time.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.codec import encode
from argocd_agent.demo.documents import parse_documents
from argocd_agent.demo.merge import Fields
from argocd_agent.demo.model import Source, Unsupported

TOOL_TIMEOUT_SECONDS = 60.0
FILE_LIMIT_BYTES = 8 * 1024 * 1024
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_SUFFIXES = (".yaml", ".yml", ".json")
Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a source holds. `type` is Argo CD's word: Directory, Kustomize or Helm."""

    type: str
    documents: list[Fields]


async def render(
    checkout: Path, source: Source, application: str, namespace: str, which: Which = shutil.which
) -> Rendered:
    """The objects at *source* in *checkout*; *which* finds the tools. Raises `Unsupported`."""
    root, folder = _folder(checkout, source)
    if (folder / "Chart.yaml").exists():
        command, values = _helm(root, folder, source, application, namespace, which)
        return Rendered("Helm", parse_documents(await _output(command, values), source.path))
    if any((folder / name).exists() for name in _KUSTOMIZATIONS):
        return Rendered("Kustomize", parse_documents(await _output(_kustomize(folder, source, which)), source.path))
    return Rendered("Directory", await asyncio.to_thread(_plain, folder, source.directory.recurse))


def _folder(checkout: Path, source: Source) -> tuple[Path, Path]:
    root = checkout.resolve()
    folder = (root / source.path).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise Unsupported(f"{source.repo_url}: app path does not exist: {source.path}")
    return root, folder


def _plain(folder: Path, recurse: bool) -> list[Fields]:
    found: list[Fields] = []
    for path in sorted(folder.rglob("*") if recurse else folder.iterdir()):
        hidden = ".git" in path.relative_to(folder).parts
        if path.suffix not in _SUFFIXES or hidden or not path.is_file():
            continue
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise Unsupported(f"{path.name}: more than {FILE_LIMIT_BYTES} bytes")
        found += parse_documents(path.read_text(encoding="utf-8", errors="replace"), path.name)
    return found


def _kustomize(folder: Path, source: Source, which: Which) -> list[str]:
    if which("kustomize"):
        return ["kustomize", "build", str(folder)]
    if which("kubectl"):
        return ["kubectl", "kustomize", str(folder)]
    raise Unsupported(
        f"{source.path} is a kustomization, which needs the program kustomize or kubectl: neither is here"
    )


def _helm(
    root: Path, folder: Path, source: Source, application: str, namespace: str, which: Which
) -> tuple[list[str], bytes]:
    """The command as Argo CD gives it, and the values for its standard input."""
    if not which("helm"):
        raise Unsupported(f"{source.path} is a Helm chart, which needs the program helm: it is not here")
    helm = source.helm
    command = ["helm", "template", helm.release_name or application, str(folder)]
    command += ["--namespace", namespace, "--include-crds"]
    for name in helm.value_files:
        path = (folder / name).resolve()
        if not path.is_relative_to(root):
            raise Unsupported(f"{source.path}: value file {name} is outside of the repository")
        command += ["--values", str(path)]
    values = encode(helm.values_object) if helm.values_object is not None else helm.values.encode()
    if values:
        command += ["--values", "-"]
    for parameter in helm.parameters:
        flag = "--set-string" if parameter.force_string else "--set"
        command += [flag, f"{parameter.name}={parameter.value}"]
    return command, values


async def _output(command: list[str], given: bytes = b"") -> str:
    """What a tool prints. Raises `Unsupported` with its complaint when it fails or takes too long."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(TOOL_TIMEOUT_SECONDS):
            output, errors = await process.communicate(given)
    except TimeoutError as error:
        raise Unsupported(f"{command[0]} {command[1]}: no answer within {TOOL_TIMEOUT_SECONDS:.0f} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # closes its pipes too
    if process.returncode:
        said = " ".join(errors.decode(errors="replace").split()) or f"exit status {process.returncode}"
        raise Unsupported(f"{command[0]} {command[1]}: {said}")
    return output.decode(errors="replace")
