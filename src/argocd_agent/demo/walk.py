"""The steps of the tour: each does something as a user would, and watches until its consequences are there.

Everything is done and seen through the clusters' APIs alone. What is awaited and does not come raises `NotSeen`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.appstatus import COMPARISON_ERROR
from argocd_agent.demo.merge import Fields, fields_at, text_at
from argocd_agent.demo.model import COMPLETED, PHASE_SUCCEEDED, ResourceKey, resources_of
from argocd_agent.demo.repository import Repository
from argocd_agent.demo.sample import DESTINATION_NAMESPACE, NAME, application
from argocd_agent.demo.screen import Screen, clock
from argocd_agent.demo.seeing import Claim, NotSeen, until
from argocd_agent.demo.setup import NAMESPACE
from argocd_agent.demo.world import Side, World
from argocd_agent.protocol.names import ANNOTATION_REFRESH
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Object

BERLIN, TOKYO = AGENTS = ("berlin", "tokyo")
WAIT_SECONDS = 20.0
WAIT_FOR_USERS_SECONDS = 120.0  # a repository of the user's is cloned from far away


@dataclass(slots=True)
class Walk:
    """The walk through *world*, told on *screen*. `concerned` are the programs that the step in hand depends on."""

    world: World
    repository: Repository
    screen: Screen
    concerned: tuple[str, ...] = ()
    _revision: str = ""
    _resources: dict[str, list[ResourceKey]] = field(default_factory=dict)

    async def all_steps(self) -> None:
        """The whole tour, in order."""
        await self.create()
        if self.repository.is_ours:
            await self.commit()
        await self.cut()
        await self.restore()
        await self.revert()
        await self.delete()

    async def create(self) -> None:
        """An Application on the hub for each agent, until the hub knows it to be running."""
        self._begin("1  Create", "An Application for each agent is created on the hub. The spokes do the rest.", AGENTS)
        self._revision = await self.repository.resolve()
        started = clock()
        await self.put_applications()
        awaited: dict[str, Awaitable[object]] = {}
        for agent in AGENTS:
            spoke = self.world.spokes[agent]
            awaited[f"{agent}: the Application has reached the spoke"] = self._until(spoke, _is_there)
            awaited[f"{agent}: its objects run on the spoke"] = self._until(spoke, _deployed(self._revision))
            awaited[f"{agent}: Synced and Healthy on the hub"] = self._until_hub(agent, _deployed(self._revision))
        await self.screen.see(awaited, since=started)
        for agent in AGENTS:
            shown = await self.world.hub.cluster.get(APPLICATIONS, agent, NAME)
            self._resources[agent] = resources_of(fields_at(shown.look("status")))
        names = ", ".join(key.path for key in self._resources[BERLIN])
        self.screen.note(f"in namespace {DESTINATION_NAMESPACE} of each spoke: {names or 'nothing, the path is empty'}")

    async def put_applications(self) -> None:
        """Create the Application of each agent on the hub."""
        repository = self.repository
        for agent in AGENTS:
            made = application(agent, repository.url, repository.path, repository.revision)
            await self.world.hub.cluster.create(APPLICATIONS, made)

    async def commit(self) -> None:
        """A commit, and a refresh asked for on the hub."""
        self._begin("2  Commit", "A commit in Git, and a click on Refresh at the hub, which the spokes hear.", AGENTS)
        started = clock()
        self._revision = await self.repository.commit(2)
        for agent in AGENTS:
            await self._refresh(agent)
        shown = _deployed(self._revision)
        what = f"{self._revision[:7]} Synced and Healthy on the hub"
        await self.screen.see({f"{agent}: {what}": self._until_hub(agent, shown) for agent in AGENTS}, since=started)

    async def cut(self) -> None:
        """The link of one agent is cut; its spoke goes on, and the other agent does not notice."""
        self._begin(
            "3  Cut", "The link to berlin is cut. Its spoke needs nobody; the hub knows what it does not know.", AGENTS
        )
        self.world.links[BERLIN].cut()
        await self.screen.see({"the hub says that berlin is disconnected": self._connection("disconnected")})
        if self.repository.is_ours:
            await self._commit_while_cut()
        else:
            await self._heal_while_cut()

    async def _commit_while_cut(self) -> None:
        before = self._revision
        started = clock()
        self._revision = await self.repository.commit(3)
        await self._refresh(TOKYO)
        deployed, short = _deployed(self._revision), self._revision[:7]
        await self.screen.see(
            {
                f"tokyo: {short} Synced and Healthy on the hub": self._until_hub(TOKYO, deployed),
                f"berlin: {short} deployed by the spoke alone": self._until(self.world.spokes[BERLIN], deployed),
            },
            since=started,
        )
        shown = await self.world.hub.cluster.get(APPLICATIONS, BERLIN, NAME)
        if not _deployed(before)(shown):
            raise NotSeen(f"expected the hub to show revision {before[:7]} of berlin while the link is cut")
        self.screen.note(f"meanwhile the hub shows berlin as it was last heard: revision {before[:7]}")

    async def _heal_while_cut(self) -> None:
        """The user's repository is not ours to commit to: somebody deletes an object on the spoke instead."""
        if not self._resources[BERLIN]:
            return
        key = self._resources[BERLIN][-1]
        cluster = self.world.spokes[BERLIN].cluster
        deleted = await cluster.get(key.api, key.namespace, key.name)
        started = clock()
        await cluster.delete(key.api, key.namespace, key.name)

        def is_back(found: Object | None) -> bool:
            return found is not None and found.uid != deleted.uid

        what = f"berlin: {key.path}, deleted on the spoke, is back by itself"
        await self.screen.see({what: self._until_resource(BERLIN, key, is_back)}, since=started)

    async def restore(self) -> None:
        """The link is back, and the hub hears what it has missed."""
        self._begin("4  Restore", "The link is back. What happened meanwhile is told.", (BERLIN,))
        self.world.links[BERLIN].restore()
        awaited: dict[str, Awaitable[object]] = {"the hub says that berlin is connected": self._connection("connected")}
        what = f"berlin: {self._revision[:7]} Synced and Healthy on the hub"
        awaited[what] = self._until_hub(BERLIN, _deployed(self._revision))
        await self.screen.see(awaited)

    async def revert(self) -> None:
        """A change made on the spoke to what the hub owns."""
        self._begin(
            "5  Revert", "Somebody on the spoke turns automated sync off. That is for the hub to say.", (BERLIN,)
        )
        spoke = self.world.spokes[BERLIN]
        started = clock()
        patch = encode({"spec": {"syncPolicy": {"automated": None}}})
        await spoke.cluster.patch(APPLICATIONS, NAMESPACE, NAME, patch, PatchType.MERGE)
        await self.screen.see(
            {"berlin: automated sync is on again on the spoke": self._until(spoke, _is_automated)}, since=started
        )

    async def delete(self) -> None:
        """Deletions on the hub; the Applications cascade."""
        self._begin("6  Delete", "The Applications are deleted on the hub. They take their objects with them.", AGENTS)
        started = clock()
        awaited: dict[str, Awaitable[object]] = {}
        for agent in AGENTS:
            await self.world.hub.cluster.delete(APPLICATIONS, agent, NAME)
            awaited[f"{agent}: its objects are gone from the spoke"] = self._until_all_gone(agent)
            awaited[f"{agent}: the Application is gone from the spoke"] = self._until(
                self.world.spokes[agent], _is_gone
            )
            awaited[f"{agent}: the Application is gone from the hub"] = self._until_hub(agent, _is_gone)
        await self.screen.see(awaited, since=started)

    @property
    def _patience(self) -> float:
        return WAIT_SECONDS if self.repository.is_ours else WAIT_FOR_USERS_SECONDS

    def _begin(self, title: str, story: str, agents: tuple[str, ...]) -> None:
        self.screen.step(title, story)
        self.concerned = ("principal", *(f"{program} {agent}" for agent in agents for program in ("agent", "argo")))

    async def _refresh(self, agent: str) -> None:
        patch = encode({"metadata": {"annotations": {ANNOTATION_REFRESH: "normal"}}})
        await self.world.hub.cluster.patch(APPLICATIONS, agent, NAME, patch, PatchType.MERGE)

    async def _connection(self, status: str) -> None:
        await self.world.until_connection(BERLIN, status)

    async def _until(self, spoke: Side, claim: Claim) -> None:
        await until(spoke.cluster, APPLICATIONS, NAMESPACE, NAME, claim, self._patience, f"on the spoke {spoke.name}")

    async def _until_hub(self, agent: str, claim: Claim) -> None:
        await until(self.world.hub.cluster, APPLICATIONS, agent, NAME, claim, self._patience, f"on the hub, of {agent}")

    async def _until_resource(self, agent: str, key: ResourceKey, claim: Claim) -> None:
        cluster = self.world.spokes[agent].cluster
        await until(cluster, key.api, key.namespace, key.name, claim, self._patience, f"{key.path} on {agent}")

    async def _until_all_gone(self, agent: str) -> None:
        for key in self._resources[agent]:
            await self._until_resource(agent, key, _is_gone)


