"""Log levels are read as the reference reads them."""

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.settings.loglevels import SUBSYSTEMS, Level, parse_levels


@pytest.mark.feature("P-114", "A-100", "C-103")
def test_a_bare_level_holds_for_every_subsystem() -> None:
    levels, warnings = parse_levels(("debug",))

    assert levels.general is Level.DEBUG
    assert set(levels.subsystems.values()) == {Level.DEBUG}
    assert warnings == ()


def test_a_bare_level_leaves_subsystems_named_earlier_alone() -> None:
    levels, _ = parse_levels(("grpc-event=trace", "warning"))

    assert levels.subsystems == {**dict.fromkeys(SUBSYSTEMS, Level.WARNING), "grpc-event": Level.TRACE}


@pytest.mark.feature("P-114", "A-100", "C-103")
def test_a_subsystem_named_later_has_its_own_level() -> None:
    levels, _ = parse_levels(("warning", "grpc-event=trace"))

    assert (levels.general, levels.subsystems["grpc-event"]) == (Level.WARNING, Level.TRACE)


def test_an_empty_level_is_info_and_case_does_not_count() -> None:
    assert parse_levels(("",))[0].general is Level.INFO
    assert parse_levels(("ERROR",))[0].general is Level.ERROR


@pytest.mark.parametrize("word", ["warn", "panic", "verbose", "grpc-event=loud"])
def test_an_unknown_level_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="is not a log level"):
        parse_levels((word,))


@pytest.mark.parametrize("item", ["nobody=info", "a=b=c"])
def test_an_unknown_subsystem_is_skipped_with_a_warning(item: str) -> None:
    levels, warnings = parse_levels((item, "error"))

    assert levels.general is Level.ERROR
    assert len(warnings) == 1
    assert item in warnings[0]
