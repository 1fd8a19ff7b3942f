"""What the Git repositories of tests hold: a page, as a ConfigMap, and the Deployment that would serve it."""

from typing import Any

import yaml

from argocd_agent.resources.kinds import Api

DEPLOYMENTS = Api("apps", "v1", "deployments", "Deployment")
JOBS = Api("batch", "v1", "jobs", "Job")
PAGE, SERVERS = "page", "servers"  # their names


def guestbook(
    text: str = "one", *, replicas: int = 1, path: str = "guestbook", **more: dict[str, Any]
) -> dict[str, str]:
    """Its files in the folder *path*, put together by kustomize; *more* are further manifests by name."""
    manifests = {PAGE: _page(text), SERVERS: _servers(replicas), **more}
    files = {f"{name}.yaml": content for name, content in manifests.items()}
    files["kustomization.yaml"] = {"resources": list(files)}
    return {f"{path}/{name}": yaml.safe_dump(content) for name, content in files.items()}


def a_hook(name: str, phase: str = "PreSync") -> dict[str, Any]:
    """A Job that a sync waits for in *phase*; where nobody runs Jobs, it waits until it is told otherwise."""
    container = {"name": "task", "image": "task:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": {"argocd.argoproj.io/hook": phase}},
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
    }


def _page(text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PAGE}, "data": {"text": text}}


def _servers(replicas: int) -> dict[str, Any]:
    labels = {"app": SERVERS}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": SERVERS},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }
