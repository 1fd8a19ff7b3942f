"""Runs `async def test_…`: on virtual time, or in real time where a test needs sockets or processes.

Real time is for everything under tests/e2e and tests/clusters, and for what is marked `real_time`. Async fixtures
are not supported: a test says `async with` itself, so that its clean-up runs in its own task group.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support import loop

REAL_TIME_FOLDERS = {"e2e", "clusters"}
TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function on its loop. None: pytest calls the test as it would have anyway."""
    function = pyfuncitem.obj
    if getattr(function, "is_hypothesis_test", False):
        inner = function.hypothesis.inner_test
        if inspect.iscoroutinefunction(inner):
            function.hypothesis.inner_test = _synchronous(inner, pyfuncitem)
        return None
    if not inspect.iscoroutinefunction(function):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(function).parameters}
    _synchronous(function, pyfuncitem)(**arguments)
    return True


def _synchronous(function: Callable[..., Awaitable[None]], item: pytest.Function) -> Callable[..., None]:
    """*function* as one that returns when its coroutine has ended."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        _run(function(*args, **kwargs), item)

    return call


def _run(main: Any, item: pytest.Function) -> None:
    coroutine: Coroutine[Any, Any, None] = main
    marker = item.get_closest_marker("real_time")
    if marker is None and REAL_TIME_FOLDERS.isdisjoint(item.path.relative_to(TESTS).parts):
        loop.run(coroutine)
        return
    timeout_seconds = loop.REAL_TIME_TIMEOUT_SECONDS
    if marker is not None and (marker.args or "timeout" in marker.kwargs):
        timeout_seconds = float(marker.kwargs.get("timeout", *marker.args))
    loop.run_in_real_time(coroutine, timeout_seconds)
