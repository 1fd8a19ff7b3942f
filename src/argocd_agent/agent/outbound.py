"""What changes on the spoke → what the principal is told, and what must be put right here.

Decided by content, not by who wrote: a status goes out when it differs from the one that was there before, so the
echo of our own write says nothing. Called by the observer; never waits.
"""

from collections.abc import Callable

from argocd_agent.agent.buffer import Buffer
from argocd_agent.agent.mirrors import Key, Mirrors, Ordered, mirror_of
from argocd_agent.peer.link import Link
from argocd_agent.peer.observe import Change
from argocd_agent.protocol.events import Event, EventType, Target, object_key
from argocd_agent.protocol.names import ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID
from argocd_agent.resources import application
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATION
from argocd_agent.resources.objects import Metadata, Object
from argocd_agent.wire.payloads import RequestUpdate

# What a principal reads of a status update; the rest of an Application stays on the spoke.
_REPORTED_FIELDS = ("status", "operation")
_REPORTED_ANNOTATIONS = (ANNOTATION_REFRESH, ANNOTATION_SOURCE_UID)


class Outbound:
    """Turns changes of Applications on the spoke into events for *link*.

    *is_settled*: the first list is complete; what it held is compared, not sent one by one. *buffer*: may
    hold back statuses. *put_right*: called with what is not as the principal wants it.
    """

    def __init__(
        self,
        link: Link,
        mirrors: Mirrors,
        *,
        is_settled: Callable[[], bool],
        buffer: Buffer,
        put_right: Callable[[Key, Object], None],
    ) -> None:
        self._link, self._mirrors = link, mirrors
        self._is_settled, self._buffer, self._put_right = is_settled, buffer, put_right

    def on_change(self, change: Change) -> None:
        """One change of an Application on the spoke."""
        if change.new is None:
            self._gone(change.object)
        else:
            self._here(change.old, change.new)

    def _here(self, old: Object | None, obj: Object) -> None:
        mirror = self._mirrors.get(obj.key)
        if mirror is None:
            if not source_uid(obj):
                return  # not the principal's
            self._mirrors.adopt(obj)
            if application.may_begin_next(obj):
                self._put_right(obj.key, obj)
        elif not obj.is_deleting and (mirror_of(obj) != mirror or application.may_begin_next(obj)):
            self._put_right(obj.key, obj)
        if not self._is_settled():
            if obj.is_deleting:
                # Whose wish this is was forgotten with the last process: the principal decides when it hears of it.
                self._mirrors.order(obj, Ordered.ASK)
        elif _is_news(old, obj):
            self._buffer.send(self.status_of(obj))

    def _gone(self, obj: Object) -> None:
        ordered = self._mirrors.ordered(obj.uid)
        self._buffer.forget(object_key(Target.APPLICATION, obj.namespace, obj.name))
        if self._mirrors.get(obj.key) is None or ordered is Ordered.DONE:
            return
        if ordered is None:
            self._put_right(obj.key, obj)
            return
        self._mirrors.expect(obj.key, None)
        self._link.put(self.deletion_of(obj))
        if ordered is Ordered.ASK and self._link.peer.is_reference:
            # One of ours sends again what it did not want to lose; one of the reference only if it is asked.
            payload = RequestUpdate(name=obj.name, namespace=obj.namespace, uid="", kind=APPLICATION.name)
            self._link.put(self._link.message(Target.RESYNC, EventType.REQUEST_UPDATE, payload))

    def made_again(self, obj: Object) -> None:
        """*obj* was put back after a deletion; the policy for that may have changed its status."""
        self._buffer.send(self.status_of(obj))

    def status_of(self, obj: Object) -> Event:
        """The event that tells the principal the status of *obj*."""
        fields = {name: obj.fields[name] for name in _REPORTED_FIELDS if name in obj.fields}
        return self._link.about(
            Target.APPLICATION, EventType.STATUS_UPDATE, obj, Object(_reported_metadata(obj), fields).encode()
        )

    def deletion_of(self, obj: Object) -> Event:
        """The event that tells the principal that *obj* is gone."""
        bare = Object(_reported_metadata(obj), {})
        return self._link.about(Target.APPLICATION, EventType.DELETE, obj, bare.encode())


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
