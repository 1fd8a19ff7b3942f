"""One Application with a repository, as users see it: made with the API, looked after with Argo CD's command line.

shop = Shop(pair, hub_argo, repository)
await shop.create(hub, to=agent)                    # on the side that owns it
await shop.says("sync", "--async")                  # `argocd app sync …` on the hub
await hub.until(shop.name, is_("Synced", "Healthy"), "synced", SECONDS)
"""

import asyncio
from collections.abc import Callable
from typing import Any

from argocd_agent.backends.ports import Cluster
from argocd_agent.demo.seeing import until
from argocd_agent.errors import NotFound
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object
from tests.support.applications import Applications, status_of
from tests.support.argocd import ArgoCD
from tests.support.gitserver import Repository
from tests.support.pairs import Pair
from tests.support.sites import a_name, make_namespace

SECONDS = 30.0
AUTOMATED: dict[str, Any] = {"syncPolicy": {"automated": {}}}


class Shop:
    """An Application of `pair`'s agent, and the namespace it deploys to on the spoke. *argo* is the hub's."""

    def __init__(self, pair: Pair, argo: ArgoCD, repository: Repository) -> None:
        self.pair, self.argo, self.repository = pair, argo, repository
        self.name, self.target = a_name("shop"), a_name("target")

    async def create(self, owner: Applications, *, to: str, **more: Any) -> Object:
        """It, among the Applications of *owner*, for the cluster named *to*; *more* as for `an_application`."""
        await make_namespace(self.pair.spoke.kubeconfig, self.target)
        source = {"repoURL": self.repository.url, "path": "guestbook", "targetRevision": "main"}
        spec = {"source": source, **more.pop("spec", {})}
        return await owner.create(self.name, destination={"name": to, "namespace": self.target}, spec=spec, **more)

    async def says(self, *arguments: str) -> str:
        """What the command line on the hub says to `app` and *arguments*, about this Application. It must succeed."""
        verb, *flags = arguments
        full = f"{self.pair.spoke.agent}/{self.name}"
        return await asyncio.to_thread(self.argo.run, "app", verb, full, *flags)

    async def roll_back(self, entry: int) -> None:
        """Ask for *entry* of its history. By the API: the command line waits, and at times for news that is past."""
        body = {"id": entry, "appNamespace": self.pair.spoke.agent}
        await asyncio.to_thread(self.argo.ask, "POST", f"applications/{self.name}/rollback", body)

    async def until_deployed(self, cluster: Cluster, api: Api, name: str) -> None:
        """Wait for one of its objects."""
        await until(cluster, api, self.target, name, lambda held: held is not None, SECONDS, f"{name} is there")

    async def is_deployed(self, cluster: Cluster, api: Api, name: str) -> bool:
        """Whether one of its objects is there now."""
        try:
            await cluster.get(api, self.target, name)
        except NotFound:
            return False
        return True


def is_(sync: str, health: str) -> Callable[[Object], bool]:
    """Claims that its status says so."""

    def claim(obj: Object) -> bool:
        status = status_of(obj)
        return (status.get("sync", {}).get("status"), status.get("health", {}).get("status")) == (sync, health)

    return claim


def revision_is(wanted: str) -> Callable[[Object], bool]:
    """Claims that it is synced to that revision."""

    def claim(obj: Object) -> bool:
        sync = status_of(obj).get("sync", {})
        return (sync.get("status"), sync.get("revision")) == ("Synced", wanted)

    return claim


def phase_of(obj: Object) -> str:
    """How far its last operation is, empty if there was none."""
    return str(status_of(obj).get("operationState", {}).get("phase", ""))


def history_of(obj: Object) -> list[dict[str, Any]]:
    """What was deployed, oldest first."""
    history: list[dict[str, Any]] = status_of(obj).get("history", [])
    return history
