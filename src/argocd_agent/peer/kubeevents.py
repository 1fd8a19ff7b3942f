"""Kubernetes Events about objects: what `kubectl describe` shows to people.

There is one Event per object, reason and type: the same news again counts it up and brings its time and message up to
date. News that has not changed is written at most once in `QUIET_SECONDS`; what comes meanwhile is counted, and is in
the next write. Of `MAX_KNOWN` Events the state is remembered; of an older one every news is written.

An Event is never worth a failure: what cannot be written is logged and left.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ (core/v1).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from argocd_agent.backends.ports import Cluster
from argocd_agent.codec import encode
from argocd_agent.errors import AlreadyExists, ClusterError, Conflict, NotFound
from argocd_agent.resources.kinds import EVENTS, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.timestamps import format_time

log = get_log("Events")

QUIET_SECONDS = 60.0
MAX_KNOWN = 1024
MAX_MESSAGE = 1024  # characters, as Kubernetes' own recorders have it
_NAMESPACE_OF_CLUSTER_OBJECTS = "default"
_LONGEST_NAME = 253
_TRIES = 4


@dataclass(slots=True)
class _Told:
    message: str
    at: float
    unwritten: int = 0


class KubeEvents:
    """Records Events as *component*. *now* gives seconds since 1970."""

    def __init__(self, cluster: Cluster, component: str, now: Callable[[], float]) -> None:
        self._cluster, self._component, self._now = cluster, component, now
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()

    async def record(self, api: Api, regarding: Object, reason: str, message: str, *, is_warning: bool = True) -> None:
        """Say *message* about *regarding*; *reason* is a word in CamelCase."""
        kind = "Warning" if is_warning else "Normal"
        message = message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
        namespace = regarding.namespace or _NAMESPACE_OF_CLUSTER_OBJECTS
        name = self._name(api, regarding, reason, kind)
        told = self._told.get((namespace, name))
        if told is not None and told.message == message and self._now() - told.at < QUIET_SECONDS:
            told.unwritten += 1
            return
        self._remember((namespace, name), message)
        news = 1 + (told.unwritten if told is not None else 0)
        event = self._event(api, regarding, namespace, name, {"reason": reason, "message": message, "type": kind})
        try:
            await self._write(event, news)
        except ClusterError as error:
            self._told.pop((namespace, name), None)
            about = {fields.KIND: api.kind, fields.NAMESPACE: regarding.namespace, fields.NAME: regarding.name}
            log.warning(
                "An Event cannot be recorded",
                about | {fields.REASON: reason, fields.DETAIL: message, fields.ERROR: str(error)},
            )

    def _remember(self, key: tuple[str, str], message: str) -> None:
        self._told.pop(key, None)
        self._told[key] = _Told(message, self._now())
        if len(self._told) > MAX_KNOWN:
            self._told.popitem(last=False)

    def _name(self, api: Api, regarding: Object, reason: str, kind: str) -> str:
        """The same for the same news, so that a program that was restarted finds its own Event again."""
        parts = (self._component, api.resource, regarding.namespace, regarding.name, regarding.uid, reason, kind)
        digest = hashlib.sha256(encode(parts)).hexdigest()[:16]
        return f"{regarding.name[: _LONGEST_NAME - 17].rstrip('-.')}.{digest}"

    def _event(self, api: Api, regarding: Object, namespace: str, name: str, says: dict[str, Any]) -> Object:
        time = format_time(self._now())
        about = {
            "apiVersion": api.api_version,
            "kind": api.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        }
        return new_object(
            EVENTS,
            Metadata(name=name, namespace=namespace),
            involvedObject={key: value for key, value in about.items() if value},
            source={"component": self._component},
            reportingComponent=self._component,
            firstTimestamp=time,
            lastTimestamp=time,
            **says,
        )

    async def _write(self, event: Object, news: int) -> None:
        for left in reversed(range(_TRIES)):
            try:
                held = await self._read(event)
                if held is None:
                    await self._cluster.create(EVENTS, event.with_fields({"count": encode(news)}))
                    return
                count = held.look("count")
                newest: dict[str, bytes | None] = {
                    "message": event.fields["message"],
                    "lastTimestamp": event.fields["lastTimestamp"],
                    "count": encode((count if isinstance(count, int) else 0) + news),
                }
                await self._cluster.update(EVENTS, held.with_fields(newest))
                return
            except (Conflict, AlreadyExists):  # another process of ours, or two at once: count on
                if not left:
                    raise

    async def _read(self, event: Object) -> Object | None:
        try:
            return await self._cluster.get(EVENTS, event.namespace, event.name)
        except NotFound:
            return None
