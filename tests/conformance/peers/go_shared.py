"""What a Go principal shares with a managed agent beside Applications: projects, repositories, GPG keys (wire contract,
5.4, 6.4 and 6.5).

`put` and `take` stand for users on the hub. An agent that never connected to this process is not told of anything.
[Q] A project is never in the list of what the agent has, and a repository only if its creation was told by this
process; so lists are practically never equal. [Q] The push at every connect, the keys and the answers of a resync do
not say whose they are. [Q] A resync of a repository ends in an error, unless its project is no longer for the agent;
one that is gone stays. The records have no event about GPG keys, not even where the ConfigMap was changed; what is
said of those here is from the contract.
"""

import copy
from collections.abc import Callable, Iterator

from argocd_agent.protocol.events import EventType
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS
from argocd_agent.resources.kinds import BY_NAME
from tests.conformance.peers.go_end import GoEnd
from tests.conformance.peers.go_objects import (
    HUB,
    Json,
    entry_of,
    go_checksum,
    go_keys,
    go_project,
    go_repository,
    is_hidden,
    project_of,
    source_uid_of,
    stub,
    wrapped,
)
from tests.conformance.peers.go_projects import edition, is_for

Objects = dict[str, dict[str, Json]]
PROJECT, REPOSITORY, KEYS = "AppProject", "Repository", "GPGKey"


def nothing() -> Objects:
    """A new hub: it has the project that Argo CD makes."""
    return {PROJECT: {"default": go_project("default", HUB, "project-1", 7)}, REPOSITORY: {}, KEYS: {}}