def _is_there(found: Object | None) -> bool:
    return found is not None


def _is_gone(found: Object | None) -> bool:
    return found is None


def _is_automated(found: Object | None) -> bool:
    return found is not None and "automated" in fields_at(found.look("spec"), "syncPolicy")


def _deployed(revision: str) -> Callable[[Object | None], bool]:
    """Whether an Application is synced to *revision*, healthy, and done with its last operation. Raises `NotSeen` where
    Argo CD says that it cannot be: then nobody needs to wait."""

    def claim(found: Object | None) -> bool:
        status = found.look("status") if found is not None else None
        told = (text_at(status, "sync", "status"), text_at(status, "health", "status"))
        synced = (text_at(status, "sync", "revision"), text_at(status, "operationState", "phase"))
        if told == ("Synced", "Healthy") and synced == (revision, "Succeeded"):
            return True
        if complaint := _complaint(fields_at(status)):
            raise NotSeen(f"{NAME} cannot be deployed: {complaint}")
        return False

    return claim


def _complaint(status: Fields) -> str:
    """Why the source cannot be read or applied; empty while there is hope."""
    conditions = status.get("conditions")
    for condition in conditions if isinstance(conditions, list) else []:
        if text_at(condition, "type") == COMPARISON_ERROR:
            return text_at(condition, "message")
    operation = fields_at(status, "operationState")
    return text_at(operation, "message") if text_at(operation, "phase") in COMPLETED - {PHASE_SUCCEEDED} else ""
