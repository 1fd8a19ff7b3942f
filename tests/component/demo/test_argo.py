"""The stand-in for Argo CD does what Argo CD does, as far as Applications can tell."""

from pathlib import Path

import pytest

from argocd_agent.backends.ports import PatchType
from argocd_agent.codec import encode
from argocd_agent.demo.catalogue import DEPLOYMENTS
from argocd_agent.demo.merge import fields_at, text_at
from argocd_agent.errors import NotFound
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS
from tests.component.demo.argobench import (
    AUTOMATED,
    DEPLOYMENT,
    FINALIZER,
    HOME,
    MANUAL,
    NAME,
    TARGET,
    an_argo,
    config_map,
    is_at,
    run,
)


def test_an_automated_application_is_deployed_and_its_status_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one", "first"), web__yaml=DEPLOYMENT)

            await bench.create()

            status = await bench.until_app(is_at(revision))
            made = await bench.cluster.get(DEPLOYMENTS, TARGET, "web")
            assert await bench.text_of("one") == "first"
            assert made.annotations["argocd.argoproj.io/tracking-id"] == f"guestbook:apps/Deployment:{TARGET}/web"
            assert status["resources"] == [
                {"version": "v1", "kind": "ConfigMap", "namespace": TARGET, "name": "one", "status": "Synced"},
                {
                    "group": "apps",
                    "version": "v1",
                    "kind": "Deployment",
                    "namespace": TARGET,
                    "name": "web",
                    "status": "Synced",
                    "health": {"status": "Healthy"},
                },
            ]
            assert status["sourceType"] == "Directory"
            assert status["summary"] == {"images": ["registry.example/web:1"]}
            operation = fields_at(status, "operationState")
            assert (operation["phase"], text_at(operation, "syncResult", "revision")) == ("Succeeded", revision)
            assert fields_at(operation, "operation")["initiatedBy"] == {"automated": True}
            (entry,) = status["history"] if isinstance(status["history"], list) else []
            assert (fields_at(entry)["id"], fields_at(entry)["revision"]) == (0, revision)

    run(test)


