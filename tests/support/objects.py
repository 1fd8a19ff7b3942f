"""Builders of Kubernetes objects: a test names only what matters to it."""

from typing import Any

from argocd_agent.codec import encode
from argocd_agent.protocol.names import ANNOTATION_PRINCIPAL_UID, ANNOTATION_SOURCE_UID
from argocd_agent.resources.objects import Metadata, Object


def an_application(
    name: str = "guestbook",
    namespace: str = "argocd",
    *,
    uid: str = "uid-1",
    version: str = "1",
    path: str = "guestbook",
    destination: dict[str, str] | None = None,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    operation: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    finalizers: tuple[str, ...] | None = None,
    deleting: bool = False,
) -> Object:
    """An Application of *path* in a repository that nobody fetches."""
    wanted = {
        "project": "default",
        "source": {"repoURL": "https://git.example/repo", "path": path, "targetRevision": "HEAD"},
        "destination": destination or {"name": "in-cluster", "namespace": "default"},
        **(spec or {}),
    }
    fields = {"spec": encode(wanted)}
    if status is not None:
        fields["status"] = encode(status)
    if operation is not None:
        fields["operation"] = encode(operation)
    metadata = Metadata(
        name=name,
        namespace=namespace,
        uid=uid,
        resource_version=version,
        annotations=annotations,
        labels=labels,
        finalizers=finalizers,
        deletion_timestamp="2026-01-01T00:00:00Z" if deleting else None,
    )
    return Object(metadata, fields)


def a_mirror(name: str = "guestbook", *, source: str = "uid-1", principal: str = "hub-1", **more: Any) -> Object:
    """An Application on a spoke that is the mirror of the source of UID *source*."""
    annotations = {ANNOTATION_SOURCE_UID: source} | ({ANNOTATION_PRINCIPAL_UID: principal} if principal else {})
    annotations |= more.pop("annotations", None) or {}
    return an_application(name, **{"uid": "local-1", **more}, annotations=annotations)


def at_path(obj: Object, path: str) -> Object:
    """The Application with this `spec.source.path`: what tests change."""
    spec = obj.look("spec")
    return obj.with_fields({"spec": encode({**spec, "source": {**spec["source"], "path": path}})})


def path_of(obj: Object) -> str:
    """`spec.source.path`."""
    return str(obj.look("spec")["source"]["path"])


def a_project(
    name: str = "team",
    namespace: str = "argocd",
    *,
    uid: str = "uid-1",
    version: str = "1",
    spec: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    finalizers: tuple[str, ...] | None = None,
) -> Object:
    """An AppProject with exactly *spec*; without one, for everything everywhere."""
    everywhere = {"destinations": [{"server": "*", "namespace": "*"}], "sourceNamespaces": ["*"], "sourceRepos": ["*"]}
    metadata = Metadata(
        name=name,
        namespace=namespace,
        uid=uid,
        resource_version=version,
        annotations=annotations,
        labels=labels,
        finalizers=finalizers,
    )
    return Object(metadata, {"spec": encode(everywhere if spec is None else spec)})


def described(obj: Object, words: str) -> Object:
    """The project with this `spec.description`: what tests change."""
    return obj.with_fields({"spec": encode({**obj.look("spec"), "description": words})})


def description_of(obj: Object) -> str:
    """`spec.description`, empty if there is none."""
    return str(obj.look("spec").get("description", ""))
