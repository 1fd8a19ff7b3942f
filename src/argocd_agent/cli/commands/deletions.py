"""`deletions`: what agents' brakes hold, and what becomes of it. Works on the ConfigMap in which the hub shows it."""

import asyncio
import contextlib
from dataclasses import dataclass

import msgspec

from argocd_agent.backends.ports import PatchType, Scope
from argocd_agent.cli.commands.agents import names
from argocd_agent.cli.output import Record
from argocd_agent.cli.places import Place
from argocd_agent.codec import decode, encode
from argocd_agent.errors import ConfigError, DecodeError, NotFound
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.principal.heldfile import reports_in
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.names import ANNOTATION_HELD_ORDER_PREFIX, CONFIGMAP_CONNECTIONS, CONFIGMAP_HELD_DELETIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Object
from argocd_agent.wire.brake import HeldReport


class _Connection(msgspec.Struct):
    """One line of the ConfigMap that shows connections; `principal.connections` writes it."""

    status: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """An order that has been given: about how many deletions, and why it cannot be obeyed yet (empty: it can)."""

    count: int
    away: str


async def listing(hub: Place, agent: str = "") -> Record:
    """What each agent holds, or *agent* alone. Raises `ConfigError` for an agent that the hub does not know."""
    reports = await _reports(hub)
    if agent and agent not in reports:
        await _refuse_unknown(hub, agent)
        return {}
    return {name: _shown(report) for name, report in reports.items() if not agent or name == agent}


async def give(hub: Place, agent: str, order: Order, timeout_seconds: float) -> str:
    """Give *order* and wait until the agent has obeyed; what to tell the user.

    Raises `ConfigError` for an unknown agent, one that holds nothing, and one that is away or not done in time: then
    the order stands, and is obeyed later.
    """
    asked = await _asked(hub, agent, order)
    stands = f"the order to {order} stands, and is obeyed when it"
    if asked.away:
        raise ConfigError(f"agent {agent} is not connected{asked.away}: {stands} is back")
    try:
        async with asyncio.timeout(timeout_seconds):
            await _until_nothing(hub, agent)
    except TimeoutError:
        report = (await _reports(hub)).get(agent)
        if report is not None:
            raise ConfigError(
                f"agent {agent} still holds {report.count} deletions after {timeout_seconds:g}s: {stands} can; its "
                f"log says what is in the way"
            ) from None
    if order is Order.RELEASE:
        return f"Agent {agent} has carried out the {asked.count} deletions that it held"
    return f"Agent {agent} keeps the {asked.count} objects whose deletions it held; they are no longer the hub's"


async def _asked(hub: Place, agent: str, order: Order) -> Asked:
    report = (await _reports(hub)).get(agent)
    if report is None:
        await _refuse_unknown(hub, agent)
        raise ConfigError(f"agent {agent} holds no deletions")
    patch = encode({"metadata": {"annotations": {ANNOTATION_HELD_ORDER_PREFIX + agent: order.value}}})
    try:
        await hub.cluster.patch(CONFIGMAPS, hub.namespace, CONFIGMAP_HELD_DELETIONS, patch, PatchType.MERGE)
    except NotFound as error:
        raise ConfigError(f"agent {agent} holds no deletions any more") from error
    return Asked(report.count, await _away(hub, agent))


async def _until_nothing(hub: Place, agent: str) -> None:
    done = asyncio.Event()

    def on_change(change: Change) -> None:
        if change.new is None or agent not in reports_in(change.new)[0]:
            done.set()

    scope = Scope(hub.namespace, fields=f"metadata.name={CONFIGMAP_HELD_DELETIONS}")
    observer = Observer(hub.cluster, CONFIGMAPS, scope, on_change)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(observer.run(), name="watch held deletions")
        await observer.synced.wait()
        if observer.objects:  # if it is gone already, nobody will say so
            await done.wait()
        watching.cancel()


async def _away(hub: Place, agent: str) -> str:
    """Since when the agent is away, as words; empty if it is here, or nobody says."""
    data = await _data(hub, CONFIGMAP_CONNECTIONS)
    try:
        connection = decode(str(data.get(agent, "{}")), _Connection, CONFIGMAP_CONNECTIONS)
    except DecodeError:
        return ""
    return f" since {connection.since or 'some time'}" if connection.status == "disconnected" else ""


async def _reports(hub: Place) -> dict[str, HeldReport]:
    found = await _configmap(hub, CONFIGMAP_HELD_DELETIONS)
    reports, wrong = reports_in(found) if found is not None else ({}, ())
    if wrong:
        raise ConfigError(f"ConfigMap {CONFIGMAP_HELD_DELETIONS} in {hub.where}: {'; '.join(wrong)}")
    return reports


async def _data(hub: Place, name: str) -> dict[str, object]:
    found = await _configmap(hub, name)
    data = found.look("data") if found is not None else None
    return data if isinstance(data, dict) else {}


async def _configmap(hub: Place, name: str) -> Object | None:
    with contextlib.suppress(NotFound):
        return await hub.cluster.get(CONFIGMAPS, hub.namespace, name)
    return None


async def _refuse_unknown(hub: Place, agent: str) -> None:
    known = await names(hub, ())
    if agent not in known:
        raise ConfigError(
            f"agent {agent} is not known in {hub.where}: expected {', '.join(known[:10]) if known else 'no agent'}"
            + (f" or one of {len(known) - 10} more" if len(known) > 10 else "")
        )


def _shown(report: HeldReport) -> Record:
    facts: dict[str, object] = {"held": report.count}
    if report.since:
        facts["since"] = report.since
    if report.problem:
        facts["problem"] = report.problem
    facts["deletions"] = {
        f"{one.kind} {one.namespace}/{one.name}": f"{one.how} since {one.since}" for one in report.items
    }
    if report.count > len(report.items):
        facts["notShown"] = report.count - len(report.items)
    return facts