def test_a_refresh_deploys_a_new_commit_prunes_what_it_dropped_and_is_answered(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            first = await bench.commit(one__yaml=config_map("one", "first"), two__yaml=config_map("two"))
            await bench.create()
            before = await bench.until_app(is_at(first))

            second = await bench.commit(one__yaml=config_map("one", "second"), two__yaml=None)
            await bench.refresh()

            after = await bench.until_app(is_at(second))
            assert await bench.text_of("one") == "second"
            with pytest.raises(NotFound):
                await bench.text_of("two")
            assert "argocd.argoproj.io/refresh" not in fields_at(after, "annotations")
            assert text_at(after, "reconciledAt") > text_at(before, "reconciledAt")

    run(test)


def test_a_commit_is_noticed_without_a_refresh_after_the_period(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path, period_seconds=0.05) as bench:
            first = await bench.commit(one__yaml=config_map("one", "first"))
            await bench.create()
            await bench.until_app(is_at(first))

            second = await bench.commit(one__yaml=config_map("one", "second"))

            await bench.until_app(is_at(second))
            assert await bench.text_of("one") == "second"

    run(test)


def test_without_automated_sync_nothing_is_applied_until_an_operation_asks(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one", "first"))
            await bench.create(MANUAL)
            await bench.until_app(is_at(revision, "OutOfSync", "Missing"))
            with pytest.raises(NotFound):
                await bench.text_of("one")

            await bench.patch_app({"operation": {"initiatedBy": {"username": "admin"}, "sync": {"revision": revision}}})

            status = await bench.until_app(is_at(revision))
            assert await bench.text_of("one") == "first"
            assert text_at(status, "operationState", "operation", "initiatedBy", "username") == "admin"
            assert text_at(status, "operationState", "message") == "successfully synced (all tasks run)"

    run(test)


def test_an_operation_without_pruning_leaves_what_was_dropped_and_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            first = await bench.commit(one__yaml=config_map("one"), two__yaml=config_map("two", "kept"))
            await bench.create(MANUAL)
            await bench.until_app(is_at(first, "OutOfSync", "Missing"))
            await bench.patch_app({"operation": {"sync": {}}})
            await bench.until_app(is_at(first))

            second = await bench.commit(two__yaml=None)
            await bench.patch_app(
                {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}, "operation": {"sync": {}}}
            )

            status = await bench.until_app(is_at(second, "OutOfSync"))
            assert await bench.text_of("two") == "kept"
            results = fields_at(status, "operationState", "syncResult").get("resources")
            assert isinstance(results, list)
            assert [(text_at(one, "name"), text_at(one, "status")) for one in results] == [
                ("one", "Synced"),
                ("two", "PruneSkipped"),
            ]

    run(test)


@pytest.mark.feature("C-7")
def test_an_operation_can_go_back_to_an_older_revision(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            first = await bench.commit(one__yaml=config_map("one", "first"))
            second = await bench.commit(one__yaml=config_map("one", "second"))
            await bench.create(MANUAL)
            await bench.until_app(is_at(second, "OutOfSync", "Missing"))

            await bench.patch_app({"operation": {"sync": {"revision": first}}})

            status = await bench.until_app(
                lambda found: text_at(found, "operationState", "phase") == "Succeeded" and found["operation"] is None
            )
            assert await bench.text_of("one") == "first"
            assert text_at(status, "operationState", "syncResult", "revision") == first
            assert text_at(status, "sync", "status") == "OutOfSync"

    run(test)


def test_drift_is_healed(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one", "first"), web__yaml=DEPLOYMENT)
            await bench.create()
            await bench.until_app(is_at(revision))

            await bench.cluster.patch(CONFIGMAPS, TARGET, "one", encode({"data": {"text": "drifted"}}), PatchType.MERGE)
            await bench.until(
                CONFIGMAPS, TARGET, "one", lambda obj: obj is not None and text_at(obj.look("data"), "text") == "first"
            )
            deleted = await bench.cluster.get(DEPLOYMENTS, TARGET, "web")
            await bench.cluster.delete(DEPLOYMENTS, TARGET, "web")

            await bench.until(DEPLOYMENTS, TARGET, "web", lambda obj: obj is not None and obj.uid != deleted.uid)
            await bench.until_app(is_at(revision))

    run(test)


def test_drift_is_only_reported_where_healing_is_off(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one", "first"))
            await bench.create({**AUTOMATED, "automated": {}})
            await bench.until_app(is_at(revision))

            await bench.cluster.patch(CONFIGMAPS, TARGET, "one", encode({"data": {"text": "drifted"}}), PatchType.MERGE)

            await bench.until_app(is_at(revision, "OutOfSync"))
            assert await bench.text_of("one") == "drifted"

    run(test)


def test_a_deletion_cascades_with_the_finalizer(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one"), web__yaml=DEPLOYMENT)
            await bench.create(finalizers=(FINALIZER,))
            await bench.until_app(is_at(revision))

            await bench.cluster.delete(APPLICATIONS, HOME, NAME)

            await bench.until(APPLICATIONS, HOME, NAME, lambda obj: obj is None)
            for api, name in ((CONFIGMAPS, "one"), (DEPLOYMENTS, "web")):
                with pytest.raises(NotFound):
                    await bench.cluster.get(api, TARGET, name)

    run(test)


def test_a_deletion_without_the_finalizer_leaves_the_objects(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one", "stays"))
            await bench.create()
            await bench.until_app(is_at(revision))

            await bench.cluster.delete(APPLICATIONS, HOME, NAME)
            await bench.until(APPLICATIONS, HOME, NAME, lambda obj: obj is None)

            assert await bench.text_of("one") == "stays"

    run(test)


def test_a_source_that_cannot_be_read_is_a_condition_until_it_can(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            await bench.commit(one__yaml=config_map("one", "first"))
            await bench.create(path="later")

            failed = await bench.until_app(lambda status: "conditions" in status)
            second = await bench.git.commit(bench.origin, {"later/one.yaml": config_map("one", "first")}, "a path")
            await bench.refresh()

            (condition,) = failed["conditions"] if isinstance(failed["conditions"], list) else []
            assert text_at(condition, "type") == "ComparisonError"
            assert "app path does not exist: later" in text_at(condition, "message")
            assert text_at(failed, "sync", "status") == "Unknown"
            healed = await bench.until_app(is_at(second))
            assert "conditions" not in healed

    run(test)


def test_an_object_that_the_cluster_refuses_fails_the_operation_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one"), bad__yaml=config_map("Not_A_Name"))

            await bench.create()

            status = await bench.until_app(lambda found: text_at(found, "operationState", "phase") == "Failed")
            results = fields_at(status, "operationState", "syncResult").get("resources")
            assert isinstance(results, list)
            assert {text_at(one, "name"): text_at(one, "status") for one in results} == {
                "one": "Synced",
                "Not_A_Name": "SyncFailed",
            }
            assert text_at(status, "sync", "revision") == revision
            assert "history" not in status

    run(test)


def test_an_application_that_asks_to_be_skipped_is_left_alone_until_it_does_not(tmp_path: Path) -> None:
    async def test() -> None:
        async with an_argo(tmp_path) as bench:
            revision = await bench.commit(one__yaml=config_map("one", "first"))
            await bench.create(MANUAL)
            await bench.until_app(is_at(revision, "OutOfSync", "Missing"))
            skip = "argocd.argoproj.io/skip-reconcile"
            await bench.patch_app({"metadata": {"annotations": {skip: "true"}}, "operation": {"sync": {}}})
            await bench.patch_app({"metadata": {"labels": {"touched": "true"}}})

            with pytest.raises(NotFound):
                await bench.text_of("one")
            await bench.patch_app({"metadata": {"annotations": {skip: None}}})

            await bench.until_app(is_at(revision))

    run(test)
