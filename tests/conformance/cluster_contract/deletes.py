"""Deleting: preconditions, finalizers, and what remains possible while an object waits for them."""

import pytest

from argocd_agent.backends.ports import Propagation, WatchType
from argocd_agent.errors import AlreadyExists, ClusterError, Conflict, Invalid, NotFound
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS
from tests.conformance.cluster_contract.case import Place, case, changes, exists

FINALIZER = "resources-finalizer.argocd.argoproj.io"
FOREGROUND = "foregroundDeletion"
NO_SUCH_UID = "11111111-2222-3333-4444-555555555555"


@case
async def a_deleted_object_is_gone_at_once(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application())

    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    assert not await exists(place, APPLICATIONS, "guestbook")
    assert (await place.cluster.list(APPLICATIONS, place.scope)).items == ()


@case
async def deleting_twice_is_not_found(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application())
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    with pytest.raises(NotFound, match="guestbook"):
        await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")


@case
async def an_object_made_anew_has_another_uid(place: Place) -> None:
    first = await place.cluster.create(APPLICATIONS, place.application())
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    second = await place.cluster.create(APPLICATIONS, place.application())

    assert second.uid != first.uid


@case
async def delete_meant_for_another_uid_conflicts(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    with pytest.raises(Conflict):
        await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook", uid=NO_SUCH_UID)

    assert (await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")).version == created.version


@case
async def delete_meant_for_an_older_version_conflicts(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())
    newest = await place.cluster.update(APPLICATIONS, created.with_annotations({"a": "b"}))

    with pytest.raises(Conflict):
        await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook", version=created.version)

    assert (await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")).version == newest.version


@case
async def delete_with_its_own_uid_and_version_succeeds(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application())

    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook", uid=created.uid, version=created.version)

    assert not await exists(place, APPLICATIONS, "guestbook")


@case
async def an_object_with_a_finalizer_stays_and_is_marked(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))

    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    deleting = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")
    assert deleting.is_deleting
    assert deleting.metadata.deletion_grace_period_seconds == 0
    assert deleting.metadata.finalizers == (FINALIZER,)
    assert deleting.metadata.generation == 2
    assert deleting.version != created.version


@case
async def deleting_what_is_already_deleting_changes_nothing(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")
    deleting = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")

    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    assert (await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")).metadata == deleting.metadata


@case
async def it_goes_when_its_last_finalizer_goes(place: Place) -> None:
    both = ("example.com/first", FINALIZER)
    created = await place.cluster.create(APPLICATIONS, place.application(finalizers=both))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")
    deleting = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")

    waiting = await place.cluster.update(APPLICATIONS, deleting.with_metadata(finalizers=(FINALIZER,)))
    assert await exists(place, APPLICATIONS, "guestbook")
    await place.cluster.update(APPLICATIONS, waiting.with_metadata(finalizers=None))

    assert not await exists(place, APPLICATIONS, "guestbook")
    seen = await changes(place.cluster, APPLICATIONS, place.scope, created.version, 3)
    assert [event.type for event in seen] == [WatchType.MODIFIED, WatchType.MODIFIED, WatchType.DELETED]
    assert [event.object.is_deleting for event in seen] == [True, True, True]
    assert seen[2].object.version not in {waiting.version, deleting.version}


@case
async def a_finalizer_removed_before_the_deletion_holds_nothing(place: Place) -> None:
    created = await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))
    kept = await place.cluster.update(APPLICATIONS, created.with_metadata(finalizers=None))
    assert not kept.is_deleting

    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    assert not await exists(place, APPLICATIONS, "guestbook")


@case
async def what_is_deleting_takes_no_new_finalizer(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")
    deleting = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")

    with pytest.raises(ClusterError, match="finalizers"):
        await place.cluster.update(APPLICATIONS, deleting.with_metadata(finalizers=(FINALIZER, "example.com/another")))


@case
async def what_is_deleting_can_be_changed_but_not_undeleted(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")
    deleting = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")

    updated = await place.cluster.update(
        APPLICATIONS, deleting.with_annotations({"a": "b"}).with_metadata(deletion_timestamp=None)
    )

    assert updated.annotations == {"a": "b"}
    assert updated.metadata.deletion_timestamp == deleting.metadata.deletion_timestamp


@case
async def the_name_of_what_is_deleting_is_taken(place: Place) -> None:
    await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))
    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook")

    with pytest.raises(AlreadyExists):
        await place.cluster.create(APPLICATIONS, place.application())


@case
async def a_deletion_timestamp_cannot_be_written(place: Place) -> None:
    created = await place.cluster.create(CONFIGMAPS, place.configmap())

    with pytest.raises(Invalid, match=r"metadata\.deletionTimestamp"):
        await place.cluster.update(CONFIGMAPS, created.with_metadata(deletion_timestamp="2001-01-01T00:00:00Z"))

    assert not (await place.cluster.get(CONFIGMAPS, place.namespace, "settings")).is_deleting


@case
async def foreground_deletion_keeps_the_other_finalizers(place: Place) -> None:
    """Who removes the finalizer of foreground deletion is the garbage collector's business, not the contract's."""
    await place.cluster.create(APPLICATIONS, place.application(finalizers=(FINALIZER,)))

    await place.cluster.delete(APPLICATIONS, place.namespace, "guestbook", propagation=Propagation.FOREGROUND)

    deleting = await place.cluster.get(APPLICATIONS, place.namespace, "guestbook")
    assert deleting.is_deleting
    assert set(deleting.metadata.finalizers or ()) | {FOREGROUND} == {FINALIZER, FOREGROUND}
    await place.cluster.update(APPLICATIONS, deleting.with_metadata(finalizers=None))
    assert not await exists(place, APPLICATIONS, "guestbook")
