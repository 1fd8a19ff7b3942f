"""Objects for the tests of the demo's pure parts: only what matters to a test is said there."""

from argocd_agent.codec import encode
from argocd_agent.demo.comparison import ResourceState, compare
from argocd_agent.demo.merge import Fields
from argocd_agent.demo.model import Application, Manifest, ResourceKey, manifests_of, new_from, read_application
from argocd_agent.resources.objects import Object, decode_object

SHA = "a" * 40


def a_config_map(name: str = "settings", **data: str) -> Fields:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def a_deployment(name: str = "web", replicas: int = 2) -> Fields:
    template: Fields = {"spec": {"containers": [{"name": name, "image": "nginx:1"}]}}
    spec: Fields = {"replicas": replicas, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def manifests(*documents: Fields, application: str = "guestbook") -> tuple[Manifest, ...]:
    return manifests_of(list(documents), application, "shop")


def live(*documents: Fields, application: str = "guestbook") -> dict[ResourceKey, Object]:
    return {manifest.key: new_from(manifest) for manifest in manifests(*documents, application=application)}


def states(wanted: list[Fields], found: list[Fields]) -> tuple[ResourceState, ...]:
    return compare("guestbook", manifests(*wanted), live(*found))


def an_application(
    status: Fields | None = None, operation: Fields | None = None, sync_policy: Fields | None = None
) -> Application:
    spec: Fields = {
        "source": {"repoURL": "https://example.com/repo.git", "path": "app", "targetRevision": "main"},
        "destination": {"name": "in-cluster", "namespace": "shop"},
        "syncPolicy": sync_policy or {},
    }
    top: dict[str, object] = {"metadata": {"name": "guestbook", "namespace": "argocd"}, "spec": spec}
    if status is not None:
        top["status"] = status
    if operation is not None:
        top["operation"] = operation
    return read_application(decode_object(encode(top)))
