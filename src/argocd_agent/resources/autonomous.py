"""Applications of autonomous agents: the source is on the spoke, the hub holds a mirror for Argo CD to show.

The hub's edition of one is in the agent's namespace, of the agent's own projects, and for the agent's cluster by name.
The hub's user may ask for a refresh or an operation on the mirror; everything else follows the spoke. Source: the wire
contract, 6.3.
"""

from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    CONDITION_DELETION_HELD,
    CONDITION_REFUSED,
)
from argocd_agent.resources.application import (
    OWN_TO_ONE_SIDE,
    conditions,
    has_operation,
    shared_annotations,
    shared_finalizers,
    updated_finalizers,
    with_conditions,
    without_condition,
)
from argocd_agent.resources.appproject import hub_name
from argocd_agent.resources.checksum import canonical
from argocd_agent.resources.identity import incoming_uid
from argocd_agent.resources.kinds import APPLICATIONS
from argocd_agent.resources.objects import Metadata, Object

# The hub's own words on its copy. They are nobody else's: not taken from a spoke, and kept when a status comes.
_OF_THE_HUB = (CONDITION_REFUSED, CONDITION_DELETION_HELD)
_OURS = (*_OF_THE_HUB, CONDITION_AGENT_ERROR)
# Annotations of the hub's copy that an update leaves as they are.
_KEPT = OWN_TO_ONE_SIDE - {ANNOTATION_REFRESH, ANNOTATION_PRINCIPAL_UID}

_DEFAULT_PROJECT = "default"  # what Argo CD takes an empty one for
_HELD_BY_NOBODY = (b"null",)  # the digest of what the hub refuses: no copy has it


def hub_edition(incoming: Object, agent: AgentName, cluster: str) -> Object:
    """*incoming*, an Application of *agent*, as the hub holds it; *cluster* is what its Argo CD calls the agent's.

    The UID stays, so that the caller can claim the copy; a deletion is not taken over. All fields are canonical. Raises
    `EventRefused` where the hub cannot hold it.
    """
    try:
        fields: dict[str, bytes | None] = {
            "spec": canonical(_spec_on_hub(incoming.look("spec"), agent, cluster)),
            "status": _status_on_hub(incoming, agent),
            "operation": _operation(incoming),
        }
    except (DecodeError, EventRefused) as error:
        raise EventRefused(f"Application {incoming.name} of agent {agent}: {error}") from error
    return incoming.with_fields(fields).with_metadata(
        namespace=str(agent),
        owner_references=None,
        deletion_timestamp=None,
        deletion_grace_period_seconds=None,
    )


def for_cluster(spec: bytes, cluster: str) -> bytes:
    """*spec*, of the hub's copy, for the agent's cluster when Argo CD calls that *cluster*. As it is where it cannot be
    read."""
    try:
        value = decode_any(spec, "spec")
    except DecodeError:
        return spec
    if not isinstance(value, dict):
        return spec
    return canonical({**value, "destination": {"name": cluster, **_destination(value)}})


def mirror(edition: Object, now: str) -> Object:
    """What the hub creates of *edition* at *now* (RFC 3339). An operation is not begun by being seen for the first
    time: it comes with the first update."""
    annotations = shared_annotations(edition)
    if refresh := edition.annotations.get(ANNOTATION_REFRESH):
        annotations[ANNOTATION_REFRESH] = refresh
    annotations |= {ANNOTATION_SOURCE_UID: incoming_uid(edition), ANNOTATION_LAST_UPDATED: now}
    metadata = Metadata(
        name=edition.name,
        namespace=edition.namespace,
        labels=dict(edition.labels) or None,
        annotations=annotations,
        finalizers=shared_finalizers(edition) or None,
    )
    return Object(metadata, {name: edition.fields[name] for name in ("spec", "status") if name in edition.fields})


def mirror_updated(held: Object, edition: Object, now: str, *, keep_operation: bool, keep_refresh: bool) -> Object:
    """*held*, the hub's copy, brought to what *edition* says at *now*; *held* itself if it says nothing new.

    An operation or a refresh that a user of the hub has asked for, and of which the spoke has yet to hear, is kept on
    demand. An operation of the spoke takes the place of any. What belongs to the hub alone stays; whose mirror it is
    stays too, so one that is nobody's has to be claimed by the caller.
    """
    updated = held.with_fields(_changed_fields(held, edition, keep_operation=keep_operation)).with_metadata(
        labels=dict(edition.labels) or None,
        annotations=_annotations(held, edition, keep_refresh=keep_refresh) or None,
        finalizers=updated_finalizers(held, edition) or None,
    )
    if _without_empties(updated) == _without_empties(held):
        return held
    return updated.with_annotations({ANNOTATION_LAST_UPDATED: now})


