"""The Applications that are written: valid for Argo CD's CRD, of a given size, recognised by a marker. Pure."""

from collections.abc import Mapping
from typing import Any

from argocd_agent.codec import encode
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Metadata, Object, new_object

LARGE_BYTES = 8 * 1024
_SMALL_BYTES = 3 * 1024
_STRIDE = 2657  # prime to the range, so that sizes are spread over it whatever the count


def size_of(number: int) -> int:
    """Bytes of the Application of that number: 3 to 8 KB, all alike often."""
    return _SMALL_BYTES + number * _STRIDE % (LARGE_BYTES - _SMALL_BYTES + 1)


def application(
    namespace: str, name: str, size_bytes: int, revision: str = "HEAD", labels: Mapping[str, str] | None = None
) -> Object:
    """An Application of about *size_bytes* of JSON; most of it are Helm values, as in life."""
    metadata = Metadata(name=name, namespace=namespace, labels=dict(labels) if labels else None)
    bare = new_object(APPLICATIONS, metadata, spec=_spec(revision, ""))
    padding = size_bytes - len(bare.encode(APPLICATIONS))
    return new_object(APPLICATIONS, metadata, spec=_spec(revision, _values(padding)))


def spec_patch(revision: str) -> bytes:
    """A merge patch that moves an Application to *revision*."""
    return encode({"spec": {"source": {"targetRevision": revision}}})


def status_patch(revision: str) -> bytes:
    """A merge patch with the status that Argo CD writes after a sync to *revision*: ten resources, 1.4 KB."""
    return encode({"status": _status(revision)})


def with_status(obj: Object, revision: str) -> Object:
    """*obj* as Argo CD has it after a sync to *revision*."""
    return obj.with_fields({"status": encode(_status(revision))})


def marker(number: int) -> str:
    """A revision that occurs nowhere else."""
    return f"v-{number:08d}-v"


def _status(revision: str) -> dict[str, Any]:
    return {
        "sync": {"status": "Synced", "revision": revision},
        "health": {"status": "Healthy", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        "reconciledAt": "2026-01-01T00:00:00Z",
        "resources": [_resource(number) for number in range(10)],
        "sourceType": "Helm",
    }


def _spec(revision: str, values: str) -> dict[str, Any]:
    return {
        "project": "default",
        "source": {
            "repoURL": "https://git.example/platform/applications.git",
            "path": "charts/web",
            "targetRevision": revision,
            "helm": {"values": values},
        },
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
    }


def _values(size_bytes: int) -> str:
    line = "  setting-{:04d}: some value of the chart"
    lines = (line.format(number) for number in range(max(size_bytes, 0) // len(line) + 1))
    return "; ".join(lines)[: max(size_bytes, 0)]


def _resource(number: int) -> dict[str, Any]:
    return {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "namespace": "web",
        "name": f"web-{number}",
        "status": "Synced",
        "health": {"status": "Healthy"},
    }
