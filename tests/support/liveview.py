"""Argo CD's own processes at our ends of the live view: the flags that bring them together.

The hub's argocd-server has the principal for its Redis and, by the agent's cluster Secret, for its cluster.
"""

from tests.support.argocd import REDIS_PASSWORD, ArgoCD
from tests.support.sites import Hub


def seen(hub: Hub, argo: ArgoCD) -> list[str]:
    """The flags of a principal that serves Redis, with that of *argo* behind it."""
    return [
        "--disable-redis-proxy=false",
        f"--redis-proxy-listen={hub.redis}",
        f"--redis-server-address={argo.site.redis}",
        f"--redis-password={REDIS_PASSWORD}",
    ]


def cached(argo: ArgoCD) -> list[str]:
    """The flags of an agent whose Argo CD keeps its cache in a Redis of its own."""
    return [f"--redis-addr={argo.site.redis}", f"--redis-password={REDIS_PASSWORD}"]
