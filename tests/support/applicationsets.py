"""An ApplicationSet and what becomes of it, as a user sees and changes it.

    generated = Generated(namespace, repository, to="in-cluster")
    await generated.create(cluster)                          # makes the Applications `one` and `two`
    await until_synced(Applications(cluster, namespace), [generated.one, generated.two])

Its Applications deploy themselves as soon as they are there; their namespaces are made by the sync.
"""

from collections.abc import Callable, Sequence
from typing import Any

from argocd_agent.backends.ports import Cluster
from argocd_agent.codec import encode
from argocd_agent.errors import Conflict
from argocd_agent.resources.kinds import APPLICATIONSETS
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.support.applications import Applications, status_of
from tests.support.gitserver import Repository
from tests.support.sites import a_name

SYNCED_SECONDS = 30.0
ROUND = "round"  # the annotation that its Applications carry
SYNC = {"automated": {}, "syncOptions": ["CreateNamespace=true"]}

Spec = dict[str, Any]


class Generated:
    """An ApplicationSet in *namespace* that deploys *repository* to the cluster named *to*, which may be a template."""

    def __init__(self, namespace: str, repository: Repository, *, to: str) -> None:
        self.namespace, self.repository, self.to = namespace, repository, to
        self.name = a_name("set")
        self.one, self.two = f"{self.name}-one", f"{self.name}-two"

    async def create(
        self, cluster: Cluster, generators: list[Spec] | None = None, template: str = "{{.name}}"
    ) -> Object:
        """It, with Applications named by *template* that are synced as soon as they are there, each to a namespace of
        its own; without *generators*, for `one` and `two`."""
        wanted = an_application_set(
            self.name,
            self.namespace,
            generators or [a_list(self.one, self.two)],
            template=template,
            destination={"name": self.to, "namespace": template},
            source={"repoURL": self.repository.url, "path": "guestbook", "targetRevision": "main"},
            spec={"syncPolicy": SYNC},
            metadata={"annotations": {ROUND: "first"}},
        )
        return await cluster.create(APPLICATIONSETS, wanted)

    async def change(self, cluster: Cluster, change: Callable[[Spec], Spec]) -> None:
        """Write what *change* makes of its `spec`."""
        while True:
            held = await cluster.get(APPLICATIONSETS, self.namespace, self.name)
            try:
                await cluster.update(APPLICATIONSETS, held.with_fields({"spec": encode(change(held.look("spec")))}))
            except Conflict:
                continue
            return

    async def annotate(self, cluster: Cluster, round_: str) -> None:
        """Let its Applications carry another round."""

        def other(spec: Spec) -> Spec:
            about = {**spec["template"]["metadata"], "annotations": {ROUND: round_}}
            return {**spec, "template": {**spec["template"], "metadata": about}}

        await self.change(cluster, other)

    async def delete(self, cluster: Cluster) -> None:
        """Ask for its deletion."""
        await cluster.delete(APPLICATIONSETS, self.namespace, self.name)


def a_list(*names: str) -> Spec:
    """A list generator with an element for each of *names*."""
    return {"list": {"elements": [{"name": name} for name in names]}}


def is_synced(obj: Object) -> bool:
    """Whether it is synced and healthy, and its sync over."""
    status = status_of(obj)
    said = (status.get("sync", {}).get("status"), status.get("health", {}).get("status"))
    return said == ("Synced", "Healthy") and status.get("operationState", {}).get("phase") == "Succeeded"


async def until_synced(applications: Applications, names: Sequence[str]) -> list[Object]:
    """Those of *names* as soon as they are synced. Raises `NotSeen`."""
    return [await applications.until(name, is_synced, "synced and healthy", SYNCED_SECONDS) for name in names]


def an_application_set(
    name: str,
    namespace: str,
    generators: list[dict[str, Any]],
    *,
    template: str = "{{.name}}",
    destination: dict[str, str] | None = None,
    source: dict[str, str] | None = None,
    spec: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    preserved: bool = False,
) -> Object:
    """An ApplicationSet whose Applications are named by *template*; *spec* and *metadata* are theirs.

    *preserved*: they are made without the finalizer that takes what they have deployed along.
    """
    wanted = {
        "project": "default",
        "source": source or {"repoURL": "https://git.example/repo", "path": "guestbook", "targetRevision": "HEAD"},
        "destination": destination or {"name": "in-cluster", "namespace": "default"},
        **(spec or {}),
    }
    about = {"name": template, **(metadata or {})}
    behaviour = {
        "goTemplate": True,
        "generators": generators,
        "template": {"metadata": about, "spec": wanted},
        "syncPolicy": {"preserveResourcesOnDeletion": preserved},
    }
    return new_object(APPLICATIONSETS, Metadata(name=name, namespace=namespace), spec=behaviour)
