"""A Go v0.9 agent in managed mode: what it does about events, quirks included (wire contract, 5.5, 6.2 and 6.6).

Its cluster is a dict; `change` stands for the controller and for users there. [Q] marks what the reference is known to
do oddly and ours has to live with; those of the other kinds are in `go_held.py`. A restarted agent is a new one with
the objects of the old: `again`. With *hub_namespace* it maps by destination: namespaces are kept, but for the
principal's own, which becomes the agent's and is marked; an object then goes by `namespace/name`.
"""

import copy
import itertools
import json
from collections.abc import Callable, Mapping

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Role
from argocd_agent.protocol.names import (
    AGENT_SOURCE,
    ANNOTATION_ADOPTION_POLICY,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_MISMATCH_POLICY,
    ANNOTATION_NAMESPACE_REMAPPED,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    PHASE_TERMINATING,
)
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_held import ALL, HOME, Held
from tests.conformance.peers.go_objects import (
    Json,
    annotations_of,
    entry_of,
    go_checksum,
    go_list_checksum,
    go_project,
    phase_of,
    source_uid_of,
)
from tests.conformance.peers.line import GoLine


class GoAgent:
    """One process. `apps` is what is in its cluster, by name; *held* is what there is of other kinds, by kind."""

    def __init__(
        self,
        apps: dict[str, Json] | None = None,
        *,
        held: Mapping[str, dict[str, Json]] | None = None,
        adoption: str = "always",
        mismatch: str = "recreate",
        hub_namespace: str = "",
        seed: int = 1,
    ) -> None:
        self.apps: dict[str, Json] = apps or {}
        self.end = GoEnd(Role.PRINCIPAL, AGENT_SOURCE, self._handle, seed)
        self._adoption, self._hub_namespace = adoption, hub_namespace
        self._settings = {"adoption": adoption, "mismatch": mismatch, "hub_namespace": hub_namespace}
        self._managed = {name for name, app in self.apps.items() if source_uid_of(app)}
        self._versions = itertools.count(1000 + 1000 * seed)
        if held is None:  # Argo CD makes this one; until it is adopted no two checksums of lists are equal
            held = {"AppProject": {"default": go_project("default", HOME, "a-project-uid", 1)}}
        self._by_kind = {
            rules.kind.name: Held(rules, held.get(rules.kind.name, {}), self._versions, mismatch=mismatch)
            for rules in ALL
        }
        self.projects, self.repositories, self.keys = (self._by_kind[rules.kind.name] for rules in ALL)
        self._by_target = {one.rules.kind.target: one for one in self._by_kind.values()}
        self._is_first = True
        for name in self._managed:  # [Q] what its first list finds is told as if it had changed
            self.end.writer.add(self.end.about(EventType.STATUS_UPDATE, self.apps[name]))

    def again(self, seed: int) -> "GoAgent":
        """The process that comes after this one."""
        held = {name: one.objects for name, one in self._by_kind.items()}
        return GoAgent(self.apps, held=held, seed=seed, **self._settings)

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        if self._is_first:
            self._is_first = False
            listed = [entry_of("Application", app) for app in self.apps.values()]
            listed += [entry for held in self._by_kind.values() for entry in held.entries()]
            payload = {"checksum": go_list_checksum(listed)}
            self._send(Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST, payload)
            self._ask_about_all()
        await self.end.serve(line)

    def change(self, name: str, changed: Callable[[Json], None]) -> None:
        """Somebody else than the agent writes *name*."""
        app = self._stored(name, changed)
        if source_uid_of(app):
            self.end.writer.add(self.end.about(EventType.STATUS_UPDATE, app))

    def drift(self, name: str) -> None:
        """A user edits the specification of *name*: it is put back at once, which is told."""
        self.change(name, lambda app: None)

    def vanish(self, name: str) -> None:
        """A user deletes *name*: if it is the hub's it is made again, which is told."""
        app = self.apps[name]
        if source_uid_of(app):
            self.change(name, lambda app: app["metadata"].update(uid=f"spoke-{next(self._versions)}"))
        else:
            self.finalized(name)

    def add(self, app: Json) -> None:
        """Somebody makes *app* there by hand."""
        self.apps[self._key(app["metadata"])] = app

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
                rule(event, self._at_home(json.loads(event.data)))
        elif event.target in self._by_target:
            self._by_target[event.target].handle(event, json.loads(event.data))
        elif event.type == EventType.REQUEST_RESOURCE_RESYNC:
            self._ask_about_all()
        elif event.type == EventType.RESPONSE_SYNCED_RESOURCE:
            self._ask_about(json.loads(event.data))
        return True

    def _ask_about_all(self) -> None:
        asked = [self._asking(app) for app in self.apps.values()]
        asked += [held.asking(name) for held in self._by_kind.values() for name in held.objects]
        for payload in asked:
            if payload is not None:
                self._send(Target.RESYNC, EventType.REQUEST_UPDATE, payload)

    def _asking(self, app: Json) -> Json | None:
        meta, notes = app["metadata"], annotations_of(app)
        if not (uid := source_uid_of(app)):
            return None  # an error in its log
        namespace = self._hub_namespace if ANNOTATION_NAMESPACE_REMAPPED in notes else meta["namespace"]
        about = {"name": meta["name"], "namespace": namespace, "uid": uid, "kind": "Application"}
        return {**about, "checksum": go_checksum(app)}

    def _ask_about(self, there: Json) -> None:
        """The hub has this. [Q] Without a mapping, an Application is looked for in a namespace where it never is."""
        held = self._by_kind.get(there["kind"])
        if held is not None and there["name"] in held.objects:
            payload = held.asking(there["name"])
        elif held is None and self._hub_namespace and (found := self.apps.get(self._key(self._at_home_meta(there)))):
            payload = self._asking(found)
        else:
            asked = {"name": there["name"], "namespace": there["namespace"], "uid": "", "kind": there["kind"]}
            payload = {**asked, "checksum": None}
        if payload is not None:
            self._send(Target.RESYNC, EventType.REQUEST_UPDATE, payload)

    def _at_home(self, incoming: Json) -> Json:
        """*incoming*, in the namespace that it has here, and marked if that is another."""
        meta = incoming["metadata"]
        here = self._at_home_meta(meta)
        if self._hub_namespace and here["namespace"] != meta.get("namespace"):
            here["annotations"] = annotations_of(incoming) | {ANNOTATION_NAMESPACE_REMAPPED: "true"}
        return {**incoming, "metadata": here}

    def _at_home_meta(self, meta: Json) -> Json:
        is_kept = self._hub_namespace and meta.get("namespace") != self._hub_namespace
        return {**meta, "namespace": meta.get("namespace") if is_kept else HOME}

    def _key(self, meta: Json) -> str:
        return f"{meta['namespace']}/{meta['name']}" if self._hub_namespace else str(meta["name"])

    def _upsert(self, event: Event, incoming: Json) -> None:
        name, meta = self._key(incoming["metadata"]), incoming["metadata"]
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
                "resourceName": meta["name"],
                "resourceNamespace": meta["namespace"],
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
        meta |= {"annotations": notes, "uid": f"spoke-{number}", "resourceVersion": str(number)}
        app["spec"]["destination"] = _here(app)
        self.apps[self._key(meta)] = app
        self._managed.add(self._key(meta))

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
            if incoming.get("operation") and phase_of(app) != PHASE_TERMINATING:
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
        name = self._key(incoming["metadata"])
        app = self.apps.get(name)
        if app is not None and source_uid_of(app) == incoming["metadata"]["uid"] and phase_of(app) != PHASE_TERMINATING:
            self._stored(name, lambda app: app.update(operation=incoming["operation"]))

    def _terminate(self, event: Event, incoming: Json) -> None:
        name = self._key(incoming["metadata"])
        if name in self.apps and phase_of(self.apps[name]):
            self.change(name, lambda app: app["status"]["operationState"].update(phase=PHASE_TERMINATING))

    def _delete(self, event: Event, incoming: Json) -> None:
        name = self._key(incoming["metadata"])
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
