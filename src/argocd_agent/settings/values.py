"""How values are written: one `Value` per sort of value, in the syntax of Go's flag and strconv packages.

A parser takes text and returns the value, or raises `ConfigError` with a sentence that fits after the setting's
name: `99999 is not a port (0 to 65535)`. `show` is the way back, for help texts and the manual.

Limits: integers fit 32 bits, as the reference's; durations are floats, exact to a nanosecond for what people write.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from argocd_agent.errors import ConfigError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?\.?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_INTEGER = re.compile(r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|0|[1-9](_?[0-9])*)")


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """One sort of value. `metavar` stands in help texts.

    With `is_text` anything parses at first sight, so a wrong value in the environment is as fatal as one in a flag.
    """

    metavar: str
    parse: Callable[[str], T]
    show: Callable[[T], str]
    is_text: bool = False
    is_list: bool = False
    is_switch: bool = False


class Secret:
    """A value that must not be seen: its `repr` and `str` are `***`; `reveal` gives it to whoever really needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Never log it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Method:
    """`<method>:<argument>`, as authentication is configured on both ends. An empty setting is `Method("", "")`."""

    name: str
    argument: str


def _parse_boolean(raw: str) -> bool:
    if raw not in _TRUE | _FALSE:
        raise ConfigError(f"{raw!r} is not a boolean (true or false)")
    return raw in _TRUE


def _parse_integer(raw: str) -> int:
    if not _INTEGER.fullmatch(raw):
        raise ConfigError(f"{raw!r} is not a whole number")
    sign, digits = (-1 if raw[0] == "-" else 1), raw.lstrip("+-").replace("_", "")
    is_old_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    number = sign * (int(digits, 8) if is_old_octal else int(digits, 0))
    if not -(2**31) <= number < 2**31:
        raise ConfigError(f"{raw} does not fit 32 bits")
    return number


def _parse_port(raw: str) -> int:
    number = _parse_integer(raw)
    if not 0 <= number <= 65535:
        raise ConfigError(f"{number} is not a port (0 to 65535)")
    return number


def parse_duration(raw: str) -> float:
    """Seconds in a Go duration: `300ms`, `1h20m`, `-1.5s`, `0`. Raises `ConfigError`."""
    unsigned = raw[1:] if raw[:1] in ("+", "-") else raw
    if unsigned == "0":
        return 0.0
    total, at = 0.0, 0
    while part := _DURATION_PART.match(unsigned, at):
        total += float(part[1]) * _UNIT_SECONDS[part[2]]
        at = part.end()
    if at == 0 or at != len(unsigned):
        raise ConfigError(f"{raw!r} is not a duration (such as 30s, 1h20m or 500ms)")
    return -total if raw[0] == "-" else total


def show_duration(seconds: float) -> str:
    """*seconds* as a Go duration, in the largest units that fit: `5m`, `1h20m`, `500ms`, `0`."""
    if seconds == 0:
        return "0"
    if seconds < 0:
        return "-" + show_duration(-seconds)
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{amount:g}{unit}" for amount, unit in parts if amount)


def parse_list(raw: str) -> tuple[str, ...]:
    """Entries between commas, trimmed; empty ones are left out, so an empty variable is an empty list."""
    return tuple(entry for part in raw.split(",") if (entry := part.strip()))


def parse_address(raw: str) -> tuple[str, int] | None:
    """`host:port` or `[v6]:port`; None when empty. Raises `ConfigError`."""
    if not raw:
        return None
    host, colon, port_text = raw.rpartition(":")
    if not colon:
        raise ConfigError(f"{raw!r} is not an address (host:port)")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if not is_ip(host):
            raise ConfigError(f"{raw!r}: {host} is not an IPv6 address")
    elif host and not _HOST.fullmatch(host):
        raise ConfigError(f"{raw!r}: {host!r} is not a host name or IP address")
    if not port_text.isascii() or not port_text.isdigit():
        raise ConfigError(f"{raw!r} is not an address (host:port): {port_text!r} is not a port")
    return host, _parse_port(str(int(port_text)))


