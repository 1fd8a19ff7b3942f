"""Whatever an object looks like, both ends agree on what the other is to have, or the object is refused by name."""

import contextlib
from collections.abc import Mapping
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError, EventRefused
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import (
    ANNOTATION_LAST_UPDATED,
    ANNOTATION_NEXT_OPERATION,
    ANNOTATION_NOTIFIED,
    ANNOTATION_PRINCIPAL_UID,
    ANNOTATION_REFRESH,
    ANNOTATION_SOURCE_UID,
    CONDITION_AGENT_ERROR,
    CONDITION_DELETION_HELD,
    CONDITION_REFUSED,
)
from argocd_agent.resources import appproject, autonomous
from argocd_agent.resources.objects import Metadata, Object, decode_object

AGENT, CLUSTER, HUB = AgentName("auto"), "cluster-auto", "argocd-hub"
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def shaped(required: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Mostly objects with some of these fields, each mostly as it should be; sometimes anything."""
    optional = {name: field | values for name, field in required.items()}
    objects = st.fixed_dictionaries({}, optional=dict(required)) | st.fixed_dictionaries({}, optional=optional)
    return objects | values


names = st.sampled_from(["default", "auto", "a", "auto-x", "*", "", "!auto", "[", "/x/", "p" * 250])
conditions = st.lists(
    shaped({"type": st.sampled_from([CONDITION_REFUSED, CONDITION_DELETION_HELD, CONDITION_AGENT_ERROR, "SyncError"])}),
    max_size=4,
)
resources = st.lists(
    shaped(
        {
            "group": st.sampled_from(["argoproj.io", "apps", ""]),
            "kind": st.sampled_from(["Application", "Deployment"]),
            "namespace": names,
        }
    ),
    max_size=3,
)
destinations = shaped(
    {
        "name": names,
        "namespace": names,
        "server": st.sampled_from(["*", "https://[", "https://p?agentName=auto", "https://p?agentName=%FF&a;b"]),
    }
)
policies = st.lists(
    st.sampled_from(["p", " p", "proj:default:dev", "applications", "*", "default/*", "a/b/c", ""]), max_size=7
).map(",".join)
# What the hub can hold, and what it may refuse.
fitting = st.fixed_dictionaries(
    {},
    optional={
        "project": st.sampled_from(["default", "auto", "", "a-b", None]),
        "destination": destinations,
        "source": values,
    },
)
specs = shaped({"project": names, "destination": destinations, "source": values})
projects = shaped(
    {
        "destinations": st.lists(destinations, max_size=3),
        "sourceNamespaces": st.lists(names, max_size=2),
        "roles": st.lists(shaped({"name": st.just("dev"), "policies": st.lists(policies, max_size=2)}), max_size=2),
        "description": st.text(),
    }
)
statuses = shaped({"conditions": conditions, "resources": resources, "health": values})
annotations = st.dictionaries(
    st.sampled_from(
        [
            "team",
            ANNOTATION_REFRESH,
            ANNOTATION_SOURCE_UID,
            ANNOTATION_PRINCIPAL_UID,
            ANNOTATION_NOTIFIED,
            ANNOTATION_LAST_UPDATED,
            ANNOTATION_NEXT_OPERATION,
        ]
    ),
    st.text(max_size=3),
    max_size=4,
)
metadata = st.builds(
    Metadata,
    name=st.sampled_from(["default", "auto", "x" * 250]),
    namespace=st.just("argocd"),
    uid=st.just("uid-1"),
    labels=st.none() | st.dictionaries(st.sampled_from("ab"), st.text(max_size=3)),
    annotations=st.none() | annotations,
    finalizers=st.none()
    | st.lists(st.sampled_from(["foregroundDeletion", "orphan", "a/b", "c/d"]), unique=True, max_size=3).map(tuple),
    deletion_timestamp=st.none() | st.just(NOW),
)


def objects(spec: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    fields = st.fixed_dictionaries({"spec": spec}, optional={"status": statuses, "operation": shaped({"sync": values})})
    return st.builds(
        lambda about, given: Object(about, {name: encode(value) for name, value in given.items()}), metadata, fields
    )


applications, odd_applications, app_projects = objects(fitting), objects(specs), objects(projects)


def stored(obj: Object, uid: str = "on-hub") -> Object:
    """*obj* as an API server gives it back."""
    return decode_object(obj.with_metadata(uid=uid, resource_version="5").encode())


def edition(source: Object) -> Object:
    return autonomous.hub_edition(source, AGENT, CLUSTER)


def update(held: Object, source: Object, now: str = LATER) -> Object:
    return autonomous.mirror_updated(held, edition(source), now, keep_operation=False, keep_refresh=False)


def is_equal(source: Object, held: Object) -> bool:
    ours = autonomous.digest_parts(source, AGENT, is_source=True)
    return ours == autonomous.digest_parts(held, AGENT, is_source=False)


@given(applications)
@settings(max_examples=500, deadline=None)
def test_a_mirror_just_made_is_equal_to_its_source(source: Object) -> None:
    held = stored(autonomous.mirror(edition(source), NOW))

    assert is_equal(source, held)
    assert is_equal(source, stored(update(held, source)))


@given(applications, applications)
@settings(max_examples=500, deadline=None)
def test_a_mirror_that_is_updated_is_equal_and_the_same_update_again_is_nothing(before: Object, after: Object) -> None:
    held = stored(autonomous.mirror(edition(before), NOW))

    changed = stored(update(held, after))

    assert is_equal(after, changed)
    assert update(changed, after, "2026-01-01T00:00:02Z") is changed


@given(applications, conditions)
@settings(max_examples=300, deadline=None)
def test_what_the_hub_says_of_itself_on_a_mirror_changes_no_digest_and_stays(source: Object, said: list[Any]) -> None:
    own = [one for one in said if isinstance(one, dict) and one.get("type") == CONDITION_REFUSED]
    held = stored(update(autonomous.mirror(edition(source), NOW), source))
    status = held.look("status") if isinstance(held.look("status"), dict) else {}

    marked = held.with_fields({"status": encode({**status, "conditions": [*status.get("conditions", []), *own]})})

    assert is_equal(source, marked)
    again = update(marked, source)
    assert [one for one in (again.look("status") or {}).get("conditions", []) if one in own] == own


@given(applications)
@settings(max_examples=300, deadline=None)
def test_an_edition_is_for_the_agents_cluster_and_is_never_being_deleted(source: Object) -> None:
    found = edition(source)

    assert (found.namespace, found.uid, found.is_deleting) == (AGENT, source.uid, False)
    assert found.look("spec")["destination"]["name"] == CLUSTER
    assert "server" not in found.look("spec")["destination"]


@given(odd_applications)
@settings(max_examples=500, deadline=None)
def test_an_application_is_held_with_one_digest_at_both_ends_or_refused_and_equal_to_none(source: Object) -> None:
    try:
        held = stored(autonomous.mirror(edition(source), NOW))
    except EventRefused:
        held = stored(source)
        assert not is_equal(source, held)
    else:
        assert is_equal(source, held)


@given(app_projects)
@settings(max_examples=500, deadline=None)
def test_a_project_has_one_digest_at_both_ends(source: Object) -> None:
    try:
        held = appproject.hub_edition(source, AGENT, HUB)
    except EventRefused:
        assume(False)
        raise

    copy = stored(held.with_metadata(finalizers=None)).with_annotations({ANNOTATION_LAST_UPDATED: NOW})

    ours = appproject.digest_parts_hub(source, AGENT, HUB, is_source=True)
    assert ours == appproject.digest_parts_hub(copy, AGENT, HUB, is_source=False)
    assert appproject.source_name(held.name, AGENT) == source.name


@given(app_projects, st.booleans(), st.sampled_from(["auto", "a", "agent-1"]))
@settings(max_examples=500, deadline=None)
def test_who_gets_a_project_has_a_destination_in_it_and_nobody_gets_its_roles(
    project: Object, by_destination: bool, name: str
) -> None:
    agent = AgentName(name)

    found = appproject.agent_edition(project, agent, by_destination=by_destination)

    assert "roles" not in found.look("spec")
    assert found.metadata == project.metadata
    if appproject.is_for_agent(project, agent, by_destination=by_destination):
        assert found.look("spec")["destinations"]


@given(st.binary(max_size=60), st.booleans())
@settings(max_examples=500, deadline=None)
def test_bytes_that_are_no_specification_raise_the_named_errors_alone(spec: bytes, by_destination: bool) -> None:
    odd = Object(Metadata(name="odd", annotations={ANNOTATION_SOURCE_UID: "u"}), {"spec": spec, "status": spec})

    assert not appproject.is_for_agent(odd, AGENT, by_destination=by_destination)
    assert appproject.owner_of(odd, lambda _: True) is None
    assert appproject.digest_parts_hub(odd, AGENT, HUB, is_source=True)
    assert autonomous.digest_parts(odd, AGENT, is_source=True)
    with contextlib.suppress(DecodeError):
        appproject.agent_edition(odd, AGENT, by_destination=by_destination)
    with contextlib.suppress(EventRefused):
        appproject.hub_edition(odd, AGENT, HUB)
    with contextlib.suppress(EventRefused):
        autonomous.hub_edition(odd, AGENT, CLUSTER)
