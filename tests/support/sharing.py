"""What a hub shares with several agents: its projects, repositories and keys, and where they are on the spokes."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from argocd_agent.backends.kubernetes import KubernetesCluster
from argocd_agent.codec import encode
from argocd_agent.errors import NotFound
from argocd_agent.protocol.names import CONFIGMAP_GPG_KEYS, SECRET_TYPE_REPOSITORY
from argocd_agent.resources.kinds import CONFIGMAPS, SECRETS
from argocd_agent.resources.objects import Object
from tests.support.applications import Objects, Projects
from tests.support.fleets import Fleet
from tests.support.shared import a_repository, the_keys
from tests.support.sites import a_name

RECREATES, UPSERTS, AUTONOMOUS = 0, 1, 2
MANAGED = (RECREATES, UPSERTS)


@dataclass(frozen=True)
class Shop:
    """The hub's namespace, and the agents' on their spokes."""

    fleet: Fleet
    hub: KubernetesCluster
    spokes: list[KubernetesCluster]

    @property
    def projects(self) -> Projects:
        return Projects(self.hub, self.fleet.hub.namespace)

    @property
    def secrets(self) -> Objects:
        return Objects(self.hub, self.fleet.hub.namespace, SECRETS)

    @property
    def keys(self) -> Objects:
        return Objects(self.hub, self.fleet.hub.namespace, CONFIGMAPS)

    def secrets_of(self, number: int) -> Objects:
        return Objects(self.spokes[number], self.fleet.spokes[number].namespace, SECRETS)

    def keys_of(self, number: int) -> Objects:
        return Objects(self.spokes[number], self.fleet.spokes[number].namespace, CONFIGMAPS)

    def spec_for(self, *numbers: int) -> dict[str, object]:
        """Of a project for these agents."""
        names = [self.fleet.spokes[number].agent for number in numbers]
        return {
            "destinations": [{"name": name, "namespace": "*"} for name in names],
            "sourceNamespaces": names,
            "sourceRepos": ["*"],
        }

    async def project(self, *numbers: int, name: str = "") -> str:
        """A project for these agents; its name."""
        made = await self.projects.create(name or a_name("team"), spec=self.spec_for(*numbers))
        return made.name

    async def give(self, project: str, *numbers: int) -> None:
        """Let it be for these agents from now on."""
        await self.projects.change(project, lambda obj: obj.with_fields({"spec": encode(self.spec_for(*numbers))}))

    async def repository(
        self,
        project: str | None,
        name: str = "",
        kind: str = SECRET_TYPE_REPOSITORY,
        url: str = "https://git.example/r",
    ) -> Object:
        """A new one on the hub."""
        made = a_repository(name or a_name("repo"), self.fleet.hub.namespace, project=project, kind=kind, url=url)
        return await self.hub.create(SECRETS, made)

    async def arrived(self, project: str) -> None:
        """Whatever else of *project*, which is for all, was to arrive has had its turn: a later repository is there."""
        later = await self.repository(project)
        for number in MANAGED:
            await self.secrets_of(number).until_there(later.name)

    async def without_keys(self) -> None:
        """No keys anywhere."""
        with contextlib.suppress(NotFound):
            await self.keys.delete(CONFIGMAP_GPG_KEYS)
        for number in MANAGED:
            await self.keys_of(number).until_gone(CONFIGMAP_GPG_KEYS)

    async def set_keys(self, **keys: str) -> Object:
        return await self.hub.create(CONFIGMAPS, the_keys(self.fleet.hub.namespace, None, **keys))


@contextlib.asynccontextmanager
async def a_shop(fleet: Fleet) -> AsyncIterator[Shop]:
    async with fleet.open() as (hub, spokes):
        yield Shop(fleet, hub, spokes)
