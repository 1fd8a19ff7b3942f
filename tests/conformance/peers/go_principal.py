"""A Go v0.9 principal with one managed agent: what it says and does, quirks included (wire contract, 5.3 to 6.6).

Its hub is a dict; `create`, `change` and `delete` stand for users there. [Q] marks what the reference is known to do
oddly and ours has to live with; `shared` has the other kinds, and `go_shared.py` their quirks. A restarted principal is
a new one with the objects of the old: `again`. *by_destination*: it maps by destination, an Application goes by
`namespace/name`, and `move` stands for a user who gives it to another agent or back.
"""

import copy
import itertools
import json
from collections.abc import Callable

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import (
    ANNOTATION_NAMESPACE_REMAPPED,
    ANNOTATION_REFRESH,
    LABEL_IGNORE_SYNC,
    PHASE_TERMINATING,
)
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_objects import (
    HUB,
    Json,
    annotations_of,
    go_application,
    go_checksum,
    go_list_checksum,
    phase_of,
    stub,
    wrapped,
)
from tests.conformance.peers.go_shared import Objects, Shared, nothing
from tests.conformance.peers.line import GoLine

PRINCIPAL_UID = "5b6a1013-18b8-4fcc-93a3-7d17adfbd7e7"


class GoPrincipal:
    """One process. `apps` is what is on its hub for *agent*, by name."""

    def __init__(
        self,
        apps: dict[str, Json] | None = None,
        *,
        agent: str = "agent-1",
        uid: str = PRINCIPAL_UID,
        objects: Objects | None = None,
        by_destination: bool = False,
        agent_namespace: str = "argocd",
        echoes: bool = True,
        seed: int = 1,
    ) -> None:
        self.apps: dict[str, Json] = apps or {}
        self.hidden: dict[str, Json] = {}
        self.uid = uid
        self.end = GoEnd(Role.AGENT, "", self._handle, seed)
        self._agent, self._echoes, self._by_destination = agent, echoes, by_destination
        self._agent_namespace = agent_namespace
        self._versions = itertools.count(1000 * seed)
        if objects is None:
            objects = nothing()
        self.shared = Shared(self.end, objects, self._versions, agent=agent, uid=uid, by_destination=by_destination)
        self._is_first = True
        for app in self.apps.values():  # the informer's first list is queued before anybody is there to hear it
            self._tell(EventType.CREATE, app)

    def again(self, seed: int, *, echoes: bool | None = None) -> "GoPrincipal":
        """The process that comes after this one."""
        return GoPrincipal(
            self.apps,
            agent=self._agent,
            uid=self.uid,
            objects=self.shared.objects,
            by_destination=self._by_destination,
            agent_namespace=self._agent_namespace,
            echoes=self._echoes if echoes is None else echoes,
            seed=seed,
        )

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        self.shared.push()
        if self._is_first:
            self._is_first = False
            self.end.writer.add(self.end.message(Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, {}))
            for app in self.apps.values():  # [Q] once more, because the agent's cluster Secret was "added"
                self._tell(EventType.CREATE, app)
        await self.end.serve(line)

    def create(self, name: str, revision: str = "v0", *, namespace: str = "", **metadata: object) -> Json:
        """A user makes an Application. *namespace* is for mapping by destination; without it, the principal's own."""
        number = next(self._versions)
        namespace = namespace or (HUB if self._by_destination else self._agent)
        app = go_application(name, namespace, f"hub-{name}-{number}", number, revision, **metadata)
        if self._by_destination:
            app["spec"]["destination"] = {"name": self._agent, "namespace": name}
        self.apps[self._key(app["metadata"])] = app
        self._tell(EventType.CREATE, app)
        return app

    def hide(self, key: str) -> None:
        """A user labels it so that neither component sees it: to the agent it is deleted."""
        app = self._stored(key, lambda app: app["metadata"].update(labels={LABEL_IGNORE_SYNC: "true"}))
        self.hidden[key] = self.apps.pop(key)
        self._tell(EventType.DELETE, app)

    def show(self, key: str) -> None:
        """A user takes the label away."""
        self.apps[key] = self.hidden.pop(key)
        self._tell(EventType.CREATE, self._stored(key, lambda app: app["metadata"].update(labels=None)))

    def move(self, key: str, agent: str) -> None:
        """A user gives the Application to *agent*: the old one is told to delete it, the new one of a change."""
        old = self.apps[key]
        new = self._stored(key, lambda app: app["spec"]["destination"].update(name=agent))
        if self._is_routed(old) and not self._is_routed(new):
            self._tell(EventType.DELETE, old)
        elif self._is_routed(new):
            self._tell(EventType.SPEC_UPDATE, new)

    def change(self, name: str, changed: Callable[[Json], None]) -> Json:
        """A user changes one."""
        old, new = self.apps[name], self._stored(name, changed)
        if phase_of(old) and phase_of(old) != PHASE_TERMINATING and phase_of(new) == PHASE_TERMINATING:
            self._tell(EventType.TERMINATE_OPERATION, new)
            return new
        bare = {key: value for key, value in new.items() if key != "operation"}
        self._tell(EventType.SPEC_UPDATE, bare)
        if new.get("operation") and not old.get("operation") and self._is_routed(new):
            # [Q] the ids are those of the spec-update, and nobody signs it
            self.end.writer.add(self.end.about(EventType.SET_OPERATION, new))
        return new

    def set_revision(self, name: str, revision: str) -> Json:
        """A user changes what is to be synced."""
        return self.change(name, lambda app: app["spec"]["source"].update(targetRevision=revision))

    def delete(self, name: str) -> None:
        """A user deletes one, with its finalizers if it has any."""
        if self.apps[name]["metadata"].get("finalizers"):
            self.change(name, lambda app: app["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
        else:
            self._gone(name)

    def _gone(self, name: str) -> None:
        app = self.apps.pop(name)
        app["metadata"]["resourceVersion"] = str(next(self._versions))
        self._tell(EventType.DELETE, app)

    def _tell(self, kind: str, app: Json) -> None:
        if self._is_routed(app) or not app["spec"]["destination"]:  # a stub has none
            self.end.writer.add(self.end.about(kind, app, principal_uid=self.uid))

    def _is_routed(self, app: Json) -> bool:
        return not self._by_destination or app["spec"]["destination"].get("name") == self._agent

    def _key(self, meta: Json) -> str:
        return f"{meta['namespace']}/{meta['name']}" if self._by_destination else str(meta["name"])

    def _key_of(self, told: Json) -> str:
        """Which Application the agent means: its namespace is translated back if it says so."""
        meta = told["metadata"]
        is_remapped = ANNOTATION_NAMESPACE_REMAPPED in annotations_of(told)
        if is_remapped and meta["namespace"] == self._agent_namespace:
            meta = {**meta, "namespace": HUB}
        return self._key(meta)

    def _handle(self, event: Event) -> bool:
        try:
            payload = json.loads(event.data) if event.data else {}
            if event.target is Target.APPLICATION:
                self._application(event, payload)
            elif event.target is Target.RESYNC:
                self._resync(event, payload)
        except (ValueError, KeyError, TypeError) as error:
            self.end.hang_up(f"the reference ends the stream of who sends what it cannot decode: {error!r}")
            return False
        return True

    def _application(self, event: Event, payload: Json) -> None:
        if event.type == EventType.ERROR:
            error = {"type": "AgentError", "message": payload["message"]}
            status = {"health": {"status": "Degraded"}, "conditions": [error]}
            meta = {"name": payload["resourceName"], "namespace": payload["resourceNamespace"]}
            self._stored(self._key(meta), lambda app: app.update(status=status))
            return
        name = self._key_of(payload)
        if name not in self.apps:
            return  # an error in its log
        if event.type == EventType.STATUS_UPDATE:
            self._status(name, payload)
        elif event.type == EventType.DELETE and self.apps[name]["metadata"].get("deletionTimestamp"):
            self._gone(name)

    def _status(self, name: str, payload: Json) -> None:
        def changed(app: Json) -> None:
            app["status"] = payload.get("status", {})
            app.pop("operation", None)
            if payload.get("operation"):
                app["operation"] = payload["operation"]
            notes = annotations_of(app)
            notes.pop(ANNOTATION_REFRESH, None)
            if refresh := annotations_of(payload).get(ANNOTATION_REFRESH):
                notes[ANNOTATION_REFRESH] = refresh
            app["metadata"]["annotations"] = notes

        app = self._stored(name, changed)
        if self._echoes:  # [Q] its own write comes back to it as a change, when the watch is faster than its memory
            self._tell(EventType.SPEC_UPDATE, {key: value for key, value in app.items() if key != "operation"})

    def _resync(self, event: Event, payload: Json) -> None:
        if event.type == EventType.REQUEST_UPDATE and payload["kind"] == "Application":
            self._update(payload)
        elif event.type == EventType.REQUEST_UPDATE:
            self.shared.request_update(
                payload["kind"], payload["name"], payload["uid"], payload["checksum"], payload["namespace"]
            )
        elif event.type == EventType.REQUEST_SYNCED_RESOURCE_LIST:
            mine = [app["metadata"] for app in self.apps.values() if self._is_routed(app)]
            there = [("Application", meta["namespace"], meta["name"], meta["uid"]) for meta in mine]
            there += [(kind, HUB, name, uid) for kind, name, uid in self.shared.entries()]
            if there and go_list_checksum([(one[0], one[2], one[3]) for one in there]) != payload["checksum"]:
                for kind, namespace, name, uid in there:
                    about = {"name": name, "namespace": namespace, "uid": uid, "kind": kind}
                    message = self.end.message(Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, about)
                    self.end.writer.add(message)

    def _update(self, asked: Json) -> None:
        app = self.apps.get(self._key(asked))
        if app is None:
            # [Q] in the namespace that the agent asked about, which is its own
            self._tell(EventType.DELETE, stub(asked["name"], asked["namespace"], asked["uid"]))
        elif asked["checksum"] != go_checksum(app):
            self._tell(EventType.SPEC_UPDATE, wrapped("Application", app))  # with its operation, unlike other updates

    def _stored(self, name: str, changed: Callable[[Json], None]) -> Json:
        app = copy.deepcopy(self.apps[name])
        changed(app)
        app["metadata"]["resourceVersion"] = str(next(self._versions))
        self.apps[name] = app
        return app