def is_ip(text: str) -> bool:
    """Whether *text* is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def show_address(address: tuple[str, int] | None) -> str:
    """`host:port`, with brackets around an IPv6 address; empty for None."""
    if address is None:
        return ""
    host, number = address
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"


def _parse_patterns(raw: str) -> tuple[str, ...]:
    patterns = parse_list(raw)
    for pattern in patterns:
        if not pattern.strip("/"):
            raise ConfigError(f"{pattern!r} is not a namespace pattern (a glob, or /a regular expression/)")
        if pattern.startswith("/") and pattern.endswith("/"):
            _compile(pattern[1:-1], f"{pattern} is not a regular expression")
        elif pattern.count("{") != pattern.count("}") or pattern.count("[") != pattern.count("]"):
            raise ConfigError(f"{pattern!r} is not a namespace pattern: brackets are not closed")
    return patterns


def _parse_regex(raw: str) -> str:
    _compile(raw, f"{raw!r} is not a regular expression")
    return raw


def _compile(expression: str, complaint: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise ConfigError(f"{complaint}: {error}") from error


def _parse_labels(raw: str) -> tuple[tuple[str, str], ...]:
    labels = []
    for entry in parse_list(raw):
        key, equals, value = entry.partition("=")
        if not equals or not key or not _LABEL_VALUE.fullmatch(value):
            raise ConfigError(f"{entry!r} is not a label (key=value, with a value)")
        labels.append((key, value))
    return tuple(labels)


def _parse_method(raw: str) -> Method:
    if not raw:
        return Method("", "")
    name, colon, argument = raw.partition(":")
    if not colon:
        raise ConfigError(f"{raw!r} is not of the form <method>:<configuration>")
    return Method(name.strip(), argument)


def choice(*allowed: str, fold_case: bool = False) -> Value[str]:
    """One of a few words, the empty one included if listed."""

    def parse(raw: str) -> str:
        word = raw.lower() if fold_case else raw
        if word not in allowed:
            raise ConfigError(f"{raw!r} is not {' or '.join(filter(None, allowed))}")
        return word

    return Value("|".join(filter(None, allowed)), parse, str, is_text=True)


def one_of(words: type[E]) -> Value[E]:
    """One of the words of an enumeration."""
    return Value("|".join(words), _member_of(words), str, is_text=True)


def _member_of(words: type[E]) -> Callable[[str], E]:
    def parse(raw: str) -> E:
        try:
            return words(raw)
        except ValueError:
            raise ConfigError(f"{raw!r} is not {' or '.join(words)}") from None

    return parse


def _show_method(method: Method) -> str:
    return f"{method.name}:{method.argument}" if method.name else ""


boolean: Value[bool] = Value("bool", _parse_boolean, lambda value: str(value).lower(), is_switch=True)
integer: Value[int] = Value("int", _parse_integer, str)
optional_integer: Value[int | None] = Value("int", _parse_integer, lambda value: "" if value is None else str(value))
port: Value[int] = Value("port", _parse_port, str)
duration: Value[float] = Value("duration", parse_duration, show_duration)
text: Value[str] = Value("string", str, str, is_text=True)
secret: Value[Secret] = Value("secret", Secret, lambda value: "***" if value else "", is_text=True)
text_list: Value[tuple[str, ...]] = Value("list", parse_list, ",".join, is_text=True, is_list=True)
patterns: Value[tuple[str, ...]] = Value("patterns", _parse_patterns, ",".join, is_text=True, is_list=True)
labels: Value[tuple[tuple[str, str], ...]] = Value(
    "key=value",
    _parse_labels,
    lambda pairs: ",".join(f"{key}={value}" for key, value in pairs),
    is_text=True,
    is_list=True,
)
regex: Value[str] = Value("regex", _parse_regex, str, is_text=True)
address: Value[tuple[str, int] | None] = Value("host:port", parse_address, show_address)
method: Value[Method] = Value("method:config", _parse_method, _show_method, is_text=True)
