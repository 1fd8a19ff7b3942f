"""What a managed spoke holds of its principal's: for each kind an observer, and the mirroring that keeps it right."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from argocd_agent.agent.config import AgentConfig
from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.peer.apply import Applier
from argocd_agent.peer.link import Link
from argocd_agent.peer.mirroring import Copies, Mirroring
from argocd_agent.peer.mirrors import Key
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.peer.program import reporter
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS
from argocd_agent.resources.copies import Copying, is_repository
from argocd_agent.resources.identity import principal_uid, source_uid
from argocd_agent.resources.kinds import APPLICATION, APPPROJECT, GPGKEY, REPOSITORY, Kind
from argocd_agent.resources.mapping import SpokeMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.patterns import matches_any
from argocd_agent.resources.plan import Action
from argocd_agent.resources.policy import Recreate
from argocd_agent.resources.scope import is_ignored, repository_selector, selector
from argocd_agent.telemetry.health import Health

# As health and logs call them, on the hub too.
PARTS = {APPLICATION: "Applications", APPPROJECT: "AppProjects", REPOSITORY: "repositories", GPGKEY: "GPG keys"}

MayDelete = Callable[[Kind, Object, Action], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Holding:
    """One kind."""

    copying: Copying
    observer: Observer
    mirroring: Mirroring

    @property
    def kind(self) -> Kind:
        return self.copying.kind

    def mirrors(self) -> Iterable[Object]:
        """The mirrors that are in the cluster."""
        return [obj for obj in self.observer.objects.values() if source_uid(obj)]


class HoldingStock:
    """The mirrors of one kind, for comparing: `peer.resync.Stock`. *is_left_out*: not to be compared now."""

    def __init__(
        self, holding: Holding, link: Link, mapping: SpokeMapping, is_left_out: Callable[[Kind, Object], bool]
    ) -> None:
        self.kind = holding.kind
        self.find = holding.observer.objects.get
        self.parts = holding.copying.parts
        self._holding, self._link, self._mapping, self._is_left_out = holding, link, mapping, is_left_out

    def objects(self) -> Iterable[Object]:
        """What this principal may call its own: not what another one wrote last."""
        ours = self._link.peer.principal_uid
        return [
            obj
            for obj in self._holding.mirrors()
            if (not ours or principal_uid(obj) in ("", ours)) and not self._is_left_out(self.kind, obj)
        ]

    def key(self, obj: Object) -> str:
        return self._mapping.digest_key(self.kind, obj)


def scope_of(kind: Kind, config: AgentConfig) -> Scope:
    """Where objects of *kind* are looked for on the spoke."""
    chosen = selector(config.label_selector)
    if kind is APPLICATION and config.destination_based_mapping:
        return Scope(labels=chosen)
    if kind is REPOSITORY:
        return Scope(config.namespace, labels=repository_selector(config.label_selector))
    if kind is GPGKEY:
        return Scope(config.namespace, labels=chosen, fields=f"metadata.name={CONFIGMAP_GPG_KEYS}")
    return Scope(config.namespace, labels=chosen)


def holding(
    copying: Copying,
    cluster: Cluster,
    config: AgentConfig,
    health: Health,
    clock: Callable[[], float],
    on_change: Callable[[Change], None],
    may_delete: MayDelete,
    made_again: Callable[[Object], None],
) -> Holding:
    """The holding of one kind. *on_change* is told of what the watch shows, after the writer has seen it."""
    kind = copying.kind

    def told(change: Change) -> None:
        applier.seen(change)
        on_change(change)

    observer = Observer(
        cluster,
        kind.api,
        scope_of(kind, config),
        told,
        admits=lambda obj: _admits(kind, obj, config),
        report=reporter(health, PARTS[kind]),
    )
    applier = Applier(
        cluster,
        kind.api,
        config.max_concurrent_writes,
        observer.until_gone,
        observer.objects.get,
        lambda obj, action: may_delete(kind, obj, action),
    )
    recreate = Recreate(config.on_application_recreate) if kind is APPLICATION else Recreate.IGNORE
    copies = Copies(kind, copying.content, copying.with_content, recreate)
    mirroring = Mirroring(
        copies, applier, observer.objects, clock, is_settled=observer.synced.is_set, made_again=made_again
    )
    return Holding(copying, observer, mirroring)


def allows(config: AgentConfig, key: Key) -> bool:
    """Whether an Application may live under this name on the spoke."""
    return key[0] == config.namespace or matches_any(config.allowed_namespaces, key[0])


def _admits(kind: Kind, obj: Object, config: AgentConfig) -> bool:
    if is_ignored(obj):
        return False
    if kind is REPOSITORY:
        return is_repository(obj)
    if kind is not APPLICATION:
        return True
    return allows(config, obj.key) and (not config.ignore_unmanaged_apps or bool(source_uid(obj)))
