"""What a person sees of a tour, where there is no terminal."""

import io

import pytest
from rich.console import Console

from argocd_agent.demo.argo import pause
from argocd_agent.demo.screen import Screen
from tests.support.loop import run


def a_screen() -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    return Screen(Console(file=written, width=100, highlight=False)), written


async def _fail() -> None:
    raise ValueError("it broke")


def test_each_thing_is_told_when_it_is_seen_and_again_in_the_summary() -> None:
    async def test() -> str:
        screen, written = a_screen()
        screen.step("1  Create", "A story [with brackets].")
        await screen.see({"the late one": pause(2), "the early one": pause(1)})
        screen.summary()
        return written.getvalue()

    text = run(test())

    live, _, summary = text.partition("What was seen")
    assert "A story [with brackets]." in live
    assert live.index("✓ the early one") < live.index("✓ the late one")
    assert summary.index("the early one") < summary.index("the late one")
    assert summary.count("1  Create") == 1


def test_what_does_not_come_is_not_told_as_seen() -> None:
    async def test() -> str:
        screen, written = a_screen()
        with pytest.raises(ExceptionGroup):
            await screen.see({"the impossible": _fail()})
        screen.failed("it broke", [("the principal", ["line one", "line [two]"])])
        return written.getvalue()

    text = run(test())

    assert "✓" not in text
    assert "✗ it broke" in text
    assert "last lines of the principal" in text
    assert "line [two]" in text


def test_what_it_is_busy_with_is_a_line_each_where_nothing_can_move() -> None:
    screen, written = a_screen()

    with screen.busy() as tell:
        tell("starting the API servers")
        tell("waiting for the agents")

    assert written.getvalue().split("\n") == ["  starting the API servers", "  waiting for the agents", ""]
