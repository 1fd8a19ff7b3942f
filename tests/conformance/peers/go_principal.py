"""A Go v0.9 principal with one managed agent: what it says and does, quirks included (wire contract, 5.3 to 6.2).

Its hub is a dict; `create`, `change` and `delete` stand for users there. [Q] marks what the reference is known to do
oddly and ours has to live with. A restarted principal is a new one with the applications of the old.
"""

import copy
import itertools
import json
from collections.abc import Callable

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import ANNOTATION_REFRESH, PHASE_TERMINATING
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_objects import (
    Json,
    annotations_of,
    go_application,
    go_checksum,
    go_list_checksum,
    stub,
)
from tests.conformance.peers.line import GoLine

PRINCIPAL_UID = "5b6a1013-18b8-4fcc-93a3-7d17adfbd7e7"
PROJECT: Json = {
    "kind": "AppProject",
    "apiVersion": "argoproj.io/v1alpha1",
    "metadata": {"name": "default", "namespace": "argocd", "uid": "project-1", "resourceVersion": "7"},
    "spec": {"sourceRepos": ["*"]},
    "status": {},
}


class GoPrincipal:
    """One process. `apps` is what is on its hub for *agent*, by name."""

    def __init__(
        self,
        apps: dict[str, Json] | None = None,
        *,
        agent: str = "agent-1",
        uid: str = PRINCIPAL_UID,
        echoes: bool = True,
        seed: int = 1,
    ) -> None:
        self.apps: dict[str, Json] = apps or {}
        self.uid = uid
        self.end = GoEnd(Role.AGENT, "", self._handle, seed)
        self._agent, self._echoes = agent, echoes
        self._versions = itertools.count(1000 * seed)
        self._is_first = True
        for app in self.apps.values():  # the informer's first list is queued before anybody is there to hear it
            self._tell(EventType.CREATE, app)

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        self.end.writer.add(self.end.about(EventType.SPEC_UPDATE, PROJECT, Target.APPPROJECT))
        if self._is_first:
            self._is_first = False
            self.end.writer.add(self.end.message(Target.RESYNC, EventType.REQUEST_RESOURCE_RESYNC, {}))
            for app in self.apps.values():  # [Q] once more, because the agent's cluster Secret was "added"
                self._tell(EventType.CREATE, app)
        await self.end.serve(line)

    def create(self, name: str, revision: str = "v0", **metadata: object) -> Json:
        """A user makes an Application."""
        number = next(self._versions)
        app = go_application(name, self._agent, f"hub-{name}-{number}", number, revision, **metadata)
        self.apps[name] = app
        self._tell(EventType.CREATE, app)
        return app

    def change(self, name: str, changed: Callable[[Json], None]) -> Json:
        """A user changes one."""
        old, new = self.apps[name], self._stored(name, changed)
        if _phase(old) and _phase(old) != PHASE_TERMINATING and _phase(new) == PHASE_TERMINATING:
            self._tell(EventType.TERMINATE_OPERATION, new)
            return new
        bare = {key: value for key, value in new.items() if key != "operation"}
        self._tell(EventType.SPEC_UPDATE, bare)
        if new.get("operation") and not old.get("operation"):
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
        self.end.writer.add(self.end.about(kind, app, principal_uid=self.uid))

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
            self._stored(payload["resourceName"], lambda app: app.update(status=status))
            return
        name = payload["metadata"]["name"]
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
            self._update(payload["name"], payload["uid"], payload["checksum"])
        elif event.type == EventType.REQUEST_SYNCED_RESOURCE_LIST:
            entries = [("Application", name, app["metadata"]["uid"]) for name, app in self.apps.items()]
            if entries and go_list_checksum(entries) != payload["checksum"]:
                for _, name, uid in entries:
                    there = {"name": name, "namespace": self._agent, "uid": uid, "kind": "Application"}
                    message = self.end.message(Target.RESYNC, EventType.RESPONSE_SYNCED_RESOURCE, there)
                    self.end.writer.add(message)

    def _update(self, name: str, uid: str, checksum: str | None) -> None:
        app = self.apps.get(name)
        if app is None:
            self._tell(EventType.DELETE, stub(name, self._agent, uid))
        elif checksum != go_checksum(app):
            kind = {"kind": "Application", "apiVersion": "argoproj.io/v1alpha1"}
            self._tell(EventType.SPEC_UPDATE, {**kind, **app})  # with its operation, unlike other updates

    def _stored(self, name: str, changed: Callable[[Json], None]) -> Json:
        app = copy.deepcopy(self.apps[name])
        changed(app)
        app["metadata"]["resourceVersion"] = str(next(self._versions))
        self.apps[name] = app
        return app


def _phase(app: Json) -> str:
    return str((app.get("status", {}).get("operationState") or {}).get("phase", ""))
