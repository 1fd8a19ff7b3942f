"""Length, docstrings, names and calls: the habits of CONTRIBUTING.md that a program can check."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.architecture.source import (
    ROOT,
    SourceFile,
    calls,
    dotted,
    expect_none,
    functions,
    imports,
    parse,
    source_files,
)

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "types"}
BANNED_CALLS = {
    "asyncio.sleep": "wait for an event or a deadline",
    "time.sleep": "wait for an event or a deadline",
    "asyncio.Lock": "a lock means two owners: give the state to one task",
    "asyncio.ensure_future": "start the task in a TaskGroup",
    "asyncio.get_event_loop": "say asyncio.get_running_loop",
}
BANNED_CALLS_OF_OURS = {
    "json.loads": "untrusted bytes go through codec",
    "msgspec.json.decode": "untrusted bytes go through codec",
}
CODEC = "src/argocd_agent/codec/"
TOP_OF_A_PROGRAM = ("src/argocd_agent/cli/main.py", "src/argocd_agent/cli/ctl.py")
EVERYTHING = {"Exception", "BaseException"}
REASONED = re.compile(r"#\s*type: ignore\[[\w, -]+\]\s+#\s*\w")


def too_long(file: SourceFile) -> Iterator[str]:
    """Files and functions over their limit."""
    lines = file.text.count("\n")
    if lines >= LONGEST_FILE:
        yield f"{file.path}: {lines} lines, fewer than {LONGEST_FILE} wanted: cut it where a second idea begins"
    for function in functions(file):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length >= LONGEST_FUNCTION:
            yield (
                f"{file.at(function)}: {function.name} has {length} lines, fewer than {LONGEST_FUNCTION} wanted:"
                " name a part of it, or make it a table"
            )


def undocumented(file: SourceFile) -> Iterator[str]:
    """Modules without a docstring, and public classes and functions of the product without one."""
    is_test = Path(file.path).name.startswith("test_")  # there the names are the claims
    if file.tree.body and not is_test and ast.get_docstring(file.tree) is None:
        yield f"{file.path}: no docstring: say what the module promises, leaves out, and how it is driven"
    if not file.is_ours:
        return
    for node in file.tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _explains_itself(node):
            yield f"{file.at(node)}: {node.name} is public and has no docstring: say in one line what one gets"


def _explains_itself(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is one signature of several, or spells out a shape that the module's docstring gives the source of."""
    if isinstance(node, ast.ClassDef):
        return "msgspec.Struct" in {dotted(base) for base in node.bases}
    return any(dotted(decorator).endswith("overload") for decorator in node.decorator_list)


def badly_named(file: SourceFile) -> Iterator[str]:
    """Modules and packages named after nothing in particular."""
    for part in Path(file.path).with_suffix("").parts:
        if part in BANNED_NAMES:
            yield f"{file.path}: '{part}' says nothing of what is inside: name it after its one idea"


def banned_calls(file: SourceFile) -> Iterator[str]:
    """Calls that have a better form here."""
    banned = BANNED_CALLS | (BANNED_CALLS_OF_OURS if file.is_ours and not file.path.startswith(CODEC) else {})
    for call, name in calls(file):
        if name in banned:
            yield f"{file.at(call)}: {name} is banned: {banned[name]}"
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if f"{node.module}.{alias.name}" in banned:
                yield f"{file.at(node)}: import the module, so that {alias.name} can be found as {node.module}'s"


def nameless_tasks(file: SourceFile) -> Iterator[str]:
    """Tasks without a name, which no log line and no deadlock report could tell apart."""
    for node in ast.walk(file.tree):
        if (
            file.is_ours
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "create_task"
            and "name" not in {keyword.arg for keyword in node.keywords}
        ):
            yield f"{file.at(node)}: a task without a name: say create_task(…, name=…)"


def catching_everything(file: SourceFile) -> Iterator[str]:
    """Handlers that would catch our own bugs too."""
    if file.path in TOP_OF_A_PROGRAM:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
            ends = node.body[-1]
            cleans_up = isinstance(ends, ast.Raise) and ends.exc is None
            if not cleans_up and (not caught or EVERYTHING & {dotted(one) for one in caught}):
                yield f"{file.at(node)}: catches everything: name what can be dealt with here, and let the rest rise"


def patched(file: SourceFile) -> Iterator[str]:
    """Mocks and patches; a seam has a fake in tests/support instead."""
    for node, name in imports(file):
        if name in {"mock", "unittest.mock"}:
            yield f"{file.at(node)}: a mock asserts on calls: write a fake of ten lines in tests/support"
    for function in functions(file):
        if "monkeypatch" in {argument.arg for argument in function.args.args}:
            yield f"{file.at(function)}: {function.name} patches: pass the thing in as an argument instead"


