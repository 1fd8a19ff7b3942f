"""Makes the values that tests talk about; an argument is given only where it matters to the test."""

from argocd_agent.protocol.events import Event, EventId, EventType, ResourceId, Target, object_key


def an_event(
    kind: str = EventType.SPEC_UPDATE,
    version: int = 1,
    *,
    name: str = "guestbook",
    uid: str = "u1",
    namespace: str = "team-a",
    target: Target = Target.APPLICATION,
    sent_at: str = "",
) -> Event:
    """An event about version *version* of an object. Its ids are those of the wire contract, with the type added."""
    return Event(
        target=target,
        type=kind,
        resource_id=ResourceId(f"{name}_{uid}"),
        event_id=EventId(f"{name}_{uid}_{version}_{kind.rpartition('.')[2]}"),
        data=f'{{"version":{version}}}'.encode(),
        key=object_key(target, namespace, name),
        subject=f"{namespace}/{name}",
        sent_at=sent_at,
    )


def a_message(kind: str, unique: str = "m1", *, target: Target = Target.RESOURCE, key: str = "") -> Event:
    """An event that is not about an object."""
    return Event(target=target, type=kind, resource_id=ResourceId(unique), event_id=EventId(unique), key=key)
