"""Secrets in a dictionary: enough of a cluster for argocd-agentctl, which gets, lists, makes and replaces."""

from collections.abc import AsyncGenerator

from argocd_agent.backends.ports import EVERYTHING, Page, PatchType, Propagation, Scope, WatchEvent
from argocd_agent.errors import AlreadyExists, BadRequest, Conflict, NotFound
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object


class SecretCluster:
    """The part of `Cluster` that the command line uses; the rest says so."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self._version = 0

    async def get(self, api: Api, namespace: str, name: str) -> Object:
        try:
            return self.objects[namespace, name]
        except KeyError:
            raise NotFound(f"get {api.resource} {namespace}/{name}: not found") from None

    async def list(self, api: Api, scope: Scope = EVERYTHING, *, limit: int = 500, token: str = "") -> Page:
        found = [obj for obj in self.objects.values() if obj.namespace == scope.namespace and _has(obj, scope.labels)]
        start = int(token or 0)
        more = str(start + 1) if start + 1 < len(found) else ""
        return Page(tuple(found[start : start + 1]), str(self._version), more)  # one by one, so that paging shows

    async def create(self, api: Api, obj: Object) -> Object:
        if obj.key in self.objects:
            raise AlreadyExists(f"create {api.resource} {obj.namespace}/{obj.name}: exists")
        return self._keep(obj.with_metadata(uid=f"uid-{self._version}", creation_timestamp="2026-01-02T03:04:05Z"))

    async def update(self, api: Api, obj: Object, *, subresource: str = "") -> Object:
        held = await self.get(api, obj.namespace, obj.name)
        if obj.version and obj.version != held.version:
            raise Conflict(f"update {api.resource} {obj.namespace}/{obj.name}: has changed")
        return self._keep(obj.with_metadata(uid=held.uid, creation_timestamp=held.metadata.creation_timestamp))

    async def patch(
        self, api: Api, namespace: str, name: str, patch: bytes, kind: PatchType, *, subresource: str = ""
    ) -> Object:
        raise BadRequest("patch: not here")

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
        raise BadRequest("delete: not here")

    def watch(self, api: Api, scope: Scope, since: str) -> AsyncGenerator[WatchEvent, None]:
        raise BadRequest("watch: not here")

    async def close(self) -> None:
        """Nothing to let go of."""

    def _keep(self, obj: Object) -> Object:
        self._version += 1
        kept = obj.with_metadata(resource_version=str(self._version))
        self.objects[obj.key] = kept
        return kept


def _has(obj: Object, selector: str) -> bool:
    terms = [term.split("=", 1) for term in selector.split(",") if term]
    return all(obj.labels.get(term[0]) == term[1] if len(term) == 2 else term[0] in obj.labels for term in terms)
