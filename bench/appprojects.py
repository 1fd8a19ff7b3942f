"""The AppProjects that are written: valid for Argo CD's CRD, for all of a fleet, recognised by a marker. Pure."""

from typing import Any

from argocd_agent.codec import encode
from argocd_agent.resources.kinds import APPPROJECTS
from argocd_agent.resources.objects import Metadata, Object, new_object

_REPOSITORIES = 10


def appproject(namespace: str, name: str, agents: str, revision: str) -> Object:
    """A project for all agents that the glob *agents* matches: ten repositories, a role, some rules; 2 KB."""
    return new_object(APPPROJECTS, Metadata(name=name, namespace=namespace), spec=_spec(name, agents, revision))


def project_patch(revision: str) -> bytes:
    """A merge patch that every agent's edition shows."""
    return encode({"spec": {"description": revision}})


def names(count: int) -> list[str]:
    """What the projects are called."""
    return [f"team-{number:04d}" for number in range(count)]


def _spec(name: str, agents: str, revision: str) -> dict[str, Any]:
    subject = f"proj:{name}:deployer"
    return {
        "description": revision,
        "sourceRepos": [f"https://git.example/{name}/service-{number}.git" for number in range(_REPOSITORIES)],
        "sourceNamespaces": [agents],
        "destinations": [{"name": agents, "server": "*", "namespace": f"{name}-{stage}"} for stage in ("live", "test")],
        "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
        "namespaceResourceBlacklist": [{"group": "", "kind": kind} for kind in ("ResourceQuota", "LimitRange")],
        "roles": [
            {
                "name": "deployer",
                "groups": [f"{name}-deployers"],
                "policies": [
                    f"p, {subject}, applications, {action}, {name}/*, allow" for action in ("get", "sync", "update")
                ],
            }
        ],
    }