class Shared:
    """The *objects* of a hub, by kind and name, and what is said of them. *versions* are the hub's."""

    def __init__(
        self, end: GoEnd, objects: Objects, versions: Iterator[int], *, agent: str, uid: str, by_destination: bool
    ) -> None:
        self.end, self.objects = end, objects
        self.is_known = False  # whether the agent has connected to this process
        self._versions, self._agent, self._uid, self._by_destination = versions, agent, uid, by_destination
        self._has: set[str] = set()  # the repositories that the agent was told of
        self._listed: set[str] = set()
        # Which project a repository belongs to: what the first list says.
        self._projects = {name: project_of(secret) for name, secret in objects[REPOSITORY].items()}

    def project(self, name: str, **spec: object) -> Json:
        """A user makes a project, for every agent unless *spec* says otherwise."""
        return self.put(PROJECT, go_project(name, HUB, f"hub-{name}-{next(self._versions)}", 0, **spec))

    def repository(self, name: str, project: str, **data: str) -> Json:
        """A user makes a repository of *project*; credentials with `sort="repo-creds"`."""
        uid = f"hub-{name}-{next(self._versions)}"
        return self.put(REPOSITORY, go_repository(name, HUB, uid, 0, project=project, **data))

    def key(self, **data: str) -> Json:
        """A user sets all keys."""
        held = self.objects[KEYS].get(CONFIGMAP_GPG_KEYS)
        uid = held["metadata"]["uid"] if held else f"hub-keys-{next(self._versions)}"
        return self.put(KEYS, go_keys(HUB, uid, 0, **data))

    def change(self, kind: str, name: str, changed: Callable[[Json], None]) -> Json:
        """A user changes one."""
        obj = copy.deepcopy(self.objects[kind][name])
        changed(obj)
        return self.put(kind, obj)

    def put(self, kind: str, obj: Json) -> Json:
        """*obj* is as a user wants it from now on."""
        name = obj["metadata"]["name"]
        old, obj["metadata"]["resourceVersion"] = self.objects[kind].get(name), str(next(self._versions))
        if kind == PROJECT:
            obj["metadata"].pop("finalizers", None)  # [Q] taken off whatever project has any
        self.objects[kind][name] = obj
        self._told(kind, _seen(old), _seen(obj))
        return obj

    def take(self, kind: str, name: str) -> None:
        """A user deletes one."""
        gone = self.objects[kind].pop(name)
        gone["metadata"]["resourceVersion"] = str(next(self._versions))
        self._told(kind, _seen(gone), None)

    def push(self) -> None:
        """What is said at every connect: all there is, as it is now."""
        self.is_known = True
        mine = {name: one for name, one in self.objects[PROJECT].items() if self._is_for(one)}
        for project in mine.values():
            if not source_uid_of(project):
                self._say(PROJECT, EventType.SPEC_UPDATE, wrapped(PROJECT, project), is_signed=False)
        for name, secret in self.objects[REPOSITORY].items():
            if not is_hidden(secret) and project_of(secret) in mine:
                self._has.add(name)
                self._say(REPOSITORY, EventType.SPEC_UPDATE, secret, is_signed=False)
        for keys in self.objects[KEYS].values():
            if not is_hidden(keys):
                self._say(KEYS, EventType.SPEC_UPDATE, keys)

    def entries(self) -> list[tuple[str, str, str]]:
        """What it lists as the agent's."""
        repositories = [entry_of(REPOSITORY, self.objects[REPOSITORY][name]) for name in sorted(self._listed)]
        return repositories + [entry_of(KEYS, keys) for keys in self.objects[KEYS].values() if not is_hidden(keys)]

    def request_update(self, kind: str, name: str, uid: str, checksum: str | None, namespace: str) -> None:
        """The agent has this, and wants to know."""
        obj = self.objects[kind].get(name)
        if obj is None:
            if kind != REPOSITORY:
                self._send(kind, EventType.DELETE, stub(name, namespace, uid, kind))
        elif not self._is_relevant(kind, obj):
            self._send(kind, EventType.DELETE, obj)
        elif checksum != go_checksum(obj) and kind != REPOSITORY:
            self._say(kind, EventType.SPEC_UPDATE, wrapped(kind, obj) if kind == PROJECT else obj, is_signed=False)

    def _told(self, kind: str, old: Json | None, new: Json | None) -> None:
        if old is None and new is None:
            return
        if kind == PROJECT:
            self._project_told(old, new)
        elif kind == REPOSITORY:
            self._repository_told(old, new)
        elif self.is_known and (told := new or old) is not None:
            self._say(KEYS, EventType.DELETE if new is None else _kind_of(old), told)

    def _project_told(self, old: Json | None, new: Json | None) -> None:
        was, is_now = old is not None and self._is_for(old), new is not None and self._is_for(new)
        if self.is_known and is_now and new is not None:
            self._say(PROJECT, _kind_of(old), new)
        elif self.is_known and was and (gone := new or old) is not None:
            self._say(PROJECT, EventType.DELETE, gone)
        name = (new or old or {})["metadata"]["name"]
        for repository in [one for one, project in self._projects.items() if project == name]:
            secret = self.objects[REPOSITORY].get(repository)
            if secret is not None:
                self._repository_told(secret, secret)

    def _repository_told(self, old: Json | None, new: Json | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        is_now = new is not None and self._is_shared(new)
        was = name in self._has or (old is not None and self._is_shared(old))
        if new is None:
            self._projects.pop(name, None)
            self._listed.discard(name)
        else:
            self._projects[name] = project_of(new)
        if self.is_known and is_now and new is not None:
            self._has.add(name)
            if old is None:
                self._listed.add(name)
            self._say(REPOSITORY, _kind_of(old), new)
        elif self.is_known and was and (gone := new or old) is not None:
            self._has.discard(name)
            self._say(REPOSITORY, EventType.DELETE, gone)

    def _is_relevant(self, kind: str, obj: Json) -> bool:
        if kind == PROJECT:
            return self._is_for(obj)
        return kind != REPOSITORY or self._is_shared(obj)

    def _is_for(self, project: Json) -> bool:
        return not is_hidden(project) and is_for(project, self._agent, by_destination=self._by_destination)

    def _is_shared(self, secret: Json) -> bool:
        project = self.objects[PROJECT].get(project_of(secret))
        return project is not None and self._is_for(project)

    def _say(self, kind: str, event: EventType, obj: Json, *, is_signed: bool = True) -> None:
        if kind == PROJECT:
            obj = edition(obj, self._agent, by_destination=self._by_destination)
        self._send(kind, event, obj, self._uid if is_signed and kind != KEYS else "")

    def _send(self, kind: str, event: EventType, obj: Json, uid: str = "") -> None:
        self.end.writer.add(self.end.about(event, obj, BY_NAME[kind].target, principal_uid=uid))


def _seen(obj: Json | None) -> Json | None:
    return None if obj is None or is_hidden(obj) else obj


def _kind_of(old: Json | None) -> EventType:
    return EventType.CREATE if old is None else EventType.SPEC_UPDATE