def digest_parts(obj: Object, agent: AgentName, *, is_source: bool) -> tuple[bytes, ...]:
    """What counts of an Application of *agent* in the digest that both ends compare, in canonical form.

    The agent (*is_source*) takes its Application as the hub would hold it, the hub its copy as it is stored. Of the
    destination only the namespace counts, since the agent does not know what the hub calls its cluster. What the hub
    would refuse has a digest that no copy has: it differs, is sent again and is refused again, for all to see.
    Operation and refresh do not count: on the hub they may be a user's wish that the spoke has yet to hear of.
    """
    if is_source:
        try:
            obj = hub_edition(obj, agent, "")
        except EventRefused:
            return _HELD_BY_NOBODY
    spec = obj.look("spec")
    if isinstance(spec, dict):
        spec = {**spec, "destination": _destination(spec)}
    return (
        canonical(spec),
        encode(sorted(obj.labels.items())),
        encode(sorted(shared_annotations(obj).items())),
        encode(sorted(shared_finalizers(obj))),
        canonical(_status_without(obj, _OURS)),
    )


def _spec_on_hub(spec: object, agent: AgentName, cluster: str) -> dict[str, object]:
    if not isinstance(spec, dict):
        raise EventRefused(f"expected spec to be a JSON object, found {_shown(spec)}")
    project = spec.get("project") or _DEFAULT_PROJECT
    if not isinstance(project, str):
        raise EventRefused(f"expected spec.project to be a name, found {_shown(project)}")
    destination = {"name": cluster, **_destination(spec)}
    return {**spec, "project": hub_name(project, agent), "destination": destination}


def _destination(spec: dict[str, object]) -> dict[str, object]:
    """What both ends know of the destination."""
    destination = spec.get("destination")
    namespace = destination.get("namespace") if isinstance(destination, dict) else None
    return {"namespace": namespace} if isinstance(namespace, str) and namespace else {}


def _shown(value: object) -> str:
    return canonical(value)[:40].decode(errors="replace")


def _status_on_hub(incoming: Object, agent: AgentName) -> bytes | None:
    """The status with its children where the hub holds them; None if there is none."""
    if not isinstance(incoming.look("status"), dict):
        return None
    status = _status_without(incoming, _OURS)
    resources = status.get("resources")
    if isinstance(resources, list):
        status = {**status, "resources": [_resource_on_hub(one, agent) for one in resources]}
    return canonical(status)


def _resource_on_hub(resource: object, agent: AgentName) -> object:
    if not isinstance(resource, dict):
        return resource
    if (resource.get("group"), resource.get("kind")) != (APPLICATIONS.group, APPLICATIONS.kind):
        return resource
    return {**resource, "namespace": agent}


def _status_without(obj: Object, kinds: tuple[str, ...]) -> dict[str, object]:
    """`status` without conditions of *kinds*, and without a list of conditions that is empty or none."""
    status: dict[str, object] = {}
    value = obj.look("status")
    if isinstance(value, dict):
        status = value
    for kind in kinds:
        status = without_condition(status, kind)
    return status


def _operation(obj: Object) -> bytes | None:
    """The operation as the hub holds it; None if there is none that can be one."""
    return canonical(obj.fields["operation"]) if isinstance(obj.look("operation"), dict) else None


def _changed_fields(held: Object, edition: Object, *, keep_operation: bool) -> dict[str, bytes | None]:
    """The fields of *held* that *edition* changes. One that says the same keeps its bytes."""
    wanted: dict[str, bytes | None] = {"spec": edition.fields.get("spec"), "status": _status_kept(held, edition)}
    if has_operation(edition) or not keep_operation:
        wanted["operation"] = edition.fields.get("operation")
    return {name: value for name, value in wanted.items() if not _is_same(held.fields.get(name), value)}


def _is_same(old: bytes | None, new: bytes | None) -> bool:
    return canonical(old or b"null") == canonical(new or b"null")


def _status_kept(held: Object, edition: Object) -> bytes | None:
    """The status of *edition* with the hub's own conditions of *held*."""
    status = held.look("status")
    own = [one for one in conditions(status) if one.get("type") in _OF_THE_HUB]
    if not own:
        return edition.fields.get("status")
    return encode(with_conditions(edition.look("status"), own))


def _annotations(held: Object, edition: Object, *, keep_refresh: bool) -> dict[str, str]:
    annotations = shared_annotations(edition)
    refresh = edition.annotations.get(ANNOTATION_REFRESH)
    if keep_refresh:
        refresh = held.annotations.get(ANNOTATION_REFRESH) or refresh
    if refresh:
        annotations[ANNOTATION_REFRESH] = refresh
    return annotations | {name: value for name, value in held.annotations.items() if name in _KEPT}


def _without_empties(obj: Object) -> Object:
    """*obj* in the one spelling of empty metadata."""
    about = obj.metadata
    return obj.with_metadata(
        labels=about.labels or None, annotations=about.annotations or None, finalizers=about.finalizers or None
    )
