"""What a managed agent tells its principal about Applications: their statuses, and that one is gone.

Decided by content, not by who wrote: a status goes out when it differs from the one that was there before, so the
echo of our own write says nothing. Called by the observer; never waits.
"""

from argocd_agent.agent.buffer import Buffer
from argocd_agent.peer.link import Link
from argocd_agent.peer.mirroring import Mirroring
from argocd_agent.peer.mirrors import Ordered
from argocd_agent.peer.observe import Change
from argocd_agent.protocol.events import Event, EventType, Target, object_key
from argocd_agent.protocol.names import ANNOTATION_NAMESPACE_REMAPPED, ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID
from argocd_agent.resources import application
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.wire.payloads import RequestUpdate

# What a principal reads of a status update; the rest of an Application stays on the spoke.
_REPORTED_FIELDS = ("status", "operation")
_REPORTED_ANNOTATIONS = (ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID, ANNOTATION_NAMESPACE_REMAPPED)


class Statuses:
    """Turns changes of mirrors on the spoke into events for *link*. *buffer* may hold back statuses."""

    def __init__(self, link: Link, buffer: Buffer) -> None:
        self._link, self._buffer = link, buffer

    def on_change(self, change: Change, mirroring: Mirroring, *, is_settled: bool) -> None:
        """One change of an Application on the spoke. What the first list held is compared, not sent one by one."""
        if change.new is None:
            self._gone(change.object, mirroring)
        elif mirroring.here(change.new) and is_settled and _is_news(change.old, change.new):
            self.send(change.new)

    def send(self, obj: Object) -> None:
        """Tell the status of *obj*."""
        self._buffer.send(self.status_of(obj))

    def send_now(self, obj: Object) -> None:
        """Tell the status of *obj*, whatever was told before."""
        self._link.put(self.status_of(obj))

    def status_of(self, obj: Object) -> Event:
        """The event that tells the status of *obj*."""
        fields = {name: obj.fields[name] for name in _REPORTED_FIELDS if name in obj.fields}
        data = Object(_reported_metadata(obj), fields).encode()
        return self._link.about(Target.APPLICATION, EventType.STATUS_UPDATE, obj, data)

    def deleted(self, obj: Object) -> None:
        """Tell that *obj* is gone."""
        data = Object(_reported_metadata(obj), {}).encode()
        self._link.put(self._link.about(Target.APPLICATION, EventType.DELETE, obj, data))

    def _gone(self, obj: Object, mirroring: Mirroring) -> None:
        self._buffer.forget(object_key(Target.APPLICATION, obj.namespace, obj.name))
        ordered = mirroring.gone(obj)
        if ordered is None:
            return
        self.deleted(obj)
        if ordered is Ordered.ASK and self._link.peer.is_reference:
            # One of ours sends again what it did not want to lose; one of the reference only if it is asked.
            payload = RequestUpdate(name=obj.name, namespace=obj.namespace, uid="", kind=APPLICATION.name)
            self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_UPDATE, payload))


def _reported_metadata(obj: Object) -> Metadata:
    annotations = {name: obj.annotations[name] for name in _REPORTED_ANNOTATIONS if name in obj.annotations}
    return Metadata(
        name=obj.name,
        namespace=obj.namespace,
        uid=obj.uid,
        resource_version=obj.version,
        annotations=annotations or None,
    )


def _is_news(old: Object | None, new: Object) -> bool:
    """Whether a principal that knows *old* must hear of *new*. Its own word, coming back, is no news."""
    if old is None:
        return False  # we have created it, with the status that the principal gave
    if not source_uid(old):
        return any(name in new.fields for name in _REPORTED_FIELDS)  # adopted: it has a past
    return (
        old.fields.get("status") != new.fields.get("status")
        or (application.has_operation(old) and not application.has_operation(new))
        or (ANNOTATION_REFRESH in old.annotations and ANNOTATION_REFRESH not in new.annotations)
    )
