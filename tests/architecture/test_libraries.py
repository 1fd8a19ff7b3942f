"""Who may import what: third-party libraries by a table, and what the pure packages may not touch.

The layers themselves are a contract of import-linter (pyproject.toml). This is a table of its own because a contract
of the kind "forbidden" would list, per library, all who may not; what counts is the short list of those who may.
"""

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source import PACKAGE, SourceFile, calls, expect_none, functions, imports, parse

WHO_MAY_IMPORT = {
    "aiohttp": ("backends", "telemetry", "proxies", "principal.page"),
    "bcrypt": ("principal.auth",),
    "click": ("cli", "demo"),
    "cryptography": ("pki",),
    "dulwich": ("demo",),
    "google": ("wire",),
    "grpc": ("transport",),
    "hiredis": ("wire",),
    "joserfc": ("pki",),
    # Shapes are declared where they are read; bytes are decoded by `codec`, see the table of calls in test_shape.
    "msgspec": ("codec", "wire", "resources", "pki", "backends", "demo", "cli"),
    "rich": ("cli", "demo"),
    "uvloop": ("cli", "demo"),
    "watchfiles": ("peer", "backends"),
    "yaml": ("backends", "demo", "cli"),
    "yarl": ("backends", "proxies"),
}
"""A library that is not here is used by nobody: add it with its reason, here and in pyproject.toml."""

PURE = ("errors", "protocol", "codec", "wire", "resources", "pki", "settings")
OUTSIDE_WORLD = {
    *("asyncio", "concurrent", "logging", "multiprocessing", "os", "random", "secrets", "select", "selectors"),
    *("signal", "socket", "ssl", "subprocess", "threading", "time", "uuid"),
}
PURE_BUT = {
    "pki": {"ssl", "secrets", "os"},  # it makes keys, and hands them to ssl without a file
    "settings.load": {"os"},  # the one reader of the environment
}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def libraries_out_of_place(file: SourceFile) -> Iterator[str]:
    """Imports of libraries by packages that have no business with them."""
    for node, name in imports(file) if file.is_ours else ():
        library = name.split(".")[0]
        if library in sys.stdlib_module_names or library == PACKAGE:
            continue
        allowed = WHO_MAY_IMPORT.get(library, ())
        if not any(f"{file.module}.".startswith(f"{package}.") for package in allowed):
            yield (
                f"{file.at(node)}: {library} is for {', '.join(allowed) or 'nobody'}:"
                " go through that package, or argue for a new row in WHO_MAY_IMPORT"
            )


def impurities(file: SourceFile) -> Iterator[str]:
    """What a pure package does that needs a loop, a clock, a log, chance or the environment."""
    if file.package not in PURE or not file.is_ours:
        return
    allowed = PURE_BUT.get(file.package, set()) | PURE_BUT.get(file.module, set())
    way_out = "take it as an argument, or move this to a driver"
    for node, name in imports(file):
        if name.split(".")[0] in OUTSIDE_WORLD - allowed:
            yield f"{file.at(node)}: the pure package {file.package} imports {name}: {way_out}"
    for call, name in calls(file):
        if ".".join(name.split(".")[-2:]) in CLOCKS:
            yield f"{file.at(call)}: the pure package {file.package} calls {name}: {way_out}"
    for function in functions(file):
        if isinstance(function, ast.AsyncFunctionDef):
            yield f"{file.at(function)}: the pure package {file.package} has a coroutine, {function.name}: {way_out}"


def test_each_library_is_imported_only_where_it_belongs() -> None:
    expect_none(libraries_out_of_place)


def test_pure_packages_do_not_touch_the_outside_world() -> None:
    expect_none(impurities)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/argocd_agent/peer/session.py", "import grpc"),
        ("src/argocd_agent/principal/auth/mtls.py", "from aiohttp import web"),
        ("src/argocd_agent/codec/fast.py", "def encode() -> None:\n    import orjson"),
    ],
)
def test_a_library_out_of_place_is_found(path: str, text: str) -> None:
    assert [line.split(":")[0] for line in libraries_out_of_place(parse(path, text))] == [path]


def test_a_library_in_its_place_is_not_found() -> None:
    page = parse("src/argocd_agent/principal/page/routes.py", "from aiohttp import web")

    assert list(libraries_out_of_place(page)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from os import environ",
        "import datetime\nnow = datetime.datetime.now()",
        "async def wait() -> None: ...",
    ],
)
def test_an_impurity_is_found(text: str) -> None:
    assert len(list(impurities(parse("src/argocd_agent/protocol/outbox.py", text)))) == 1


def test_what_a_package_is_excused_for_is_its_own() -> None:
    assert list(impurities(parse("src/argocd_agent/settings/load.py", "import os"))) == []
    assert list(impurities(parse("src/argocd_agent/settings/declare.py", "import os"))) != []
