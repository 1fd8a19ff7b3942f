"""Whether a live object belongs to an Application of this cluster. Nothing else may be seen or touched from the hub.

It does where an Application lists it (`status.resources`), where it has Argo CD's mark, or where that is so of one of
its owners, up to `ANCESTORS` above it. Asked in this order: the list and the mark cost nothing, an owner costs a call.
What an owner was found to be is remembered for `REMEMBERED_SECONDS`, for at most `REMEMBERED` owners; only that it
belongs, since not belonging can change at any moment. One owner that cannot be looked up does not hide another.

How objects are marked is what ConfigMap `argocd-cm` says now: it is watched.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping

from argocd_agent.agent.discovery import LIMIT_BYTES, Discovery
from argocd_agent.backends.ports import Cluster, RawApi, RawRequest, Scope
from argocd_agent.errors import ClusterError, DecodeError, Forbidden, NotFound, Unavailable
from argocd_agent.peer.observe import Change, Key, Observer
from argocd_agent.protocol.names import CONFIGMAP_ARGOCD
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Object, OwnerReference, decode_object
from argocd_agent.resources.tracking import (
    Marking,
    Ref,
    group_and_version,
    marking_from,
    no_settings,
    owners_of,
    resources_of,
)
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log
from argocd_agent.wire.kubepaths import KubePath, path_of

log = get_log("Tracking")

ANCESTORS = 4
REMEMBERED = 8192
REMEMBERED_SECONDS = 60.0
_NONE: tuple[Object | None, frozenset[Ref]] = (None, frozenset())


class Tracking:
    """Decides by the Applications in *held*, which somebody else keeps current."""

    def __init__(
        self, cluster: Cluster, raw: RawApi, discovery: Discovery, namespace: str, held: Mapping[Key, Object]
    ) -> None:
        self._raw, self._discovery, self._namespace, self._held = raw, discovery, namespace, held
        self._marking: Marking | None = None
        self._problem = no_settings(namespace)
        self._tried = asyncio.Event()  # to read the settings
        self._listed: Counter[Ref] = Counter()  # by how many Applications
        self._read: dict[Key, tuple[Object | None, frozenset[Ref]]] = {}  # what of each stands in there
        self._belonging: OrderedDict[tuple[Ref, str], float] = OrderedDict()  # until when
        self._clock = asyncio.get_running_loop().time
        scope = Scope(namespace, fields=f"metadata.name={CONFIGMAP_ARGOCD}")
        self._settings = Observer(cluster, CONFIGMAPS, scope, self._on_change, report=self._on_report)

    async def run(self) -> None:
        """Watch how objects are marked, until cancelled."""
        await self._settings.run()

    async def require(self, obj: Object, ref: Ref) -> None:
        """Nothing, where *obj*, which others call *ref*, belongs to an Application.

        Raises `Forbidden` where it does not; another `ClusterError` where that cannot be found out.
        """
        if not await self._belongs(obj, ref, 0):
            raise Forbidden(
                f'{ref.kind} "{_place(ref)}" belongs to no Application of this cluster: expected one that lists it, '
                f"or Argo CD's mark on it or on an owner up to {ANCESTORS} above it"
            )

    async def require_owner(self, obj: Object, ref: Ref) -> bool:
        """Whether one of the owners of *obj*, which need not exist itself, belongs to an Application."""
        return await self._has_owner(obj, ref, 0)

    def is_listed(self, ref: Ref) -> bool:
        """Whether an Application listed *ref* as its own when `refresh` was last called."""
        return self._listed[ref] > 0

    def refresh(self) -> None:
        """Take in what the Applications list now. Cheap where nothing has changed; call it before each request."""
        for key in self._read.keys() - self._held.keys():
            self._take(key, None)
        for key, application in self._held.items():
            if self._read.get(key, _NONE)[0] is not application:
                self._take(key, application)

    def _take(self, key: Key, application: Object | None) -> None:
        _, before = self._read.pop(key, _NONE)
        for ref in before:
            self._listed[ref] -= 1
            if not self._listed[ref]:
                del self._listed[ref]
        if application is not None:
            listed = resources_of(application)
            self._read[key] = (application, listed)
            self._listed.update(listed)

    async def _belongs(self, obj: Object, ref: Ref, depth: int) -> bool:
        if self.is_listed(ref):
            return True
        await self._tried.wait()
        if self._marking is None:
            raise ClusterError(self._problem)
        return self._marking.is_on(obj) or await self._has_owner(obj, ref, depth)

    async def _has_owner(self, obj: Object, ref: Ref, depth: int) -> bool:
        problem: ClusterError | None = None
        for owner in owners_of(obj, ref.group, ref.kind):
            try:
                if await self._owner_belongs(owner, ref.namespace, depth + 1):
                    return True
            except ClusterError as error:
                error.add_note(f"looking up the owner {owner.kind} {owner.name} of {ref.kind} {_place(ref)}")
                problem = problem or error
        if problem is not None:
            raise problem
        return False

    async def _owner_belongs(self, owner: OwnerReference, namespace: str, depth: int) -> bool:
        if depth > ANCESTORS:
            raise ClusterError(f"recursion limit reached: an object belongs to owners more than {ANCESTORS} above it")
        group, version = group_and_version(owner.api_version)
        served = await self._discovery.by_kind(group, version, owner.kind)
        if served is None or (served.namespaced and not namespace):
            return False
        ref = Ref(group, owner.kind, namespace if served.namespaced else "", owner.name)
        if self._is_remembered(ref, owner.uid):
            return True
        path = KubePath(
            is_core=not group,
            group=group,
            version=version,
            namespace=ref.namespace,
            resource=served.plural,
            name=ref.name,
        )
        found = await read_object(self._raw, path)
        if owner.uid and found.uid != owner.uid:  # another one of that name: not the owner
            return False
        if not await self._belongs(found, ref, depth):
            return False
        self._remember(ref, found.uid)
        if not owner.uid:
            self._remember(ref, "")
        return True

    def _is_remembered(self, ref: Ref, uid: str) -> bool:
        until = self._belonging.get((ref, uid))
        return until is not None and self._clock() < until

    def _remember(self, ref: Ref, uid: str) -> None:
        self._belonging[ref, uid] = self._clock() + REMEMBERED_SECONDS
        self._belonging.move_to_end((ref, uid))
        if len(self._belonging) > REMEMBERED:
            self._belonging.popitem(last=False)

    def _on_change(self, change: Change) -> None:
        before = self._marking
        try:
            self._marking = None if change.new is None else marking_from(change.new)
            self._problem = no_settings(self._namespace)
        except DecodeError as error:
            self._marking, self._problem = None, str(error)
        if self._marking is None:
            log.error("Live objects cannot be told apart", {fields.ERROR: self._problem})
        if self._marking != before:
            self._belonging.clear()
            if self._marking is not None:
                log.info(f"Argo CD tracks by {self._marking.method}", {fields.DETAIL: self._marking.label})

    def _on_report(self, problem: str | None) -> None:
        self._tried.set()
        if problem is not None and self._marking is None:
            self._problem = f"what Argo CD tracks here is not known: {problem}"


async def read_object(raw: RawApi, path: KubePath) -> Object:
    """The object at *path*, read as ourselves. Raises `ClusterError` with the code that the API server gave."""
    try:
        where = path_of(path)
        answer = await raw.call(RawRequest("GET", where), LIMIT_BYTES)
        if answer.status == 200:
            return decode_object(answer.body, where)
    except DecodeError as error:
        raise Unavailable(f"cannot read {path.resource} {path.name}: {error}") from error
    kind = {403: Forbidden, 404: NotFound}.get(answer.status, ClusterError)
    failure = kind(f"cannot read {where}: the API server says {answer.status}")
    failure.code = answer.status
    raise failure


def _place(ref: Ref) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
