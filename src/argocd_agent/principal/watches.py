"""What the principal watches on its hub: one observer for each kind that travels, and one for cluster Secrets."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.peer.program import reporter
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS
from argocd_agent.resources.cluster import CLUSTER_SELECTOR
from argocd_agent.resources.copies import is_repository
from argocd_agent.resources.identity import source_uid
from argocd_agent.resources.kinds import APPLICATIONS, APPPROJECTS, CONFIGMAPS, SECRETS
from argocd_agent.resources.mapping import HubMapping
from argocd_agent.resources.objects import Object
from argocd_agent.resources.scope import admits, is_ignored, repository_selector, selector
from argocd_agent.telemetry.health import Health

APPS, PROJECTS, REPOSITORIES, KEYS = "Applications", "AppProjects", "repositories", "GPG keys"
CLUSTERS = "cluster Secrets"
PARTS = (APPS, PROJECTS, REPOSITORIES, KEYS, CLUSTERS)

OnChange = Callable[[Change], None]


@dataclass(frozen=True, slots=True)
class Watches:
    """The observers, each by what it is called in health."""

    applications: Observer
    projects: Observer
    repositories: Observer
    keys: Observer
    clusters: Observer

    async def read(self) -> None:
        """Wait until everything has been read once."""
        for observer in self._all().values():
            await observer.synced.wait()

    def parts(self) -> dict[str, Coroutine[None, None, None]]:
        """What must run."""
        return {f"watch {name}": observer.run() for name, observer in self._all().items()}

    def _all(self) -> dict[str, Observer]:
        return {
            CLUSTERS: self.clusters,
            APPS: self.applications,
            PROJECTS: self.projects,
            REPOSITORIES: self.repositories,
            KEYS: self.keys,
        }


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told of changes."""

    applications: OnChange
    projects: OnChange
    repositories: OnChange
    keys: OnChange
    clusters: OnChange


def watches(cluster: Cluster, config: PrincipalConfig, mapping: HubMapping, health: Health, told: Told) -> Watches:
    """The observers of the hub that *config* describes."""

    def is_admitted(obj: Object) -> bool:
        # A copy of what an agent owns is held wherever it is: it may turn out whose it is when the agent comes.
        return admits(obj, config.allowed_namespaces, mapping) or (bool(source_uid(obj)) and not is_ignored(obj))

    home, extra = config.namespace, config.label_selector
    chosen = selector(extra)
    return Watches(
        applications=Observer(
            cluster,
            APPLICATIONS,
            Scope(labels=chosen),
            told.applications,
            admits=is_admitted,
            report=reporter(health, APPS),
        ),
        projects=Observer(
            cluster, APPPROJECTS, Scope(home, labels=chosen), told.projects, report=reporter(health, PROJECTS)
        ),
        repositories=Observer(
            cluster,
            SECRETS,
            Scope(home, labels=repository_selector(extra)),
            told.repositories,
            admits=is_repository,
            report=reporter(health, REPOSITORIES),
        ),
        keys=Observer(
            cluster,
            CONFIGMAPS,
            Scope(home, labels=chosen, fields=f"metadata.name={CONFIGMAP_GPG_KEYS}"),
            told.keys,
            report=reporter(health, KEYS),
        ),
        clusters=Observer(
            cluster, SECRETS, Scope(home, labels=CLUSTER_SELECTOR), told.clusters, report=reporter(health, CLUSTERS)
        ),
    )
