"""A log record as one line: logfmt for people, JSON for machines. What looks like a secret is masked in both."""

import logging
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

from argocd_agent.codec import encode

MASK = "***"

_LEVELS = ((50, "fatal"), (40, "error"), (30, "warning"), (20, "info"), (10, "debug"), (0, "trace"))
_SECRET_NAMES = frozenset(
    {"password", "passwd", "token", "accesstoken", "refreshtoken", "authorization", "credentials"}
)
_BARE = re.compile(r"[A-Za-z0-9._/@^+\-:,*]+")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def level_name(number: int) -> str:
    """The name of the highest level not above *number*."""
    return next(name for lowest, name in _LEVELS if number >= lowest)


def mask(text: str) -> str:
    """*text* without private keys and tokens."""
    if "PRIVATE KEY" in text:
        text = _KEY.sub(MASK, text)
    return _TOKEN.sub(MASK, text) if "eyJ" in text else text


def text_line(record: logging.LogRecord) -> str:
    """`time=… level=… msg=… key=value`, keys sorted, values quoted where needed."""
    parts = [
        f'time="{_time(record)}"',
        f"level={level_name(record.levelno)}",
        f"msg={_quoted(mask(record.getMessage()))}",
    ]
    parts += [f"{name}={_quoted(_masked(name, value))}" for name, value in sorted(_fields(record).items())]
    return " ".join(parts) + "\n"


def json_line(record: logging.LogRecord) -> str:
    """One JSON object with `time`, `level`, `msg` and the fields. Numbers and booleans stay what they are."""
    head: dict[str, object] = {
        "time": _time(record),
        "level": level_name(record.levelno),
        "msg": mask(record.getMessage()),
    }
    rest = {name: _plain(name, value) for name, value in _fields(record).items() if name not in head}
    return encode(head | rest).decode() + "\n"


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    fields: dict[str, object] = {"module": record.name.rpartition(".")[2]}
    given = record.__dict__.get("fields")
    if isinstance(given, Mapping):
        fields |= given
    if record.exc_info and record.exc_info[1] is not None:
        fields["trace"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return fields


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _masked(name: str, value: object) -> str:
    return MASK if name.lower().replace("_", "") in _SECRET_NAMES else mask(str(value))


def _plain(name: str, value: object) -> object:
    masked = _masked(name, value)
    return value if isinstance(value, bool | int | float) and masked != MASK else masked


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    return encode(value).decode()
