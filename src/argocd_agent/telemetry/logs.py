"""Logs: a fixed sentence plus fields, to stdout up to info and to stderr from warning on.

    log = get_log("inbound")
    log.info("An agent connected to the subscription stream", {fields.AGENT: name})

Lines are formatted by the caller and written by one thread, so that a reader of stdout that stands still does not stop
the event loop. At most `LINES_WAITING` lines wait; what comes then is dropped, and the next line written says how many.
"""

import logging
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from argocd_agent.settings.loglevels import SUBSYSTEMS, Level, Levels
from argocd_agent.telemetry.format import json_line, text_line

ROOT = "argocd_agent"
LINES_WAITING = 10_000
_STDOUT, _STDERR = 1, 2
_DRAIN_SECONDS = 2.0
_NO_FIELDS: Mapping[str, object] = {}


class Log:
    """One module's way to log. A sentence never holds data; data goes into fields named in `fields`."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def trace(self, sentence: str, fields: Mapping[str, object] = _NO_FIELDS) -> None:
        """Every byte, nearly."""
        self._emit(Level.TRACE, sentence, fields)

    def debug(self, sentence: str, fields: Mapping[str, object] = _NO_FIELDS) -> None:
        """One event."""
        self._emit(Level.DEBUG, sentence, fields)

    def info(self, sentence: str, fields: Mapping[str, object] = _NO_FIELDS) -> None:
        """A state changed."""
        self._emit(Level.INFO, sentence, fields)

    def warning(self, sentence: str, fields: Mapping[str, object] = _NO_FIELDS) -> None:
        """A person may want to know."""
        self._emit(Level.WARNING, sentence, fields)

    def error(
        self, sentence: str, fields: Mapping[str, object] = _NO_FIELDS, raised: BaseException | None = None
    ) -> None:
        """A person must act. *raised* adds its traceback."""
        self._emit(Level.ERROR, sentence, fields, raised)

    def is_enabled(self, level: Level) -> bool:
        """Whether a line of *level* would be written; ask before collecting costly fields."""
        return self._logger.isEnabledFor(level)

    def _emit(
        self, level: Level, sentence: str, fields: Mapping[str, object], raised: BaseException | None = None
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        # A record of our own: logging's own way looks up the caller's line each time, which nobody reads.
        error = None if raised is None else (type(raised), raised, raised.__traceback__)
        record = logging.LogRecord(self._logger.name, level, "", 0, sentence, (), error)
        record.__dict__["fields"] = fields
        self._logger.handle(record)


def get_log(module: str, subsystem: str = "") -> Log:
    """The log of *module*. A *subsystem* (one of `loglevels.SUBSYSTEMS`) has a level of its own."""
    return Log(logging.getLogger(".".join(part for part in (ROOT, subsystem, module) if part)))


@contextmanager
def logging_to(levels: Levels, style: str, out: int = _STDOUT, err: int = _STDERR) -> Iterator[None]:
    """Log to the file descriptors *out* and *err* in *style* (text or json) until the end of the block.

    Libraries' own lines come through from warning on.
    """
    writers = {out: _Writer(out), err: _Writer(err)}
    handler = _Handler(style, writers[out], writers[err])
    root = logging.getLogger()
    before, level_before = list(root.handlers), root.level
    root.handlers[:] = [handler]
    root.setLevel(Level.WARNING)
    set_levels(levels)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level_before)
        for writer in writers.values():
            writer.close()


def set_levels(levels: Levels) -> None:
    """From now on log from these levels on."""
    for level in Level:
        logging.addLevelName(level, level.name)
    logging.getLogger(ROOT).setLevel(levels.general)
    for name in SUBSYSTEMS:
        logging.getLogger(f"{ROOT}.{name}").setLevel(levels.subsystems.get(name, levels.general))


class _Handler(logging.Handler):
    """Formats a record and leaves the line with the writer of its severity."""

    def __init__(self, style: str, out: "_Writer", err: "_Writer") -> None:
        super().__init__()
        self._line = json_line if style == "json" else text_line
        self._out, self._err = out, err

    def emit(self, record: logging.LogRecord) -> None:
        writer = self._err if record.levelno >= Level.WARNING else self._out
        writer.put(self._line(record))


class _Writer:
    """A thread that writes lines to a file descriptor. The queue between is the only thing both sides touch."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name=f"log-{descriptor}", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        if self._waiting.qsize() >= LINES_WAITING:
            self._dropped += 1
            return
        if self._dropped:
            line, self._dropped = f"{self._dropped} log lines were dropped: nobody read them\n{line}", 0
        self._waiting.put(line)

    def close(self) -> None:
        """Write what waits, for at most two seconds: a reader that stands still does not keep the program alive."""
        self._waiting.put(None)
        self._thread.join(_DRAIN_SECONDS)

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            lines, is_last = [line], False
            while not self._waiting.empty() and not is_last and len(lines) < LINES_WAITING:
                following = self._waiting.get()
                is_last = following is None
                lines.append(following or "")
            if not _write(self._descriptor, "".join(lines).encode()) or is_last:
                return


def _write(descriptor: int, data: bytes) -> bool:
    """Whether all of *data* was written; False when nobody is at the other end any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError:
            return False
    return True
