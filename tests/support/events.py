"""Kubernetes Events as a user sees them with `kubectl describe`."""

import asyncio

from argocd_agent.backends.ports import Cluster, Scope, WatchType
from argocd_agent.demo.seeing import NotSeen
from argocd_agent.resources.kinds import EVENTS

SEEN_SECONDS = 15.0


async def until_event(cluster: Cluster, namespace: str, about: str, reason: str) -> str:
    """The message of the first Event of *reason* on the object named *about*. Raises `NotSeen`."""
    scope = Scope(namespace, fields=f"involvedObject.name={about},reason={reason}")
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            page = await cluster.list(EVENTS, scope)
            for found in page.items:
                return str(found.look("message"))
            async for change in cluster.watch(EVENTS, scope, page.version):
                if change.type is not WatchType.BOOKMARK:
                    return str(change.object.look("message"))
    except TimeoutError as error:
        raise NotSeen(f"not seen within {SEEN_SECONDS:g} seconds: Event {reason} on {namespace}/{about}") from error
    raise NotSeen(f"the watch ended before Event {reason} on {namespace}/{about}")
