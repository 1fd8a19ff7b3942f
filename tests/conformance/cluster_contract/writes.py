"""Creating and replacing objects: versions, conflicts, what the server sets and what it refuses."""

import asyncio
import re

import pytest

from argocd_agent.errors import AlreadyExists, BadRequest, ClusterError, Conflict, Invalid, NotFound
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, NAMESPACES, Api
from argocd_agent.resources.objects import Metadata, Object, new_object
from tests.conformance.cluster_contract.case import Place, case, changes, exists

NO_SUCH_KIND = Api("example.com", "v1", "unicorns", "Unicorn")
NO_SUCH_UID = "11111111-2222-3333-4444-555555555555"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@case
async def create_sets_uid_version_and_time(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    assert created.key == (place.namespace, "guestbook")
    assert created.uid
    assert created.version
    assert RFC_3339.fullmatch(created.metadata.creation_timestamp or "")
    assert created.look("spec")["project"] == "default"


@case
async def what_was_created_can_be_got(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application(labels={"team": "a"}))

    got = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")

    assert got.metadata == created.metadata
    assert got.look("spec") == created.look("spec")
    assert got.look("kind") == "Application"
    assert got.look("apiVersion") == "argoproj.io/v1alpha1"


@case
async def uid_and_creation_time_are_the_servers_choice(place: Place) -> None:
    forged = place.application(uid=NO_SUCH_UID, creation_timestamp="2001-01-01T00:00:00Z", generation=7)

    created = await place.cluster.create(APPLICATIONS, forged)

    assert created.uid != NO_SUCH_UID
    assert created.metadata.creation_timestamp != "2001-01-01T00:00:00Z"
    assert created.metadata.generation == 1


@case
async def create_with_a_version_is_refused(place: Place) -> None:
    with pytest.raises(ClusterError):
        await place.cluster.create(APPLICATIONS, place.application(resource_version="7"))

    assert not await exists(place, APPLICATIONS, "guestbook")


@case
async def create_of_a_taken_name_is_refused(place: Place) -> None:
    first = await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(AlreadyExists, match="guestbook"):
        await place.cluster.create(APPLICATIONS, place.application(labels={"second": "yes"}))

    assert (await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")).version == first.version


@case
async def one_name_may_be_used_in_two_namespaces_and_two_kinds(place: Place) -> None:
    other = f"{place.namespace}-other"
    await place.cluster.create(NAMESPACES, new_object(NAMESPACES, Metadata(name=other)))

    first = await place.cluster.create(CONFIGMAPS, place.configmap("same"))
    second = await place.cluster.create(CONFIGMAPS, place.configmap("same").with_metadata(namespace=other))
    third = await place.cluster.create(APPLICATIONS, place.application("same"))

    assert len({first.uid, second.uid, third.uid}) == 3


@case
async def generate_name_makes_a_new_name_each_time(place: Place) -> None:
    wanted = place.application().with_metadata(name="", generate_name="run-")

    created = [await place.cluster.create(APPLICATIONS, wanted) for _ in range(3)]

    assert all(re.fullmatch(r"run-[a-z0-9]{5}", obj.name) for obj in created)
    assert len({obj.name for obj in created}) == 3


@case
async def create_in_a_missing_namespace_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound, match="no-such-namespace"):
        await place.cluster.create(APPLICATIONS, place.application().with_metadata(namespace="no-such-namespace"))


@case
async def a_missing_kind_is_not_found_whatever_is_asked(place: Place) -> None:
    unicorn = new_object(NO_SUCH_KIND, Metadata(name="u", namespace=place.namespace), spec={})

    with pytest.raises(NotFound):
        await place.cluster.create(NO_SUCH_KIND, unicorn)
    with pytest.raises(NotFound):
        await place.cluster.get(NO_SUCH_KIND, place.namespace, "u")
    with pytest.raises(NotFound):
        await place.cluster.list(NO_SUCH_KIND)
    with pytest.raises(NotFound):
        await changes(place.cluster, NO_SUCH_KIND, place.scope, "1", 1)


@case
async def get_of_a_missing_object_names_it(place: Place) -> None:
    with pytest.raises(NotFound, match=rf'get applications\.argoproj\.io "{place.namespace}/nobody"'):
        await place.cluster.get(APPLICATIONS, place.namespace, "nobody")


@case
async def every_write_changes_the_version(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())
    first = await place.cluster.update(APPLICATIONS, created.with_annotations({"round": "1"}))
    second = await place.cluster.update(APPLICATIONS, first.with_annotations({"round": "2"}))

    assert len({created.version, first.version, second.version}) == 3
    assert second.uid == created.uid
    assert second.metadata.creation_timestamp == created.metadata.creation_timestamp


@case
async def update_without_a_change_keeps_the_version(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    again = await place.cluster.update(APPLICATIONS, created)

    assert again.version == created.version


@case
async def update_of_a_stale_version_conflicts_and_changes_nothing(place: Place) -> None:
    stale = await place.cluster.create(APPLICATIONS, place.application())
    newest = await place.cluster.update(APPLICATIONS, stale.with_annotations({"by": "somebody else"}))

    with pytest.raises(Conflict, match="guestbook"):
        await place.cluster.update(APPLICATIONS, stale.with_annotations({"by": "us"}))

    got = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")
    assert got.metadata == newest.metadata


@case
async def update_of_a_missing_object_is_not_found(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    with pytest.raises(NotFound):
        await place.cluster.update(APPLICATIONS, created.with_annotations({"too": "late"}))


@case
async def update_of_a_custom_resource_needs_a_version(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(Invalid, match="resourceVersion"):
        await place.cluster.update(APPLICATIONS, created.with_metadata(resource_version="", labels={"a": "b"}))


@case
async def update_of_a_built_in_kind_needs_no_version(place: Place) -> None:
    await place.cluster.create(CONFIGMAPS, place.configmap(data={"a": "1"}))

    updated = await place.cluster.update(CONFIGMAPS, place.configmap(data={"a": "2"}))

    assert updated.look("data") == {"a": "2"}


@case
async def update_meant_for_an_earlier_object_of_the_name_conflicts(place: Place) -> None:
    first = await place.cluster.create(CONFIGMAPS, place.configmap())
    await place.cluster.delete(CONFIGMAPS, place.namespace, "settings")
    second = await place.cluster.create(CONFIGMAPS, place.configmap())

    with pytest.raises(Conflict):
        await place.cluster.update(CONFIGMAPS, place.configmap(data={"a": "1"}, uid=first.uid))

    assert (await place.cluster.get(CONFIGMAPS, place.namespace, "settings")).version == second.version


@case
async def update_replaces_what_it_does_not_mention(place: Place) -> None:
    created = await place.cluster.create(CONFIGMAPS, place.configmap(data={"a": "1"}, labels={"old": "yes"}))
    wanted = place.configmap(data={"b": "2"}, resource_version=created.version)

    updated = await place.cluster.update(CONFIGMAPS, wanted)

    assert updated.look("data") == {"b": "2"}
    assert updated.labels == {}


@case
async def generation_counts_changes_outside_of_metadata(place: Place) -> None:
    """Argo CD's Applications have no status subresource: a change of status or operation counts too."""
    created = await place.cluster.create(APPLICATIONS, place.application())
    labelled = await place.cluster.update(APPLICATIONS, created.with_metadata(labels={"team": "a"}))
    moved = await place.cluster.update(APPLICATIONS, _with_project(labelled, "other"))
    operated = await place.cluster.update(
        APPLICATIONS, moved.with_fields({"operation": b'{"sync":{"revision":"main"}}'})
    )
    healthy = await place.cluster.update(
        APPLICATIONS, operated.with_fields({"status": b'{"health":{"status":"Healthy"}}'})
    )

    generations = [obj.metadata.generation for obj in (created, labelled, moved, operated, healthy)]
    assert generations == [1, 1, 2, 3, 4]


@case
async def a_configmap_has_no_generation(place: Place) -> None:
    created = await place.cluster.create(CONFIGMAPS, place.configmap(data={"a": "1"}))
    updated = await place.cluster.update(CONFIGMAPS, created.with_fields({"data": b'{"a":"2"}'}))

    assert (created.metadata.generation, updated.metadata.generation) == (0, 0)


@case
async def applications_have_no_status_subresource(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(NotFound):
        await place.cluster.update(APPLICATIONS, created, subresource="status")


@case
async def of_many_writers_of_one_version_exactly_one_wins(place: Place) -> None:
    current = await place.cluster.create(CONFIGMAPS, place.configmap(data={}))

    for turn in range(3):
        attempts = [
            place.cluster.update(CONFIGMAPS, current.with_fields({"data": b'{"by":"%d-%d"}' % (turn, writer)}))
            for writer in range(10)
        ]
        outcomes = await asyncio.gather(*attempts, return_exceptions=True)
        winners = [outcome for outcome in outcomes if isinstance(outcome, Object)]
        losers = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]

        assert (len(winners), len(losers)) == (1, 9)
        current = await place.cluster.get(CONFIGMAPS, place.namespace, "settings")
        assert current.look("data") == winners[0].look("data")


@case
async def of_many_creators_of_one_name_exactly_one_wins(place: Place) -> None:
    attempts = [place.cluster.create(CONFIGMAPS, place.configmap(data={"by": str(by)})) for by in range(10)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(outcome, Object) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 9


@case
async def values_may_be_any_unicode(place: Place) -> None:
    data = {"greeting": "héllo wörld", "kanji": "日本語", "odd": '🚀\u0001\u2028\u200f"\\/<>&'}
    created = await place.cluster.create(CONFIGMAPS, place.configmap(data=data).with_annotations({"note": "日本語 🚀"}))

    got = await place.cluster.get(CONFIGMAPS, place.namespace, "settings")

    assert got.look("data") == data
    assert got.annotations == {"note": "日本語 🚀"}
    assert got.version == created.version


@case
async def an_object_of_one_mib_comes_back_whole(place: Place) -> None:
    before = await place.cluster.list(CONFIGMAPS, place.scope)
    data = {"large": "x" * ((1 << 20) - 1024)}  # a ConfigMap's data may have 1 MiB, keys included

    created = await place.cluster.create(CONFIGMAPS, place.configmap(data=data))

    got = await place.cluster.get(CONFIGMAPS, place.namespace, "settings")
    page = await place.cluster.list(CONFIGMAPS, place.scope)
    [seen] = await changes(place.cluster, CONFIGMAPS, place.scope, before.version, 1)
    assert [obj.look("data") == data for obj in (created, got, page.items[0], seen.object)] == [True] * 4


@case
async def an_object_above_the_limit_is_refused(place: Place) -> None:
    with pytest.raises(ClusterError):
        await place.cluster.create(APPLICATIONS, place.application().with_annotations({"large": "x" * (4 << 20)}))

    assert not await exists(place, APPLICATIONS, "guestbook")


@case
async def an_object_against_its_schema_is_invalid(place: Place) -> None:
    application = place.application()

    with pytest.raises(Invalid, match=r"spec\.project"):
        await place.cluster.create(APPLICATIONS, _with_project(application, 5))
    with pytest.raises(Invalid, match=r"spec\.destination"):
        await place.cluster.create(APPLICATIONS, application.with_fields({"spec": b'{"project":"default"}'}))


@case
async def an_update_against_the_schema_is_invalid_and_changes_nothing(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(Invalid, match=r"spec\.project"):
        await place.cluster.update(APPLICATIONS, _with_project(created, ["default"]))

    assert (await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")).version == created.version


@case
async def a_name_that_is_no_dns_name_is_invalid(place: Place) -> None:
    with pytest.raises(Invalid, match=r"metadata\.name"):
        await place.cluster.create(APPLICATIONS, place.application("Not_A_Name"))


@case
async def a_label_that_is_no_label_is_invalid(place: Place) -> None:
    with pytest.raises(Invalid, match=r"metadata\.labels"):
        await place.cluster.create(CONFIGMAPS, place.configmap(labels={"team": "has spaces"}))


@case
async def an_object_without_a_namespace_is_refused(place: Place) -> None:
    with pytest.raises((BadRequest, NotFound)):
        await place.cluster.create(APPLICATIONS, place.application().with_metadata(namespace=""))


def _with_project(application: Object, project: object) -> Object:
    changed = new_object(APPLICATIONS, application.metadata, spec=application.look("spec") | {"project": project})
    return application.with_fields({"spec": changed.fields["spec"]})
