"""A Go v0.9 agent in autonomous mode: Applications and AppProjects are its own (wire contract, 5.5, 6.3 and 6.4).

Its cluster is a dict; `create`, `project`, `change` and `delete` stand for its users and its controller. Of what the
hub says it takes a refresh and an operation, nothing else. A restarted agent is a new one with the objects of the old:
`again`. What the reference is known to do oddly, [Q], and ours has to live with:

- at its start every object is told twice, as made and as changed, unless the second is overtaken by a newer one;
- a refresh for an Application without any annotation fails at its API server and is not acked, ever;
- it carries out a deletion, although no principal of the reference lets one reach it;
- an AppProject that it is asked about is told as the edition of a *managed* agent of its name: destinations that do
  not name it, and its source namespaces, are lost on the hub until the next edit;
- an object with the annotation of a source cannot be deleted by its user;
- nothing but the specification is compared when it is asked, so a status that changed while nobody heard it is stale.
"""

import copy
import itertools
import json
from collections.abc import Callable

from argocd_agent.protocol.events import Event, EventType, Target
from argocd_agent.protocol.modes import Mode, Role
from argocd_agent.protocol.names import AGENT_SOURCE, ANNOTATION_REFRESH, PHASE_TERMINATING
from argocd_agent.resources.kinds import BY_NAME
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_held import HOME
from tests.conformance.peers.go_objects import (
    Json,
    annotations_of,
    entry_of,
    go_application,
    go_checksum,
    go_list_checksum,
    go_project,
    is_hidden,
    phase_of,
    source_uid_of,
    stub,
    wrapped,
)
from tests.conformance.peers.go_projects import edition
from tests.conformance.peers.line import GoLine

APP, PROJECT = "Application", "AppProject"
Objects = dict[str, dict[str, Json]]


