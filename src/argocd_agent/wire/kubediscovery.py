"""What a version of a Kubernetes API serves: the document at `/apis/GROUP/VERSION` ↔ values. Pure.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api, the old form.
"""

from dataclasses import dataclass

import msgspec

from argocd_agent.codec import decode


@dataclass(frozen=True, slots=True)
class Served:
    """One kind: its name in paths, its name in objects, and whether its objects stand in namespaces."""

    plural: str
    kind: str
    namespaced: bool


class _Resource(msgspec.Struct, frozen=True):
    name: str
    kind: str
    namespaced: bool = False


class _ResourceList(msgspec.Struct, frozen=True):
    resources: list[_Resource] | None = None


def served_in(document: bytes) -> tuple[Served, ...]:
    """The kinds in *document*, an APIResourceList, without their subresources. Raises `DecodeError`."""
    listed = decode(document, _ResourceList, "APIResourceList")
    return tuple(Served(one.name, one.kind, one.namespaced) for one in listed.resources or () if "/" not in one.name)
