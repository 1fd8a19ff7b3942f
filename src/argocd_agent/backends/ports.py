"""What a backend must promise: the ports `Cluster` and `Cache`, and the small `RawApi` for what passes unread.

All backends of a port pass one contract suite (tests/conformance/cluster_contract and cache_contract), a real
kube-apiserver and a real Redis included. Every method raises `errors.ClusterError` or `errors.CacheError` subclasses
only, with messages that name verb, resource and object, or command and place.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects: of one namespace or all (None), by label and field selector in Kubernetes' syntax."""

    namespace: str | None = None
    labels: str = ""
    fields: str = ""


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. `version` is where to watch from; `next_token` asks for the next page, empty at the end."""

    items: tuple[Object, ...]
    version: str
    next_token: str = ""


class WatchType(StrEnum):
    """As in a Kubernetes watch; ERROR events are raised instead."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch. Of a BOOKMARK's object only `version` counts."""

    type: WatchType
    object: Object


class PatchType(StrEnum):
    """Content types of a patch (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/)."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(StrEnum):
    """What becomes of dependants on deletion."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class Cluster(Protocol):
    """One Kubernetes-style API."""

    async def get(self, api: Api, namespace: str, name: str) -> Object:
        """The object. Raises `NotFound`."""
        ...

    async def list(self, api: Api, scope: Scope = EVERYTHING, *, limit: int = 500, token: str = "") -> Page:
        """One page. Raises `Gone` when *token* has expired, `NotFound` when the kind does not exist."""
        ...

    def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        """Changes after version *since*, bookmarks included. Ends when the server ends it: watch again from the
        last version seen. Raises `Gone` when *since* is too old: list again. An object that leaves the scope's
        selectors comes as DELETED, one that enters as ADDED. Close it (`contextlib.aclosing`) when you stop early."""
        ...

    async def create(self, api: Api, obj: Object) -> Object:
        """The object as stored. Raises `AlreadyExists`, `Invalid`; `NotFound` when its namespace is missing."""
        ...

    async def update(self, api: Api, obj: Object, *, subresource: str = "") -> Object:
        """Replace the object; `obj.version`, if given, must be current. Raises `Conflict`, `NotFound`, `Invalid`."""
        ...

    async def patch(
        self, api: Api, namespace: str, name: str, patch: bytes, kind: PatchType, *, subresource: str = ""
    ) -> Object:
        """Apply *patch*. Raises `NotFound`, `Conflict`, `Invalid`."""
        ...

    async def delete(
        self,
        api: Api,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        version: str = "",
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> None:
        """Delete, or mark as deleting where finalizers remain. Raises `NotFound`; `Conflict` when *uid* or *version*
        is given and is not the object's."""
        ...

    async def close(self) -> None:
        """Let go of connections. Watches end. Calling it twice is fine."""
        ...


class Cache(Protocol):
    """A store of values that expire, and channels: Redis, or what stands in for it."""

    async def get(self, key: str) -> bytes | None:
        """The value; None if there is none, or no more."""
        ...

    async def set(self, key: str, value: bytes, *, ttl_seconds: float) -> None:
        """Keep *value* for so long, to the millisecond. Raises `CacheRefused` where the cache will not."""
        ...

    async def ping(self) -> None:
        """Nothing, if the cache is there and lets us in."""
        ...

    def subscribe(self, channel: str) -> AsyncGenerator[bytes, None]:
        """Messages on *channel*, after an empty one as soon as nothing can be missed any more. Raises
        `CacheUnavailable` when the connection is lost: what was said since is lost too, subscribe again. Close it
        (`contextlib.aclosing`) when you stop early."""
        ...

    async def close(self) -> None:
        """Let go of connections. Subscriptions end. Calling it twice is fine."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom to act for (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One call as it stands on the wire. `path` is encoded, `query` is not. `user` None: as ourselves."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = "application/json"
    user: User | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """What the API said, whether it liked the request or not."""

    status: int
    body: bytes
    content_type: str = "application/json"


class RawApi(Protocol):
    """A Kubernetes API spoken to in paths and bytes. Raises `Unavailable` where there is no answer at all."""

    async def call(self, request: RawRequest, limit_bytes: int) -> RawAnswer:
        """The answer. Raises `Unavailable` for one above *limit_bytes* too."""
        ...

    def follow(self, request: RawRequest, limit_bytes: int) -> AsyncGenerator[RawAnswer, None]:
        """The answer in pieces as they come, each with the status: a watch, or a refusal.

        The first piece of a watch is empty and comes as soon as the API agrees. Whoever takes no more keeps the API
        waiting. Close it (`contextlib.aclosing`) when you stop early. Raises as `call`; a refusal counts against
        *limit_bytes*, a watch does not.
        """
        ...