class GoAutonomousAgent:
    """One process. *objects* are what is in its cluster, by kind and name."""

    def __init__(self, objects: Objects | None = None, *, agent: str = "agent-1", seed: int = 1) -> None:
        if objects is None:
            objects = {APP: {}, PROJECT: {"default": go_project("default", HOME, "own-default", 1)}}
        self.objects = objects
        self.end = GoEnd(Role.PRINCIPAL, AGENT_SOURCE, self._handle, seed, Mode.AUTONOMOUS)
        self._agent = agent
        self._versions = itertools.count(1000 + 1000 * seed)
        self._is_first = True
        for kind, those in objects.items():
            for obj in those.values():
                self._tell(kind, EventType.CREATE, wrapped(kind, obj))
                self._tell(kind, EventType.SPEC_UPDATE, obj)

    @property
    def apps(self) -> dict[str, Json]:
        """Its Applications."""
        return self.objects[APP]

    @property
    def projects(self) -> dict[str, Json]:
        """Its AppProjects."""
        return self.objects[PROJECT]

    def again(self, seed: int) -> "GoAutonomousAgent":
        """The process that comes after this one."""
        return GoAutonomousAgent(self.objects, agent=self._agent, seed=seed)

    async def serve(self, line: GoLine) -> None:
        """Speak on *line* until it is closed."""
        if self._is_first:
            self._is_first = False
            self._ask(EventType.REQUEST_RESOURCE_RESYNC, {})
        await self.end.serve(line)

    def create(self, name: str, revision: str = "v0", **metadata: object) -> Json:
        """A user makes an Application."""
        number = next(self._versions)
        return self._put(APP, go_application(name, HOME, f"own-{name}-{number}", number, revision, **metadata))

    def project(self, name: str, **spec: object) -> Json:
        """A user makes an AppProject."""
        number = next(self._versions)
        return self._put(PROJECT, go_project(name, HOME, f"own-{name}-{number}", number, **spec))

    def change(self, name: str, changed: Callable[[Json], None], kind: str = APP) -> Json:
        """A user or the controller changes one."""
        obj = copy.deepcopy(self.objects[kind][name])
        changed(obj)
        return self._put(kind, obj)

    def set_revision(self, name: str, revision: str) -> Json:
        """A user changes what is to be synced."""
        return self.change(name, lambda app: app["spec"]["source"].update(targetRevision=revision))

    def delete(self, name: str, kind: str = APP) -> None:
        """A user deletes one, with its finalizers if it has any."""
        obj = self.objects[kind][name]
        if source_uid_of(obj):
            self.change(name, lambda obj: obj["metadata"].update(uid=f"own-{name}-{next(self._versions)}"), kind)
        elif obj["metadata"].get("finalizers"):
            self.change(name, lambda obj: obj["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"), kind)
        else:
            self.finalized(name, kind)

    def finalized(self, name: str, kind: str = APP) -> None:
        """*name* is gone: nobody holds it any more."""
        gone = self.objects[kind].pop(name)
        gone["metadata"]["resourceVersion"] = str(next(self._versions))
        if not is_hidden(gone):
            self._tell(kind, EventType.DELETE, gone)

    def _put(self, kind: str, obj: Json) -> Json:
        old = self.objects[kind].get(obj["metadata"]["name"])
        was = old is not None and not is_hidden(old)
        self._store(kind, obj)
        if not is_hidden(obj):
            self._tell(kind, EventType.SPEC_UPDATE if was else EventType.CREATE, obj)
        elif was:
            self._tell(kind, EventType.DELETE, obj)
        return obj

    def _store(self, kind: str, obj: Json) -> None:
        obj["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[kind][obj["metadata"]["name"]] = obj

    def _tell(self, kind: str, event: EventType, obj: Json) -> None:
        self.end.writer.add(self.end.about(event, obj, BY_NAME[kind].target))

    def _ask(self, kind: EventType, payload: Json) -> None:
        self.end.writer.add(self.end.message(Target.RESYNC, kind, payload))

    def _handle(self, event: Event) -> bool:
        payload = json.loads(event.data) if event.data else {}
        if event.target is Target.APPLICATION:
            return self._application(event, payload)
        if event.type == EventType.REQUEST_SYNCED_RESOURCE_LIST:
            self._list(payload["checksum"])
        elif event.type == EventType.REQUEST_UPDATE:
            self._update(payload)
        return True

    def _application(self, event: Event, incoming: Json) -> bool:
        """Whether it is acked."""
        name = incoming["metadata"]["name"]
        app = copy.deepcopy(self.apps.get(name))
        if app is None:
            return True  # an error in its log
        refresh = annotations_of(incoming).get(ANNOTATION_REFRESH)
        if event.type == EventType.SPEC_UPDATE and refresh:
            if not annotations_of(app):
                return False  # a patch that its API server calls invalid, which counts as worth another try
            app["metadata"]["annotations"][ANNOTATION_REFRESH] = refresh
        if event.type in (EventType.SPEC_UPDATE, EventType.SET_OPERATION):
            if incoming.get("operation") and phase_of(app) != PHASE_TERMINATING:
                app["operation"] = incoming["operation"]
            self._store(APP, app)  # its own write, of which it says nothing
        elif event.type == EventType.TERMINATE_OPERATION and phase_of(app):
            self.change(name, lambda app: app["status"]["operationState"].update(phase=PHASE_TERMINATING))
        elif event.type == EventType.DELETE:
            del self.apps[name]
        return True

    def _list(self, checksum: str | None) -> None:
        mine = [(kind, obj) for kind, those in self.objects.items() for obj in those.values() if not is_hidden(obj)]
        entries = [entry_of(kind, obj) for kind, obj in mine]
        if not entries or go_list_checksum(entries) == checksum:
            return
        for kind, name, uid in entries:
            there = {"name": name, "namespace": HOME, "uid": uid, "kind": kind}
            self._ask(EventType.RESPONSE_SYNCED_RESOURCE, there)

    def _update(self, asked: Json) -> None:
        kind, name = asked["kind"], asked["name"]
        if kind not in self.objects:
            return  # an error in its log
        if kind == PROJECT and len(name) > len(self._agent) + 1:
            name = name.removeprefix(f"{self._agent}-")
        obj = self.objects[kind].get(name)
        if obj is None:
            self._tell(kind, EventType.DELETE, stub(name, asked.get("namespace", ""), asked["uid"], kind))
        elif asked["checksum"] != go_checksum(obj):
            told = edition(obj, self._agent, with_roles=True) if kind == PROJECT else obj
            self._tell(kind, EventType.SPEC_UPDATE, wrapped(kind, told))
