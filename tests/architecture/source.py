"""The Python files of this repository, parsed once, for the tests of its shape.

Generated files are left out. A check is a function from one file to findings, each a line that begins with the place
and ends with what to do; a test says `expect_none(check)`.
"""

import ast
import functools
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "bench", "fuzz", "proto", "docs", "requirements")
GENERATED = ("src/argocd_agent/wire/proto/", "src/argocd_agent/transport/generated/")
PACKAGE = "argocd_agent"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path from the root, its text, and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Its dotted name inside our package, "" for the package itself; empty for all other files too."""
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[2:]).removesuffix("__init__").removesuffix(".") if self.is_ours else ""

    @property
    def package(self) -> str:
        """The top-level package, that is the layer, it belongs to."""
        return self.module.split(".")[0]

    @property
    def is_ours(self) -> bool:
        """Whether this is the product and not its tests and tools."""
        return self.path.startswith(f"src/{PACKAGE}/")

    def at(self, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
        """Where *node* stands, as an editor reads it."""
        return f"{self.path}:{node.lineno}"


def parse(path: str, text: str) -> SourceFile:
    """*text* as if it stood at *path*."""
    return SourceFile(path=path, text=text, tree=ast.parse(text, filename=path))


@functools.cache
def tracked_files() -> tuple[str, ...]:
    """Every file that is in the repository or would be added to it, from the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file()))


@functools.cache
def source_files() -> tuple[SourceFile, ...]:
    """Every Python file that a person writes."""
    return tuple(
        parse(path, (ROOT / path).read_text(encoding="utf-8"))
        for path in tracked_files()
        if path.endswith(".py") and path.split("/")[0] in FOLDERS and not path.startswith(GENERATED)
    )


def expect_none(check: Callable[[SourceFile], Iterable[str]]) -> None:
    """Fail the test with all that *check* finds in all files, if it finds anything."""
    if found := [line for file in source_files() for line in check(file)]:
        pytest.fail("\n".join([f"{check.__name__}: {check.__doc__}", *found]), pytrace=False)


def imports(file: SourceFile) -> Iterator[tuple[ast.stmt, str]]:
    """Every module that *file* imports, at whatever depth, as the dotted name that stands there."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node, node.module


def calls(file: SourceFile) -> Iterator[tuple[ast.Call, str]]:
    """Every call whose function is a plain dotted name, with that name."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            yield node, name


def dotted(node: ast.expr) -> str:
    """`a.b.c` as text; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            before = dotted(value)
            return f"{before}.{attribute}" if before else ""
        case _:
            return ""


def functions(file: SourceFile) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    for node in ast.walk(file.tree):
        if isinstance(node, Function):
            yield node
