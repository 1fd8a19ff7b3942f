"""Which clusters and namespaces a command of argocd-agentctl works on: the hub's and a spoke's.

A context's flag or variable comes first, then the current context of the kubeconfig. A namespace's flag or variable
comes first, then the context's own namespace, then `argocd`. What was chosen is said on stderr.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import click

from argocd_agent.backends.ports import Cluster

DEFAULT_NAMESPACE = "argocd"
VARIABLES = (
    "ARGOCD_AGENT_PRINCIPAL_CONTEXT",
    "ARGOCD_AGENT_PRINCIPAL_NAMESPACE",
    "ARGOCD_AGENT_AGENT_CONTEXT",
    "ARGOCD_AGENT_AGENT_NAMESPACE",
)


@dataclass(frozen=True, slots=True)
class Place:
    """One namespace of one cluster; `where` is how messages call it."""

    cluster: Cluster
    namespace: str
    where: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user said about one side: empty is nothing said."""

    context: str = ""
    namespace: str = ""


class Places(Protocol):
    """The two sides, opened when a command needs them. `namespace` given here goes before everything else."""

    @property
    def principal_context(self) -> str: ...

    @property
    def agent_context(self) -> str: ...

    def principal(self) -> AbstractAsyncContextManager[Place]: ...

    def agent(self, namespace: str = "") -> AbstractAsyncContextManager[Place]: ...


class KubernetesPlaces:
    """Places found by kubeconfig."""

    def __init__(self, principal: Wanted, agent: Wanted, environ: Mapping[str, str]) -> None:
        self._principal, self._agent, self._environ = principal, agent, environ

    @property
    def principal_context(self) -> str:
        """The hub's context as the user gave it."""
        return self._principal.context

    @property
    def agent_context(self) -> str:
        """The spoke's context as the user gave it."""
        return self._agent.context

    def principal(self) -> AbstractAsyncContextManager[Place]:
        """The hub."""
        return _opened("principal", self._principal, self._environ)

    def agent(self, namespace: str = "") -> AbstractAsyncContextManager[Place]:
        """The spoke."""
        wanted = Wanted(self._agent.context, namespace or self._agent.namespace)
        return _opened("agent", wanted, self._environ)


@asynccontextmanager
async def _opened(side: str, wanted: Wanted, environ: Mapping[str, str]) -> AsyncIterator[Place]:
    from argocd_agent.backends.kubernetes import KubernetesCluster, load

    config = load("", wanted.context, environ)
    # client-go cannot tell a context without namespace from one with "default" either.
    own = config.namespace if config.namespace != "default" else ""
    namespace = wanted.namespace or own or DEFAULT_NAMESPACE
    context = config.context or "of this pod"
    click.echo(f"{side}: context {context}, namespace {namespace}", err=True)
    cluster = KubernetesCluster(config, field_manager="argocd-agentctl")
    try:
        yield Place(cluster, namespace, f"namespace {namespace} of context {context}")
    finally:
        await cluster.close()
