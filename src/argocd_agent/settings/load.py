"""From flags and environment variables to a checked configuration. A flag beats a variable, a variable the default.

This is the only module that reads the process environment, and only in `environment`; `load` is given what to read.

A variable that cannot be parsed leaves the default in force and one line for stderr; for a setting that decides who
gets in, and for words out of a fixed set, it is an error. A flag that cannot be parsed always is.
"""

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from argocd_agent.errors import ConfigError
from argocd_agent.settings.declare import Declaration, Declared, declarations, has_secret
from argocd_agent.settings.suggest import unknown

C = TypeVar("C", bound=Declared)

OUR_PREFIXES = ("ARGOCD_PRINCIPAL_", "ARGOCD_AGENT_")

_SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """A configuration, and what a user should read on stderr about how it came to be."""

    config: C
    notices: tuple[str, ...]


def environment() -> Mapping[str, str]:
    """The environment of this process, as it is now."""
    return dict(os.environ)


def load(
    config: type[C],
    flags: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    also_known: Callable[[], Collection[str]] = tuple,
) -> Loaded[C]:
    """The configuration that *flags* (texts as given, by flag name) and *environ* describe.

    *also_known* gives variables that belong to somebody else and deserve no warning; it is asked only when there are
    any that we do not know. Raises `ConfigError`.
    """
    declared = declarations(config)
    refuse_unknown_flags(declared, flags)
    values: dict[str, Any] = {}
    notices: list[str] = []
    for one in declared:
        if one.flag and one.flag in flags:
            values[one.field] = _from_flag(one, flags[one.flag])
        elif one.variable and one.variable in environ:
            try:
                values[one.field] = one.value.parse(environ[one.variable])
            except ConfigError as error:
                notices.append(_fall_back(one, error))
    notices.extend(_unknown_variables(environ, {one.variable for one in declared}, also_known))
    values["flags_given"] = frozenset(flags)
    try:
        return Loaded(config(**values), tuple(notices))
    except ConfigError as error:
        for notice in notices:  # a default that nobody wanted may be the cause
            error.add_note(notice)
        raise


def refuse_unknown_flags(declared: Sequence[Declaration], flags: Collection[str]) -> None:
    """Raise `ConfigError` for the first flag that no declaration has, with the nearest one that exists."""
    known = [one.flag for one in declared if one.flag]
    for flag in flags:
        if flag not in known:
            raise ConfigError(unknown("flag", flag, known))


def _from_flag(one: Declaration, texts: Sequence[str]) -> Any:
    text = ",".join(texts) if one.value.is_list else texts[-1]
    try:
        return one.value.parse(text)
    except ConfigError as error:
        raise ConfigError(f"{one.flag}: {error}") from error


def _fall_back(one: Declaration, error: ConfigError) -> str:
    """The line that says which default is used instead. Raises `ConfigError` where that would be careless."""
    if one.guards:
        raise ConfigError(f"environment variable {one.variable}: {error}; it decides who gets in") from error
    if one.value.is_text:
        raise ConfigError(f"environment variable {one.variable}: {error}") from error
    default = "" if has_secret(one) else f" {one.default_text}".rstrip()
    return f"environment variable {one.variable}: {error}; using the default{default}"


def _unknown_variables(
    environ: Mapping[str, str], known: Collection[str], also_known: Callable[[], Collection[str]]
) -> list[str]:
    """One line that names every variable of ours that nobody knows, each with the nearest known one."""
    strangers = [
        name
        for name, value in environ.items()
        if name.startswith(OUR_PREFIXES)
        and name not in known
        and not _SERVICE_LINK.fullmatch(name)
        and not _SERVICE_URL.match(value)
    ]
    if not strangers:
        return []
    known = {*known, *also_known()}
    strangers = [name for name in strangers if name not in known]
    if not strangers:
        return []
    return ["ignored: " + "; ".join(unknown("environment variable", name, known) for name in sorted(strangers))]
