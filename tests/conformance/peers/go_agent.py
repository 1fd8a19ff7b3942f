"""A Go v0.9 agent in managed mode: what it does about events, quirks included (wire contract, 5.5 and 6.2).

Its cluster is a dict; `change` stands for the controller and for users there. [Q] marks what the reference is known to
do oddly and ours has to live with. A restarted agent is a new one with the applications of the old.
"""

import copy
import itertools
import json
from collections.abc import Callable

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import (
    AGENT_SOURCE,
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_MISMATCH_POLICY,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    PHASE_TERMINATING,
)
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_objects import (
    Json,
    annotations_of,
    go_checksum,
    go_list_checksum,
    source_uid_of,
)
from tests.conformance.peers.line import GoLine

HOME = "argocd"


class GoAgent:
    """One process. `apps` is what is in its cluster, by name."""

    def __init__(self, apps: dict[str, Json] | None = None, *, adoption: str = "always", seed: int = 1) -> None:
        self.apps: dict[str, Json] = apps or {}
        self.end = GoEnd(Role.PRINCIPAL, AGENT_SOURCE, self._handle, seed)
        self._adoption = adoption
        self._managed = {name for name, app in self.apps.items() if source_uid_of(app)}
        self._versions = itertools.count(1000 + 1000 * seed)
        self._is_first = True

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        if self._is_first:
            self._is_first = False
            listed = [("Application", name, source_uid_of(app)) for name, app in self.apps.items()]
            listed.append(("AppProject", "default", "a-project-uid"))  # [Q] why the checksums never match
            payload = {"checksum": go_list_checksum(listed)}
            self._send(Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST, payload)
            self._ask_about_all()
        await self.end.serve(line)

    def change(self, name: str, changed: Callable[[Json], None]) -> None:
        """Somebody else than the agent writes *name*."""
        app = self._stored(name, changed)
        if source_uid_of(app):
            self.end.writer.add(self.end.about(EventType.STATUS_UPDATE, app))

    def add(self, app: Json) -> None:
        """Somebody makes *app* there by hand."""
        self.apps[app["metadata"]["name"]] = app

    def finalized(self, name: str) -> None:
        """The controller takes its finalizers off *name*, which was being deleted."""
        app = self.apps.pop(name)
        self._managed.discard(name)
        self.end.writer.add(self.end.about(EventType.DELETE, app))

    def _send(self, target: Target, kind: str, payload: Json | None) -> None:
        self.end.writer.add(self.end.message(target, kind, payload))

    def _handle(self, event: Event) -> bool:
        if event.target is Target.APPLICATION:
            rule = {
                EventType.CREATE: self._upsert,
                EventType.SPEC_UPDATE: self._upsert,
                EventType.SET_OPERATION: self._set_operation,
                EventType.TERMINATE_OPERATION: self._terminate,
                EventType.DELETE: self._delete,
            }.get(EventType(event.type))
            if rule is not None:
                rule(event, json.loads(event.data))
        elif event.type == EventType.REQUEST_RESOURCE_RESYNC:
            self._ask_about_all()
        elif event.type == EventType.RESPONSE_SYNCED_RESOURCE:
            # [Q] Looked for in the principal's namespace, where it never is.
            there = json.loads(event.data)
            asked = {"name": there["name"], "namespace": there["namespace"], "uid": "", "kind": there["kind"]}
            self._send(Target.RESYNC, EventType.REQUEST_UPDATE, {**asked, "checksum": None})
        return True

    def _ask_about_all(self) -> None:
        for name, app in self.apps.items():
            if uid := source_uid_of(app):
                payload = {
                    "name": name,
                    "namespace": HOME,
                    "uid": uid,
                    "kind": "Application",
                    "checksum": go_checksum(app),
                }
                self._send(Target.RESYNC, EventType.REQUEST_UPDATE, payload)

    def _upsert(self, event: Event, incoming: Json) -> None:
        name, meta = incoming["metadata"]["name"], incoming["metadata"]
        existing, principal = self.apps.get(name), event.principal_uid
        uid = source_uid_of(incoming) or meta.get("uid", "")
        if existing is None:
            if name not in self._managed:
                self._create(incoming, uid, principal)
            return
        held, owner = source_uid_of(existing), annotations_of(existing).get(ANNOTATION_PRINCIPAL_UID, "")
        if not held and event.type != EventType.CREATE:
            return  # an error in its log
        if not held and annotations_of(existing).get(ANNOTATION_ADOPTION_POLICY, self._adoption) == "never":
            payload = {
                "resourceName": name,
                "resourceNamespace": HOME,
                "message": f"application {name} was not adopted",
            }
            self._send(Target.APPLICATION, EventType.ERROR, payload)
            return
        moved = bool(principal) and owner != principal
        is_upsert = annotations_of(incoming).get(ANNOTATION_MISMATCH_POLICY) == "upsert"
        if held and held != uid and uid and not moved and not is_upsert:
            del self.apps[name]
            self._create(incoming, uid, principal)
            return
        self._update(name, incoming, uid, principal)

    def _create(self, incoming: Json, uid: str, principal: str) -> None:
        app = copy.deepcopy(incoming)
        meta = app["metadata"]
        for gone in ("resourceVersion", "generation", "ownerReferences", "managedFields"):
            meta.pop(gone, None)
        notes = annotations_of(app) | {ANNOTATION_SOURCE_UID: uid, ANNOTATION_PRINCIPAL_UID: principal}
        notes.pop(ANNOTATION_LAST_APPLIED, None)
        number = next(self._versions)
        meta |= {"annotations": notes, "namespace": HOME, "uid": f"spoke-{number}", "resourceVersion": str(number)}
        app["spec"]["destination"] = _here(app)
        self.apps[meta["name"]] = app
        self._managed.add(meta["name"])

    def _update(self, name: str, incoming: Json, uid: str, principal: str) -> None:
        """RFC 6902 in the reference; status is untouched."""

        def changed(app: Json) -> None:
            notes = annotations_of(incoming) | {ANNOTATION_SOURCE_UID: uid}
            if refresh := annotations_of(app).get(ANNOTATION_REFRESH):
                notes[ANNOTATION_REFRESH] = refresh
            notes[ANNOTATION_PRINCIPAL_UID] = principal or annotations_of(app).get(ANNOTATION_PRINCIPAL_UID, "")
            app["metadata"]["annotations"] = notes
            for field in ("labels", "finalizers"):
                app["metadata"][field] = incoming["metadata"].get(field) or None
            app["spec"] = {**incoming["spec"], "destination": _here(incoming)}
            if incoming.get("operation") and _phase(app) != PHASE_TERMINATING:
                app["operation"] = incoming["operation"]

        self._managed.add(name)
        app = self._stored(name, changed)
        if not incoming["metadata"].get("deletionTimestamp") or app["metadata"].get("deletionTimestamp"):
            return
        if app["metadata"].get("finalizers"):
            # The watch shows it being deleted, and so the principal hears of it.
            self.change(name, lambda app: app["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
        else:
            self.finalized(name)

    def _set_operation(self, event: Event, incoming: Json) -> None:
        name = incoming["metadata"]["name"]
        app = self.apps.get(name)
        if app is not None and source_uid_of(app) == incoming["metadata"]["uid"] and _phase(app) != PHASE_TERMINATING:
            self._stored(name, lambda app: app.update(operation=incoming["operation"]))

    def _terminate(self, event: Event, incoming: Json) -> None:
        name = incoming["metadata"]["name"]
        if name in self.apps and _phase(self.apps[name]):
            self.change(name, lambda app: app["status"]["operationState"].update(phase=PHASE_TERMINATING))

    def _delete(self, event: Event, incoming: Json) -> None:
        name = incoming["metadata"]["name"]
        if name not in self._managed or name not in self.apps:
            return
        gone = self.apps.pop(name)  # [Q] whatever its UID
        self._managed.discard(name)
        if self.end.chance.random() < 0.5:  # [Q] whether it tells depends on who is faster, it or its informer
            self.end.writer.add(self.end.about(EventType.DELETE, gone))

    def _stored(self, name: str, changed: Callable[[Json], None]) -> Json:
        app = copy.deepcopy(self.apps[name])
        changed(app)
        app["metadata"]["resourceVersion"] = str(next(self._versions))
        self.apps[name] = app
        return app


def _here(app: Json) -> Json:
    return {"name": "in-cluster", "namespace": app["spec"]["destination"].get("namespace", "")}


def _phase(app: Json) -> str:
    return str((app.get("status", {}).get("operationState") or {}).get("phase", ""))
