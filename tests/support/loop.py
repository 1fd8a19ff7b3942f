"""An event loop whose clock jumps: an hour of waiting costs nothing and lands on exact numbers.

The clock starts at 0 and stands still while anything can run. When nothing can, it jumps to the next timer. When
there is no timer either, every task waits for something that cannot happen, and `Deadlock` names them. A test that
leaves a task running or an exception unnoticed fails too.

Work in a thread (`asyncio.to_thread`, `loop.run_in_executor`) is waited for in real time, and the clock stands still
meanwhile. Sockets, pipes and child processes are refused: a test that needs them is marked `real_time`.

Driven by `run`, and by `tests/conftest.py` for every `async def test_…`.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

REAL_LIMIT_SECONDS = 30.0
"""How long a run may take in real time, however little happens in it: catches a timer that renews itself forever."""

REAL_TIME_TIMEOUT_SECONDS = 60.0
"""How long a test on a real loop may take, unless its marker says otherwise."""


class Deadlock(RuntimeError):
    """Nothing is ready and no timer is set, so the tasks named here would wait forever."""


class RealInputOutput(RuntimeError):
    """Something asked the virtual loop to watch a socket or a pipe."""


class LeftBehind(RuntimeError):
    """The test returned, but tasks it started were still running, or a callback had failed unseen."""


def run(main: Coroutine[Any, Any, T], *, real_limit_seconds: float = REAL_LIMIT_SECONDS) -> T:
    """What *main* returns, after running it on a virtual loop of its own.

    Raises what *main* raises; `Deadlock`, `RealInputOutput` or `LeftBehind` where it breaks the rules above; and
    TimeoutError when it has taken *real_limit_seconds* on the wall.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(real_limit_seconds)) as runner:
        unseen: list[str] = []
        loop = runner.get_loop()
        loop.set_exception_handler(lambda _loop, context: unseen.append(_describe_failure(context)))
        result = runner.run(main)
        running = [task for task in asyncio.all_tasks(loop) if not task.cancelling()]
        if running:
            raise LeftBehind(f"expected every task to have ended with the test; still running:\n{_describe(running)}")
        if unseen:
            raise LeftBehind("expected every failure to reach somebody; unseen were:\n" + "\n".join(unseen))
        return result


def run_in_real_time(main: Coroutine[Any, Any, T], timeout_seconds: float = REAL_TIME_TIMEOUT_SECONDS) -> T:
    """What *main* returns, after running it on the loop of the programs (uvloop), with sockets and processes.

    Raises TimeoutError after *timeout_seconds*.
    """
    import uvloop  # here: tests on virtual time do not need it

    async def limited() -> T:
        limit = asyncio.timeout(timeout_seconds)
        try:
            async with limit:
                return await main
        except TimeoutError as error:
            if limit.expired():
                error.add_note(f"the test took longer than {timeout_seconds:g} s: see where it was cancelled, above")
            raise

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(limited())


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop with another clock, and a selector that moves it instead of waiting."""

    def __init__(self, real_limit_seconds: float = REAL_LIMIT_SECONDS) -> None:
        self.now = 0.0
        self.threads_at_work = 0
        self.real_deadline = time.monotonic() + real_limit_seconds
        self._selector_of_ours = _JumpingSelector(self)
        super().__init__(self._selector_of_ours)
        self._selector_of_ours.is_sealed = True  # asyncio's own wake-up pipe is registered by now

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As asyncio's; the clock stands still until *func* has returned."""
        future = super().run_in_executor(executor, func, *args)
        self.threads_at_work += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """As asyncio's, which waits for a thread of its own. *timeout* exists since Python 3.12."""
        self.threads_at_work += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.threads_at_work -= 1

    def next_timer(self) -> float | None:
        """When the next timer is due. None: there is none."""
        # asyncio tells the selector only the difference, and adding that to the clock misses the exact number.
        timers: list[asyncio.TimerHandle] = vars(self)["_scheduled"]
        return timers[0].when() if timers else None

    def _thread_done(self, _future: asyncio.Future[Any]) -> None:
        self.threads_at_work -= 1


class _JumpingSelector(selectors.DefaultSelector):
    """Watches asyncio's wake-up pipe and nothing else."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.is_sealed = False
        self._loop = loop

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.is_sealed:
            raise RealInputOutput(
                f"the virtual loop does no real I/O, but was asked to watch {fileobj!r}:"
                " use memory streams, or mark the test with pytest.mark.real_time"
            )
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        remaining = self._loop.real_deadline - time.monotonic()
        if remaining <= 0:
            tasks = _describe(asyncio.all_tasks(self._loop))
            self._loop.real_deadline += REAL_LIMIT_SECONDS  # for the clean-up
            raise TimeoutError(f"the run took too long in real time; the clock shows {self._loop.now:g} s:\n{tasks}")
        if self._loop.threads_at_work and timeout != 0:
            return super().select(remaining)
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        due = self._loop.next_timer()
        if due is None:
            tasks = _describe(asyncio.all_tasks(self._loop))
            raise Deadlock(f"nothing is ready and no timer is set at {self._loop.now:g} s; waiting forever:\n{tasks}")
        self._loop.now = max(self._loop.now, due)
        return []


def _describe(tasks: set[asyncio.Task[Any]] | list[asyncio.Task[Any]]) -> str:
    """One line per task: its name, and where it waits."""
    lines = []
    for task in sorted(tasks, key=lambda task: task.get_name()):
        frames = task.get_stack()
        where = f"{frames[-1].f_code.co_filename}:{frames[-1].f_lineno}" if frames else "not started"
        lines.append(f"  {task.get_name()} at {where}")
    return "\n".join(lines)


def _describe_failure(context: dict[str, Any]) -> str:
    return f"  {context['message']}: {context.get('exception')!r}"
