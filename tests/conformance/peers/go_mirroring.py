"""A Go v0.9 principal with one autonomous agent: a mirror of what the agent has (wire contract, 5.3 to 5.5, 6.3, 6.4).

Its hub is two dicts; `edit`, `remove`, `edit_project` and `remove_project` stand for users there. Creations and
deletions are generated like those of a managed agent and dropped on the way. A restarted principal is a new one with
the mirrors of the old: `again`. What the reference is known to do oddly, [Q], and ours has to live with:

- an AppProject that is told as made, and exists, is left as it is;
- a spec-update of an Application that is not here is ignored; one that was never made here stays missing until the next
  resync of either end;
- at its start it knows of the mirrored Applications, not of the projects: those it has neither in its list, nor does it
  ask about them, until they change;
- of a project that the agent lists it looks for the name without the prefix: its own project of that name is an error
  in its log, and one that is missing is asked for in the agent's namespace;
- the checksums of all that is mirrored differ, since the copy is rewritten;
- a deletion by the agent is in the foreground, so the agent hears of the mirror's deletionTimestamp as of a change;
- its own write comes back to it as a change, when the watch is faster than its memory;
- an empty set of labels is not taken over;
- after its start an edited mirror is not put right, but told, until the agent has said something about it;
- a mirror with finalizers that a user deletes stays away until the next resync.
"""

import copy
import itertools
import json
from collections.abc import Callable

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_NOTIFIED,
    ANNOTATION_SOURCE_UID,
    PHASE_TERMINATING,
)
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_objects import (
    HUB,
    Json,
    annotations_of,
    entry_of,
    go_checksum,
    go_list_checksum,
    go_project,
    phase_of,
    source_uid_of,
)
from tests.conformance.peers.go_principal import PRINCIPAL_UID
from tests.conformance.peers.go_projects import LONGEST_NAME, mirrored
from tests.conformance.peers.line import GoLine

APP, PROJECT = "Application", "AppProject"
DYING = "2026-01-01T00:00:00Z"
FILTERED = frozenset({EventType.CREATE, EventType.DELETE})


