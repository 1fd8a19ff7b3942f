"""What the commands of argocd-agentctl have in common: the session that each is given, and flags of many."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from argocd_agent.cli.commands.pki import KeyOptions
from argocd_agent.cli.places import Place, Places
from argocd_agent.errors import ConfigError
from argocd_agent.pki.keys import KeyAlgorithm
from argocd_agent.settings.values import parse_duration

KEY_SIZE = 4096
ALGORITHMS = [one.value for one in KeyAlgorithm]

T = TypeVar("T")
Function = Callable[..., Any]  # what a click decorator takes and gives


@dataclass(frozen=True, slots=True)
class Session:
    """What every command is given: the two sides, and the clock."""

    places: Places
    now: Callable[[], datetime]


def key_options(days: int) -> Callable[[Function], Function]:
    """`--key-algorithm`, `--key-size` and `--days`, as every command that makes a certificate has them."""

    def add(function: Function) -> Function:
        for option in (
            click.option("--days", type=int, default=days, show_default=True, help="Days that it is valid."),
            click.option("--key-size", type=int, default=KEY_SIZE, show_default=True, help="Bits; RSA only."),
            click.option("--key-algorithm", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], show_default=True),
        ):
            function = option(function)
        return function

    return add


def upsert_option(function: Function) -> Function:
    """`--upsert`."""
    return click.option("-u", "--upsert", is_flag=True, help="Replace what is there.")(function)


def timeout_option(function: Function) -> Function:
    """`--timeout`, in seconds on the way in, a duration for the user."""

    def seconds(_: click.Context, __: click.Parameter, text: str) -> float:
        try:
            found = parse_duration(text)
        except ConfigError as error:
            raise ConfigError(f"--timeout: {error}") from error
        if found <= 0:
            raise ConfigError(f"--timeout: {text} is too little, expected more than 0")
        return found

    option = click.option("--timeout", default="1m", show_default=True, callback=seconds, metavar="DURATION",
                          help="How long to wait until the agent has obeyed.")  # fmt: skip
    decorated: Function = option(function)
    return decorated


def name_options(ip: tuple[str, ...], dns: tuple[str, ...]) -> Callable[[Function], Function]:
    """`--ip` and `--dns`; giving one replaces its default."""

    def add(function: Function) -> Function:
        for flag, default, what in (("--dns", dns, "DNS names"), ("--ip", ip, "IP addresses")):
            text = f"{what} that the certificate is for; repeat it or separate by commas."
            function = click.option(flag, multiple=True, default=default, show_default=True, help=text)(function)
        return function

    return add


def options_from(key_algorithm: str, key_size: int, days: int) -> KeyOptions:
    """The three flags as one value. Raises `ConfigError`."""
    if days <= 0:
        raise ConfigError(f"--days: {days} is too little, expected more than 0")
    return KeyOptions(KeyAlgorithm(key_algorithm), key_size, days)


def split(texts: tuple[str, ...]) -> list[str]:
    """The entries of a flag that may be repeated and may hold commas."""
    return [one.strip() for text in texts for one in text.split(",") if one.strip()]


def on_hub(session: Session, action: Callable[[Place], Awaitable[T]]) -> T:
    """What *action* answers on the hub."""

    async def go() -> T:
        async with session.places.principal() as hub:
            return await action(hub)

    return asyncio.run(go())


def on_both(session: Session, namespace: str, action: Callable[[Place, Place], Coroutine[None, None, T]]) -> T:
    """What *action* answers on hub and spoke; *namespace*, if given, is the spoke\'s."""

    async def go() -> T:
        async with session.places.principal() as hub, session.places.agent(namespace) as spoke:
            return await action(hub, spoke)

    return asyncio.run(go())


def need_contexts(places: Places, *, may_be_same: bool, hint: str = "") -> None:
    """Copying to the wrong cluster is hard to see afterwards, so both must be named."""
    if not places.principal_context or not places.agent_context:
        raise ConfigError("--principal-context and --agent-context must both be given")
    if places.principal_context == places.agent_context and not may_be_same:
        raise ConfigError(f"--principal-context and --agent-context are both {places.agent_context!r}{hint}")
