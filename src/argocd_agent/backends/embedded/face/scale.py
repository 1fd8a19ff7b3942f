"""The `scale` subresource: replicas of a Deployment, ReplicaSet or StatefulSet as an object of their own. Pure."""

from argocd_agent.backends.embedded import faults
from argocd_agent.backends.embedded.values import Json, JsonObject, canonical, dig
from argocd_agent.codec import decode_any, encode
from argocd_agent.resources.kinds import Api
from argocd_agent.resources.objects import Object

SCALE = Api("autoscaling", "v1", "scales", "Scale")


def scale_of(obj: Object) -> JsonObject:
    """The Scale of *obj*."""
    spec: Json = obj.look("spec")
    status: Json = obj.look("status")
    labels = dig(spec, "selector", "matchLabels")
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items())) if isinstance(labels, dict) else ""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata: Json = decode_any(encode(obj.metadata))
    replicas = dig(spec, "replicas")
    return {
        "kind": SCALE.kind,
        "apiVersion": SCALE.api_version,
        "metadata": {name: dig(metadata, name) for name in kept},
        "spec": {"replicas": 1 if replicas is None else replicas},
        "status": {"replicas": dig(status, "replicas") or 0, "selector": selector},
    }


def scaled(obj: Object, scale: Json) -> Object:
    """*obj* with the replicas that *scale* asks for. Raises `Invalid`."""
    replicas = dig(scale, "spec", "replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        cause = faults.wrong("spec.replicas", canonical(replicas).decode(), "must be greater than or equal to 0")
        raise faults.invalid(SCALE, obj.name, [cause])
    version = dig(scale, "metadata", "resourceVersion")
    spec = {**(obj.look("spec") or {}), "replicas": replicas}
    changed = obj.with_fields({"spec": canonical(spec)})
    return changed.with_metadata(resource_version=version) if isinstance(version, str) else changed
