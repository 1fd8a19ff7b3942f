"""The Applications, or other objects, of one namespace of one cluster, as a user with kubectl sees and changes them.

Waiting is by watch. What another one wrote between reading and writing is read again.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from argocd_agent.backends.ports import Cluster, Propagation, Scope, WatchType
from argocd_agent.codec import encode
from argocd_agent.demo.seeing import NotSeen, until
from argocd_agent.errors import Conflict, NotFound
from argocd_agent.protocol.names import ANNOTATION_SOURCE_UID, CONDITION_REFUSED
from argocd_agent.resources.kinds import APPLICATIONS, APPPROJECTS, Api
from argocd_agent.resources.objects import Metadata, Object
from tests.support.objects import a_project, an_application, at_path, described

SEEN_SECONDS = 15.0
FINALIZER = "resources-finalizer.argocd.argoproj.io"

Claim = Callable[[Object], bool]


class Objects:
    """Those of *api* in *namespace* of *cluster*; objects are named by their names alone."""

    def __init__(self, cluster: Cluster, namespace: str, api: Api) -> None:
        self.cluster, self.namespace, self.api = cluster, namespace, api

    async def get(self, name: str) -> Object:
        """It. Raises `NotFound`."""
        return await self.cluster.get(self.api, self.namespace, name)

    async def is_there(self, name: str) -> bool:
        """Whether there is one of that name now."""
        try:
            await self.get(name)
        except NotFound:
            return False
        return True

    async def change(self, name: str, change: Callable[[Object], Object]) -> Object:
        """Write what *change* makes of the newest version."""
        while True:
            try:
                return await self.cluster.update(self.api, change(await self.get(name)))
            except Conflict:
                continue

    async def delete(self, name: str, propagation: Propagation = Propagation.BACKGROUND) -> None:
        """Ask for its deletion."""
        await self.cluster.delete(self.api, self.namespace, name, propagation=propagation)

    async def finish(self, name: str) -> None:
        """Take its finalizers off, as controllers do when they are done."""
        with contextlib.suppress(NotFound):
            await self.change(name, lambda obj: obj.with_metadata(finalizers=None))

    async def until(self, name: str, claim: Claim, what: str, seconds: float = SEEN_SECONDS) -> Object:
        """The object as soon as it is there and *claim* is true of it. Raises `NotSeen`."""
        found = await until(
            self.cluster,
            self.api,
            self.namespace,
            name,
            lambda held: held is not None and claim(held),
            seconds,
            what,
        )
        assert found is not None, "the claim is about an object"
        return found

    async def until_there(self, name: str, seconds: float = SEEN_SECONDS) -> Object:
        """The object as soon as there is one."""
        return await self.until(name, lambda _: True, f"{name} is there", seconds)

    async def until_all(
        self, claim: Callable[[Mapping[str, Object]], bool], what: str, seconds: float = 2 * SEEN_SECONDS
    ) -> None:
        """Wait until *claim* is true of all objects together, by name. Raises `NotSeen`."""
        found: dict[str, Object] = {}
        try:
            async with asyncio.timeout(seconds):
                page = await self.cluster.list(self.api, Scope(self.namespace), limit=5000)
                found.update({obj.name: obj for obj in page.items})
                changes = self.cluster.watch(self.api, Scope(self.namespace), page.version)
                while not claim(found):
                    change = await anext(changes)
                    if change.type is WatchType.DELETED:
                        del found[change.object.name]
                    elif change.type is not WatchType.BOOKMARK:
                        found[change.object.name] = change.object
        except TimeoutError as error:
            raise NotSeen(
                f"not seen within {seconds:g} seconds: {what} (of {len(found)} {self.api.resource})"
            ) from error

    async def version(self) -> str:
        """Where the history of all of them is now, for `changed_since`."""
        return (await self.cluster.list(self.api, Scope(self.namespace), limit=5000)).version

    async def changed_since(self, version: str, name: str, claim: Claim) -> set[str]:
        """The names of all that were written since *version*, up to the moment when *claim* is true of *name*."""
        names = set[str]()
        async with asyncio.timeout(SEEN_SECONDS):
            async for change in self.cluster.watch(self.api, Scope(self.namespace), version):
                if change.type is WatchType.BOOKMARK:
                    continue
                names.add(change.object.name)
                if change.object.name == name and claim(change.object):
                    break
        return names

    async def until_gone(self, name: str, seconds: float = SEEN_SECONDS) -> None:
        """Wait until there is none. Raises `NotSeen`."""
        await until(self.cluster, self.api, self.namespace, name, lambda held: held is None, seconds, f"{name} is gone")


class Applications(Objects):
    """Applications."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(cluster, namespace, APPLICATIONS)

    async def create(self, name: str, **more: Any) -> Object:
        """A new Application; *more* as for `an_application`."""
        return await self.cluster.create(self.api, unborn(an_application(name, self.namespace, **more)))


class Projects(Objects):
    """AppProjects."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(cluster, namespace, APPPROJECTS)

    async def create(self, name: str, **more: Any) -> Object:
        """A new AppProject; *more* as for `a_project`."""
        return await self.cluster.create(self.api, unborn(a_project(name, self.namespace, **more)))


def unborn(obj: Object) -> Object:
    """*obj* as it is before an API server has seen it."""
    about = obj.metadata
    return Object(
        Metadata(
            name=about.name,
            namespace=about.namespace,
            labels=about.labels,
            annotations=about.annotations,
            finalizers=about.finalizers,
            owner_references=about.owner_references,
        ),
        obj.fields,
    )


def with_path(path: str) -> Callable[[Object], Object]:
    """Changes `spec.source.path`."""
    return lambda obj: at_path(obj, path)


def with_description(words: str) -> Callable[[Object], Object]:
    """Changes `spec.description` of a project."""
    return lambda obj: described(obj, words)


def status_of(obj: Object) -> dict[str, Any]:
    """`status`, empty if there is none."""
    return obj.look("status") or {}


def with_status(**changes: Any) -> Callable[[Object], Object]:
    """Sets fields of `status`."""
    return lambda obj: obj.with_fields({"status": encode({**status_of(obj), **changes})})


def synced(revision: str = "abc") -> Callable[[Object], Object]:
    """The status that Argo CD's controller writes after a sync of *revision*."""
    compared = {"source": {"repoURL": "https://git.example/repo"}, "destination": {}}
    return with_status(
        sync={"status": "Synced", "revision": revision, "comparedTo": compared}, health={"status": "Healthy"}
    )


def revision_of(obj: Object) -> str:
    """`status.sync.revision`, empty if there is none."""
    return str(status_of(obj).get("sync", {}).get("revision", ""))


def source_of(obj: Object) -> str:
    """The UID of the source that *obj* is the mirror of, empty if it is none."""
    return obj.annotations.get(ANNOTATION_SOURCE_UID, "")


def conditions_of(obj: Object) -> dict[str, str]:
    """The messages of `status.conditions`, by type."""
    return {one["type"]: one["message"] for one in status_of(obj).get("conditions", [])}


def refusal_of(obj: Object) -> str:
    """What the hub says of an agent that could not apply it, empty if nothing."""
    return conditions_of(obj).get(CONDITION_REFUSED, "")
