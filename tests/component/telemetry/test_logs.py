"""Logs through real file descriptors: where lines go, levels, and a reader that stands still."""

import json
import logging
import os
from pathlib import Path

import pytest

from argocd_agent.settings.loglevels import Level, Levels, parse_levels
from argocd_agent.telemetry.logs import LINES_WAITING, get_log, logging_to


def written(folder: Path, levels: Levels, style: str = "text") -> tuple[list[str], list[str]]:
    """What goes to stdout and stderr when every level is used once, by us, a subsystem and a library."""
    out, err = folder / "out", folder / "err"
    with (
        out.open("wb") as out_file,
        err.open("wb") as err_file,
        logging_to(levels, style, out_file.fileno(), err_file.fileno()),
    ):
        for log in (get_log("Server"), get_log("Stream", "grpc-event")):
            log.trace("a trace")
            log.debug("a debug line")
            log.info("an info line", {"agent": "one"})
            log.warning("a warning")
            log.error("an error", raised=ValueError("boom"))
        logging.getLogger("grpc").info("from a library")
        logging.getLogger("grpc").warning("a library's warning")
    return out.read_text().splitlines(), err.read_text().splitlines()


def test_warnings_and_worse_go_to_stderr_the_rest_to_stdout(tmp_path: Path) -> None:
    out, err = written(tmp_path, Levels(Level.INFO))

    assert len(out) == 2
    assert all(" level=info " in line for line in out)
    assert [line.split("level=")[1].split()[0] for line in err] == ["warning", "error", "warning", "error", "warning"]


@pytest.mark.feature("P-114", "A-100", "C-103")
def test_a_subsystem_can_say_more_than_the_rest(tmp_path: Path) -> None:
    out, _ = written(tmp_path, parse_levels(("error", "grpc-event=trace"))[0])

    assert [line.split("level=")[1].split()[0] for line in out] == ["trace", "debug", "info"]
    assert all("module=Stream" in line for line in out)


@pytest.mark.feature("P-114", "A-100", "C-103")
def test_json_lines_are_json(tmp_path: Path) -> None:
    out, err = written(tmp_path, Levels(Level.INFO), "json")

    assert json.loads(out[0])["agent"] == "one"
    assert "ValueError: boom" in json.loads(err[1])["trace"]


def test_a_reader_that_stands_still_costs_lines_not_time() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    log = get_log("Server")
    try:
        with logging_to(Levels(Level.INFO), "text", writer, writer):
            for _ in range(LINES_WAITING + 5_000):
                log.info("nobody reads this sentence, which is long enough to fill a pipe soon")
            read = b""
            while b"log lines were dropped" not in read:
                log.info("one more")
                read = read[-200:] + _drained(reader)
    finally:
        os.close(writer)
        os.close(reader)

    assert b"log lines were dropped: nobody read them" in read


def test_logging_is_as_before_afterwards(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)

    written(tmp_path, Levels(Level.INFO))

    assert logging.getLogger().handlers == before


def _drained(reader: int) -> bytes:
    try:
        return os.read(reader, 1 << 20)
    except BlockingIOError:
        return b""
