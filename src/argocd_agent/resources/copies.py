"""How the mirror of each kind is made on a managed spoke, brought up to date, and compared: one row per kind.

The hub sends each agent its edition of an object; the agent writes it as it is, but for what belongs to the spoke.
Source: docs/protocol, "AppProjects" and "repositories and keys".
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.protocol.names import (
    CONFIGMAP_GPG_KEYS,
    LABEL_SECRET_TYPE,
    SECRET_TYPE_REPO_CREDS,
    SECRET_TYPE_REPOSITORY,
)
from argocd_agent.resources import application
from argocd_agent.resources.application import shared_annotations, shared_finalizers
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.cluster import secret_text
from argocd_agent.resources.kinds import APPLICATION, APPPROJECT, GPGKEY, REPOSITORY, Kind
from argocd_agent.resources.objects import Metadata, Object

REPOSITORY_TYPES = (SECRET_TYPE_REPOSITORY, SECRET_TYPE_REPO_CREDS)

_EMPTY = b"{}"


class Claims(StrEnum):
    """What may become of an object that was on the spoke before any principal."""

    BY_POLICY = "by policy"  # a create adopts it, unless the policy says never
    ALWAYS = "always"  # Argo CD itself makes one of that name on every cluster
    IF_ASKED = "if asked"  # only if the object itself says so: it may hold somebody's password


@dataclass(frozen=True, slots=True)
class Copying:
    """One kind. *content* is what must not drift, as canonical JSON."""

    kind: Kind
    claims: Claims
    mirror: Callable[[Object, str], Object]
    """The incoming edition, a namespace → what is created."""
    updated: Callable[[Object, Object], Object]
    """The held object, the incoming edition → the held object as it should be."""
    check: Callable[[Object], None]
    """Raises `EventRefused` for an object that no honest hub sends."""
    parts: Callable[[Object], tuple[bytes, ...]]
    """What counts when an edition, or a mirror of it, is compared with the other end's."""

    def content(self, obj: Object) -> bytes:
        """What must not drift: `spec` or `data`. As it stands where it cannot be read: the API server took it."""
        raw = _raw(obj, self._field)
        try:
            return canonical(raw)
        except DecodeError:
            return raw

    def with_content(self, obj: Object, content: bytes) -> Object:
        """*obj* with *content*."""
        return obj.with_fields({self._field: content})

    @property
    def _field(self) -> str:
        return self.kind.compared[0]


def is_repository(obj: Object) -> bool:
    """Whether this Secret is a repository or a credential template that belongs to a project."""
    return obj.labels.get(LABEL_SECRET_TYPE) in REPOSITORY_TYPES and bool(project_of(obj))


def project_of(secret: Object) -> str:
    """The project that a repository Secret belongs to; empty if to none."""
    return secret_text(secret, "project")


def plain_parts(obj: Object) -> tuple[bytes, ...]:
    """What counts of a project, repository or key. Finalizers do not: they are each cluster's own."""
    field = "spec" if "spec" in obj.fields else "data"
    return (
        canonical(_raw(obj, field)),
        encode(sorted(obj.labels.items())),
        encode(sorted(shared_annotations(obj).items())),
    )


def plain_updated(held: Object, incoming: Object, field: str) -> Object:
    """*held* with the content, labels and annotations of *incoming*; what says whose mirror it is stays.

    Finalizers of *incoming* are added and none is taken off: those of this cluster's controllers are not known there.
    """
    shared = shared_annotations(held)
    own = {name: value for name, value in held.annotations.items() if name not in shared}
    annotations = shared_annotations(incoming) | own
    finalizers = held.metadata.finalizers or ()
    if not held.is_deleting:
        finalizers += tuple(name for name in shared_finalizers(incoming) if name not in finalizers)
    wanted = _raw(incoming, field)
    same = canonical(_raw(held, field)) == canonical(wanted)
    updated = held if same else held.with_fields({field: wanted})
    return updated.with_metadata(
        labels=dict(incoming.labels) or None, annotations=annotations or None, finalizers=finalizers or None
    )


def _plain_mirror(incoming: Object, namespace: str, field: str) -> Object:
    metadata = Metadata(
        name=incoming.name,
        namespace=namespace,
        labels=dict(incoming.labels) or None,
        annotations=shared_annotations(incoming) or None,
        finalizers=shared_finalizers(incoming) or None,
    )
    kept = {name: incoming.fields[name] for name in ("type",) if name in incoming.fields}
    return Object(metadata, {**kept, field: _raw(incoming, field)})


def _raw(obj: Object, field: str) -> bytes:
    raw = obj.fields.get(field, _EMPTY)
    return _EMPTY if raw == b"null" else raw


def _anything(_: Object) -> None:
    """Any object of the kind may come."""


def _check_repository(incoming: Object) -> None:
    if not is_repository(incoming):
        raise EventRefused(
            f'Secret "{incoming.name}": expected a repository of a project (label {LABEL_SECRET_TYPE} '
            f"{' or '.join(REPOSITORY_TYPES)}, and data.project), found label "
            f"{incoming.labels.get(LABEL_SECRET_TYPE, 'none')!r} and project {project_of(incoming) or 'none'!r}"
        )


def _check_keys(incoming: Object) -> None:
    if incoming.name != CONFIGMAP_GPG_KEYS:
        raise EventRefused(f'ConfigMap "{incoming.name}": the only one that travels is {CONFIGMAP_GPG_KEYS}')


def _plain(kind: Kind, claims: Claims, check: Callable[[Object], None] = _anything) -> Copying:
    (field,) = kind.compared
    return Copying(
        kind,
        claims,
        mirror=lambda incoming, namespace: _plain_mirror(incoming, namespace, field),
        updated=lambda held, incoming: plain_updated(held, incoming, field),
        check=check,
        parts=plain_parts,
    )


APPLICATIONS = Copying(
    APPLICATION,
    Claims.BY_POLICY,
    mirror=application.mirror,
    updated=application.mirror_updated,
    check=_anything,
    parts=lambda obj: application.digest_parts(obj, is_source=False),
)
PROJECTS = _plain(APPPROJECT, Claims.ALWAYS)
REPOSITORIES = _plain(REPOSITORY, Claims.IF_ASKED, _check_repository)
KEYS = _plain(GPGKEY, Claims.ALWAYS, _check_keys)

COPIED: tuple[Copying, ...] = (APPLICATIONS, PROJECTS, REPOSITORIES, KEYS)
