"""The loop that the tests trust: time jumps, a deadlock is named, nothing is left behind."""

import asyncio
import gc
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.loop import Deadlock, LeftBehind, RealInputOutput, run, run_in_real_time


async def _timeout(seconds: float) -> float:
    """When, on the loop's clock, a wait of *seconds* ended."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    return asyncio.get_running_loop().time()


def test_a_thousand_hours_pass_on_exact_numbers() -> None:
    async def main() -> list[float]:
        return [await _timeout(hours) for hours in [3600.0] * 1000]

    assert run(main()) == [3600.0 * (n + 1) for n in range(1000)]


def test_the_clock_lands_on_the_timer_and_not_beside_it() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        await _timeout(0.1)
        wanted = loop.time() + 0.2
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_timeout(0.2))
        return wanted, task.result()

    wanted, found = run(main())

    assert wanted == found


def test_timers_fire_in_the_order_of_their_times() -> None:
    async def main() -> list[float]:
        seen: list[float] = []

        async def note(seconds: float) -> None:
            seen.append(await _timeout(seconds))

        async with asyncio.TaskGroup() as group:
            for seconds in (5.0, 1.0, 3.0):
                group.create_task(note(seconds))
        return seen

    assert run(main()) == [1.0, 3.0, 5.0]


def test_the_clock_stands_still_while_something_can_run() -> None:
    async def main() -> float:
        done = asyncio.Event()
        async with asyncio.timeout(1):
            asyncio.get_running_loop().call_soon(done.set)
            await done.wait()
        return asyncio.get_running_loop().time()

    assert run(main()) == 0.0


def test_waiting_for_what_cannot_happen_is_a_deadlock_that_names_the_task() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait(), name="the one that waits")

    with pytest.raises(Deadlock, match=r"the one that waits at .*locks\.py"):
        run(main())


def test_a_timer_that_renews_itself_forever_ends_in_real_time() -> None:
    async def main() -> None:
        while True:
            await _timeout(1.0)

    with pytest.raises(TimeoutError, match="took too long in real time; the clock shows"):
        run(main(), real_limit_seconds=0.05)


def test_what_the_coroutine_raises_rises() -> None:
    async def main() -> None:
        raise ValueError("of the coroutine")

    with pytest.raises(ValueError, match="of the coroutine"):
        run(main())


def test_a_task_that_outlives_the_test_fails_it() -> None:
    started: list[asyncio.Task[bool]] = []

    async def main() -> None:
        started.append(asyncio.create_task(asyncio.Event().wait(), name="the forgotten one"))

    with pytest.raises(LeftBehind, match="the forgotten one"):
        run(main())


def test_a_callback_that_fails_fails_the_test() -> None:
    def fail() -> None:
        raise ValueError("of the callback")

    async def main() -> None:
        asyncio.get_running_loop().call_later(1, fail)
        await _timeout(2)

    with pytest.raises(LeftBehind, match="of the callback"):
        run(main())


def test_a_task_whose_failure_nobody_reads_fails_the_test() -> None:
    async def fail() -> None:
        raise ValueError("of the task")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await _timeout(1)
        del task
        gc.collect()

    with pytest.raises(LeftBehind, match="of the task"):
        run(main())


def test_work_in_a_thread_does_not_move_the_clock() -> None:
    release = threading.Event()

    async def main() -> tuple[str, float]:
        async with asyncio.timeout(3600):
            waiting = asyncio.create_task(asyncio.to_thread(release.wait, 10.0))
            await asyncio.to_thread(release.set)
            assert await waiting
        return "done", asyncio.get_running_loop().time()

    assert run(main()) == ("done", 0.0)


def test_sockets_are_refused_with_the_way_out() -> None:
    ours, theirs = socket.socketpair()

    async def main() -> None:
        await asyncio.get_running_loop().sock_recv(ours, 1)

    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(RealInputOutput, match=r"pytest\.mark\.real_time"):
            run(main())


def test_a_run_in_real_time_ends_at_its_timeout() -> None:
    with pytest.raises(TimeoutError) as caught:
        run_in_real_time(asyncio.Event().wait(), timeout_seconds=0.01)

    assert caught.value.__notes__ == ["the test took longer than 0.01 s: see where it was cancelled, above"]


async def test_a_coroutine_test_runs_on_virtual_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert tmp_path_factory is not None
    assert await _timeout(86_400) == 86_400


@pytest.mark.real_time
async def test_a_test_marked_real_time_can_use_sockets() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"x")

        assert await asyncio.get_running_loop().sock_recv(ours, 1) == b"x"


@given(st.floats(min_value=0.001, max_value=1e6))
async def test_a_property_of_a_coroutine_runs_on_a_fresh_loop_each_time(seconds: float) -> None:
    assert await _timeout(seconds) == seconds
