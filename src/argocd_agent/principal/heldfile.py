"""The ConfigMap in which the hub shows the deletions that agents hold, and takes orders about them.

`data` has a key for each agent that holds some, with its report as JSON. An operator's order about an agent is an
annotation, its name the prefix `ANNOTATION_HELD_ORDER_PREFIX` and the agent's, its value `release` or `discard`.
Reports share `MAX_BYTES`, which stays below what an API server takes: where they are many, each names fewer
deletions; all are counted. Where no agent holds anything there is no ConfigMap.
"""

from collections.abc import Mapping

import argocd_agent.wire.payloads as wire
from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import ANNOTATION_HELD_ORDER_PREFIX
from argocd_agent.resources.objects import Object
from argocd_agent.wire.brake import HeldReport

MAX_BYTES = 900_000


def holds_something(report: HeldReport) -> bool:
    """Whether there is anything to show or to give an order about."""
    return bool(report.count or report.problem)


def reports_in(obj: Object) -> tuple[dict[str, HeldReport], tuple[str, ...]]:
    """The reports by agent, and what is wrong with those that cannot be read."""
    data = obj.look("data")
    found, wrong = dict[str, HeldReport](), list[str]()
    for agent, text in data.items() if isinstance(data, dict) else ():
        try:
            found[agent] = wire.decode(str(text).encode(), HeldReport)
        except DecodeError as error:
            wrong.append(f"{agent}: {error}")
    return found, tuple(wrong)


def orders_in(obj: Object) -> dict[str, str]:
    """What stands in the annotations, by agent, whatever it is."""
    start = len(ANNOTATION_HELD_ORDER_PREFIX)
    return {
        name[start:]: value for name, value in obj.annotations.items() if name.startswith(ANNOTATION_HELD_ORDER_PREFIX)
    }


def with_reports(obj: Object, reports: Mapping[str, HeldReport]) -> Object:
    """*obj* saying *reports*, without orders to agents that hold nothing."""
    data = data_of(reports)
    said = obj if obj.look("data") == data else obj.with_fields({"data": encode(data)})
    over = {ANNOTATION_HELD_ORDER_PREFIX + agent: None for agent in orders_in(obj) if agent not in reports}
    return said.with_annotations(over) if over else said


def data_of(reports: Mapping[str, HeldReport]) -> dict[str, str]:
    """The texts, which together fit."""
    share = MAX_BYTES // max(len(reports), 1)
    return {agent: _fitting(report, share) for agent, report in sorted(reports.items())}


def _fitting(report: HeldReport, size: int) -> str:
    text = wire.encode(report)
    items = report.items
    while len(text) > size and items:
        items = items[: len(items) // 2]
        text = wire.encode(HeldReport(count=report.count, since=report.since, items=items, problem=report.problem))
    return text.decode()