class GoMirroringPrincipal:
    """One process. `apps` are the mirrors by name, `projects` all AppProjects of the hub."""

    def __init__(
        self,
        apps: dict[str, Json] | None = None,
        projects: dict[str, Json] | None = None,
        *,
        agent: str = "agent-1",
        uid: str = PRINCIPAL_UID,
        echoes: bool = True,
        seed: int = 1,
    ) -> None:
        own = {"default": go_project("default", HUB, "project-1", 7)}
        self.apps: dict[str, Json] = {} if apps is None else apps
        self.projects: dict[str, Json] = own if projects is None else projects
        self.uid, self.echoes = uid, echoes
        self.end = GoEnd(Role.AGENT, "", self._handle, seed, Mode.AUTONOMOUS)
        self._agent = agent
        self._versions = itertools.count(1000 * seed)
        self._is_first = True
        self._tracked = {(APP, name) for name in self.apps}
        self._specs = {source_uid_of(one): copy.deepcopy(one["spec"]) for one in self.projects.values()}

    def again(self, seed: int) -> "GoMirroringPrincipal":
        """The process that comes after this one."""
        return GoMirroringPrincipal(
            self.apps, self.projects, agent=self._agent, uid=self.uid, echoes=self.echoes, seed=seed
        )

    @property
    def mirrored_projects(self) -> dict[str, Json]:
        """The agent's projects, by the names that they have on the spoke."""
        return {name.removeprefix(f"{self._agent}-"): one for name, one in self.projects.items() if source_uid_of(one)}

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        if self._is_first:
            self._is_first = False
            self._ask_about_all()
            entries = [entry_of(kind, self._find(kind, name)) for kind, name in self._tracked]
            payload = {"checksum": go_list_checksum(entries) or ""}
            self.end.writer.add(self.end.message(Target.RESYNC, EventType.REQUEST_SYNCED_RESOURCE_LIST, payload))
        await self.end.serve(line)

    def edit(self, name: str, changed: Callable[[Json], None]) -> None:
        """A user, or Argo CD, changes the mirror of an Application."""
        old, new = self.apps[name], copy.deepcopy(self.apps[name])
        changed(new)
        known = self._specs.get(source_uid_of(old))
        if known is not None and new["spec"] != known:
            self._store(self.apps, {**new, "spec": copy.deepcopy(known)})
            return
        self._store(self.apps, new)
        if phase_of(old) and phase_of(old) != PHASE_TERMINATING and phase_of(new) == PHASE_TERMINATING:
            self._tell(EventType.TERMINATE_OPERATION, new)
            return
        self._tell(EventType.SPEC_UPDATE, new)
        if new.get("operation") and not old.get("operation"):
            self.end.writer.add(self.end.about(EventType.SET_OPERATION, new))

    def remove(self, name: str) -> None:
        """A user deletes the mirror of an Application."""
        gone = self.apps.pop(name)
        if gone["metadata"].get("finalizers"):
            self._tracked.discard((APP, name))
            gone["metadata"] |= {"deletionTimestamp": DYING, "resourceVersion": str(next(self._versions))}
            self._tell(EventType.SPEC_UPDATE, gone)
        else:
            gone.pop("operation", None)
            self._make(self.apps, gone)

    def edit_project(self, name: str, changed: Callable[[Json], None]) -> None:
        """A user changes a project's mirror: its specification is put right, and nothing is said."""
        project = copy.deepcopy(self.projects[name])
        changed(project)
        self._store(self.projects, {**project, "spec": copy.deepcopy(self._specs[source_uid_of(project)])})

    def remove_project(self, name: str) -> None:
        """A user deletes a project's mirror: it is made again."""
        self._make(self.projects, self.projects.pop(name))

    def _find(self, kind: str, name: str) -> Json:
        return self.apps[name] if kind == APP else self.projects[name]

    def _tell(self, kind: EventType, app: Json) -> None:
        if kind not in FILTERED:
            bare = {key: value for key, value in app.items() if key != "operation"}
            told = bare if kind == EventType.SPEC_UPDATE else app
            self.end.writer.add(self.end.about(kind, told, principal_uid=self.uid))

    def _handle(self, event: Event) -> bool:
        try:
            payload = json.loads(event.data) if event.data else {}
            if event.target is Target.APPLICATION:
                self._application(event, payload)
            elif event.target is Target.APPPROJECT:
                self._project(event, payload)
            elif event.type == EventType.REQUEST_RESOURCE_RESYNC:
                self._ask_about_all()
            elif event.type == EventType.RESPONSE_SYNCED_RESOURCE:
                self._ask_about(payload)
        except (ValueError, KeyError, TypeError) as error:
            self.end.hang_up(f"the reference ends the stream of who sends what it cannot decode: {error!r}")
            return False
        return True

    def _application(self, event: Event, incoming: Json) -> None:
        name = incoming["metadata"]["name"]
        existing = self.apps.get(name)
        if event.type == EventType.DELETE:
            self._specs.pop(source_uid_of(existing) if existing else "", None)
            self._tracked.discard((APP, name))
            if existing is not None:
                del self.apps[name]
                existing["metadata"] |= {"deletionTimestamp": DYING, "resourceVersion": str(next(self._versions))}
                self._tell(EventType.SPEC_UPDATE, existing)
        elif event.type in (EventType.CREATE, EventType.SPEC_UPDATE):
            app = self._rewritten(incoming)
            if app is None:
                return
            if existing is not None:
                self._update(existing, app)
            elif event.type == EventType.CREATE:
                app.pop("operation", None)
                self._stamp(app, incoming["metadata"]["uid"])
                self._specs[source_uid_of(app)] = copy.deepcopy(app["spec"])
                self._make(self.apps, app)

    def _rewritten(self, incoming: Json) -> Json | None:
        """*incoming* as its mirror; None if its project's name becomes too long."""
        app = copy.deepcopy(incoming)
        spec = app.setdefault("spec", {})  # what is absent is a Go zero value
        project = f"{self._agent}-{spec.get('project', '')}"
        if len(project) > LONGEST_NAME:
            return None
        app["metadata"]["namespace"] = self._agent
        for gone in ("ownerReferences", "generation", "managedFields"):
            app["metadata"].pop(gone, None)
        spec |= {"project": project, "destination": {**spec.get("destination", {}), "name": self._agent}}
        spec["destination"].pop("server", None)
        for resource in app.get("status", {}).get("resources") or []:
            if (resource.get("group"), resource.get("kind")) == ("argoproj.io", APP):
                resource["namespace"] = self._agent
        return app

    def _update(self, existing: Json, incoming: Json) -> None:
        app, kept = copy.deepcopy(existing), annotations_of(existing)
        notes = annotations_of(incoming)
        notes |= {name: kept[name] for name in (ANNOTATION_SOURCE_UID, ANNOTATION_NOTIFIED) if name in kept}
        new = incoming["metadata"]
        app["metadata"] |= {"annotations": notes, "finalizers": new.get("finalizers") or None}
        if new.get("labels"):
            app["metadata"]["labels"] = new["labels"]
        self._stamp(app, "")
        app |= {"spec": incoming["spec"], "status": incoming.get("status", {})}
        app.pop("operation", None)
        if incoming.get("operation"):
            app["operation"] = incoming["operation"]
        self._specs[source_uid_of(app)] = copy.deepcopy(app["spec"])
        self._store(self.apps, app)
        if self.echoes:
            self._tell(EventType.SPEC_UPDATE, app)

    def _project(self, event: Event, incoming: Json) -> None:
        try:
            project = mirrored(incoming, self._agent, HUB)
        except ValueError:
            return  # an error in its log
        name, uid = project["metadata"]["name"], incoming["metadata"].get("uid", "")
        existing = self.projects.get(name)
        if event.type == EventType.DELETE:
            self.projects.pop(name, None)
            self._tracked.discard((PROJECT, name))
        elif existing is None and event.type in (EventType.CREATE, EventType.SPEC_UPDATE):
            self._stamp(project, uid)
            self._specs[source_uid_of(project)] = copy.deepcopy(project["spec"])
            self._make(self.projects, project)
        elif existing is not None and event.type == EventType.SPEC_UPDATE:
            held = {ANNOTATION_SOURCE_UID: source_uid_of(existing)}
            changed = copy.deepcopy(existing)
            changed["metadata"] |= {"annotations": {**held, **annotations_of(project)}}
            changed["metadata"]["labels"] = project["metadata"].get("labels")
            changed["spec"] = project["spec"]
            self._specs[source_uid_of(changed)] = copy.deepcopy(project["spec"])
            if changed["spec"] != existing["spec"]:
                self._tracked.add((PROJECT, name))
            self._store(self.projects, changed)

    def _ask_about_all(self) -> None:
        for kind, name in sorted(self._tracked):
            self._ask_update(kind, self._find(kind, name))

    def _ask_about(self, there: Json) -> None:
        kind, name = there["kind"], there["name"]
        found = (self.apps if kind == APP else self.projects).get(name)
        if found is not None:
            self._ask_update(kind, found)
            return
        about = {"name": name, "namespace": self._agent, "uid": "", "kind": kind, "checksum": None}
        self.end.writer.add(self.end.message(Target.RESYNC, EventType.REQUEST_UPDATE, about))

    def _ask_update(self, kind: str, obj: Json) -> None:
        meta = obj["metadata"]
        if not (uid := source_uid_of(obj)):
            return  # an error in its log
        about = {"name": meta["name"], "namespace": meta["namespace"], "uid": uid, "kind": kind}
        payload = {**about, "checksum": go_checksum(obj)}
        self.end.writer.add(self.end.message(Target.RESYNC, EventType.REQUEST_UPDATE, payload))

    def _stamp(self, obj: Json, uid: str) -> None:
        """Say whose it is, unless it says so, and when it was written."""
        notes = annotations_of(obj)
        source = notes.get(ANNOTATION_SOURCE_UID) or uid
        obj["metadata"]["annotations"] = notes | {
            ANNOTATION_SOURCE_UID: source,
            ANNOTATION_LAST_UPDATED: f"2026-01-01T00:00:00.{next(self._versions)}Z",
        }

    def _make(self, where: dict[str, Json], obj: Json) -> None:
        obj["metadata"]["uid"] = f"hub-{obj['metadata']['name']}-{next(self._versions)}"
        self._tracked.add((APP if where is self.apps else PROJECT, obj["metadata"]["name"]))
        self._store(where, obj)

    def _store(self, where: dict[str, Json], obj: Json) -> None:
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        where[obj["metadata"]["name"]] = obj