def unreasoned(file: SourceFile) -> Iterator[str]:
    """Silenced type errors that do not say why, and unfinished work without an issue."""
    for number, line in enumerate(file.text.splitlines(), start=1):
        if re.search(r"#\s*type: ignore", line) and not REASONED.search(line):
            yield f"{file.path}:{number}: a type error is silenced without a reason: add `# because …` after the code"
        if re.search(r"#\s*(TODO|FIXME|XXX)\b(?!\(#\d+\))", line):
            yield f"{file.path}:{number}: unfinished: finish it, or name its issue as in TODO(#12)"


def test_every_package_has_an_init() -> None:
    folders = {Path(file.path).parent for file in source_files() if file.is_ours}

    bare = sorted(str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists())
    assert not bare, (
        f"no __init__.py in {', '.join(bare)}: add one that says what the package promises,"
        " or the contract of layers does not see it"
    )


CHECKS: list[Callable[[SourceFile], Iterable[str]]] = [
    too_long,
    undocumented,
    badly_named,
    banned_calls,
    nameless_tasks,
    catching_everything,
    patched,
    unreasoned,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_file_is(check: Callable[[SourceFile], Iterable[str]]) -> None:
    expect_none(check)


BAD: list[tuple[Callable[[SourceFile], Iterable[str]], str, str]] = [
    (too_long, "tests/unit/test_a.py", "x = 1\n" * 400),
    (too_long, "tests/unit/test_a.py", "def a() -> None:\n" + "    x = 1\n" * 59),
    (undocumented, "tests/support/a.py", "x = 1\n"),
    (undocumented, "src/argocd_agent/peer/a.py", '"""Doc."""\ndef visible() -> None: ...'),
    (undocumented, "src/argocd_agent/peer/a.py", '"""Doc."""\nclass Visible: ...'),
    (badly_named, "src/argocd_agent/peer/utils.py", ""),
    (badly_named, "tests/common/a.py", ""),
    (banned_calls, "tests/unit/test_a.py", "import asyncio\nasync def f() -> None:\n    await asyncio." + "sleep(0)"),
    (banned_calls, "tests/unit/test_a.py", "from time import sleep"),
    (nameless_tasks, "src/argocd_agent/peer/a.py", "group.create_task(f())"),
    (banned_calls, "src/argocd_agent/peer/a.py", "import msgspec\nmsgspec.json.decode(b'')"),
    (catching_everything, "src/argocd_agent/peer/a.py", "try:\n    f()\nexcept:\n    pass"),
    (catching_everything, "src/argocd_agent/peer/a.py", "try:\n    f()\nexcept (KeyError, Exception):\n    pass"),
    (patched, "tests/unit/test_a.py", "from unittest.mock import Mock"),
    (patched, "tests/unit/test_a.py", "def test_a(monkeypatch: object) -> None: ..."),
    (unreasoned, "tests/unit/test_a.py", "x = 1  # type: " + "ignore[assignment]"),
    (unreasoned, "tests/unit/test_a.py", "x = 1  # TO" + "DO: more"),
]

GOOD: list[tuple[Callable[[SourceFile], Iterable[str]], str, str]] = [
    (too_long, "tests/unit/test_a.py", "x = 1\n" * 399),
    (too_long, "tests/unit/test_a.py", "def a() -> None:\n" + "    x = 1\n" * 58),
    (undocumented, "src/argocd_agent/peer/a.py", '"""Doc."""\ndef _hidden() -> None: ...'),
    (nameless_tasks, "src/argocd_agent/peer/a.py", "group.create_task(f(), name='f')"),
    (undocumented, "src/argocd_agent/peer/a.py", '"""Doc."""\nclass Row(msgspec.Struct):\n    name: str'),
    (catching_everything, "src/argocd_agent/peer/a.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (banned_calls, "src/argocd_agent/codec/a.py", "import msgspec\nmsgspec.json.decode(b'')"),
    (catching_everything, "src/argocd_agent/cli/main.py", "try:\n    f()\nexcept Exception:\n    pass"),
    (catching_everything, "src/argocd_agent/peer/a.py", "try:\n    f()\nexcept KeyError:\n    pass"),
    (unreasoned, "tests/unit/test_a.py", "x = 1  # type: " + "ignore[assignment]  # the point of this test"),
]


@pytest.mark.parametrize(("check", "path", "text"), BAD)
def test_a_fault_is_found(check: Callable[[SourceFile], Iterable[str]], path: str, text: str) -> None:
    assert len(list(check(parse(path, text)))) == 1


@pytest.mark.parametrize(("check", "path", "text"), GOOD)
def test_what_is_allowed_is_not_found(check: Callable[[SourceFile], Iterable[str]], path: str, text: str) -> None:
    assert list(check(parse(path, text))) == []
