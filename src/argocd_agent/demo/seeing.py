"""Waiting until a cluster shows something, by watching it: no polling."""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster, Scope, WatchType
from argocd_agent.errors import ArgocdAgentError, Gone
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

Claim = Callable[[Object | None], bool]  # None: there is no such object


class NotSeen(ArgocdAgentError):
    """What was waited for did not come in time; the message says what, where and how long."""


async def until(
    cluster: Cluster, api: Api, namespace: str, name: str, claim: Claim, timeout_seconds: float, what: str
) -> Object | None:
    """The object *namespace*/*name* as of the first moment when *claim* is true of it. Raises `NotSeen`."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _watch(cluster, api, Scope(namespace or None, fields=f"metadata.name={name}"), claim)
    except TimeoutError as error:
        where = f"{api.kind} {namespace}/{name}"
        raise NotSeen(f"not seen within {timeout_seconds:.0f} seconds: {what} ({where})") from error


async def _watch(cluster: Cluster, api: Api, scope: Scope, claim: Claim) -> Object | None:
    while True:
        page = await cluster.list(api, scope)
        held = next(iter(page.items), None)
        if claim(held):
            return held
        version = page.version
        try:
            while True:  # a server ends its watches now and then
                async for event in cluster.watch(api, scope, version):
                    version = event.object.version or version
                    if event.type is WatchType.BOOKMARK:
                        continue
                    held = None if event.type is WatchType.DELETED else event.object
                    if claim(held):
                        return held
        except Gone:
            continue
