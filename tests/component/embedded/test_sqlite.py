"""A cluster in a file: what survives a restart, an unclean end, and a failing disk."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from argocd_agent.backends.embedded import EmbeddedCluster, open_sqlite
from argocd_agent.backends.embedded.sqlite import STEP_AFTER_UNCLEAN_END
from argocd_agent.backends.ports import Scope
from argocd_agent.errors import Gone, NotFound, Unavailable
from argocd_agent.resources.kinds import APPLICATIONS, CONFIGMAPS, CRDS, Api
from argocd_agent.resources.objects import Metadata, new_object
from tests.unit.backends.embedded.builders import a_configmap, an_application
from tests.unit.backends.embedded.test_engine import a_definition

WIDGETS = Api("example.com", "v1", "widgets", "Widget")


async def _watch_once(cluster: EmbeddedCluster, since: str) -> None:
    await anext(cluster.watch(APPLICATIONS, Scope(), since))


async def test_objects_versions_and_uids_survive_a_restart(tmp_path: Path) -> None:
    first = await open_sqlite(tmp_path / "db")
    kept = await first.create(APPLICATIONS, an_application(labels={"a": "b"}))
    await first.create(CONFIGMAPS, a_configmap())
    await first.delete(CONFIGMAPS, "default", "settings")
    version = (await first.list(APPLICATIONS)).version
    await first.close()

    second = await open_sqlite(tmp_path / "db")

    assert await second.get(APPLICATIONS, "default", "guestbook") == kept
    assert (await second.list(APPLICATIONS)).version == version
    with pytest.raises(NotFound):
        await second.get(CONFIGMAPS, "default", "settings")
    updated = await second.update(APPLICATIONS, kept.with_annotations({"x": "y"}))
    assert int(updated.version) == int(version) + 1
    await second.close()


async def test_history_does_not_survive_a_restart(tmp_path: Path) -> None:
    first = await open_sqlite(tmp_path / "db")
    before = (await first.list(APPLICATIONS)).version
    await first.create(APPLICATIONS, an_application())
    await first.close()

    second = await open_sqlite(tmp_path / "db")

    with pytest.raises(Gone):
        await _watch_once(second, before)
    await second.close()


async def test_custom_kinds_survive_a_restart(tmp_path: Path) -> None:
    first = await open_sqlite(tmp_path / "db")
    await first.create(CRDS, a_definition())
    widget = new_object(WIDGETS, Metadata(name="w", namespace="default"), spec={"size": 3})
    await first.create(WIDGETS, widget)
    await first.close()

    second = await open_sqlite(tmp_path / "db")

    assert [obj.name for obj in (await second.list(WIDGETS)).items] == ["w"]
    await second.close()


async def test_what_was_answered_is_in_the_file_and_versions_step_ahead_after_an_unclean_end(tmp_path: Path) -> None:
    first = await open_sqlite(tmp_path / "db")
    created = await first.create(APPLICATIONS, an_application())

    second = await open_sqlite(tmp_path / "db")  # the first was never closed, as after a crash

    assert await second.get(APPLICATIONS, "default", "guestbook") == created
    assert int((await second.list(APPLICATIONS)).version) == int(created.version) + STEP_AFTER_UNCLEAN_END
    await second.close()
    await first.close()


async def test_many_writers_share_transactions_and_all_are_kept(tmp_path: Path) -> None:
    first = await open_sqlite(tmp_path / "db")
    await asyncio.gather(*(first.create(CONFIGMAPS, a_configmap(f"cm-{number}")) for number in range(200)))
    await first.close()

    second = await open_sqlite(tmp_path / "db")

    assert len((await second.list(CONFIGMAPS)).items) == 200
    await second.close()


async def test_a_cancelled_write_does_not_hold_up_the_next(tmp_path: Path) -> None:
    cluster = await open_sqlite(tmp_path / "db")
    cancelled = asyncio.create_task(cluster.create(CONFIGMAPS, a_configmap("a")))
    await asyncio.wait([cancelled], timeout=0)  # it has begun
    cancelled.cancel()

    await cluster.create(CONFIGMAPS, a_configmap("b"))

    assert [obj.name for obj in (await cluster.list(CONFIGMAPS)).items] == ["a", "b"]
    await cluster.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 20)

    with pytest.raises(Unavailable, match=r"db: cannot be opened as a cluster's database: file is not a database"):
        await open_sqlite(path)


async def test_after_the_disk_has_failed_writes_are_refused(tmp_path: Path) -> None:
    cluster = await open_sqlite(tmp_path / "db")
    with sqlite3.connect(tmp_path / "db") as other:
        other.execute("DROP TABLE objects")

    with pytest.raises(Unavailable, match="no such table"):
        await cluster.create(CONFIGMAPS, a_configmap("a"))
    with pytest.raises(Unavailable, match="no such table"):
        await cluster.create(CONFIGMAPS, a_configmap("b"))
    with pytest.raises(Unavailable, match="no such table"):
        await cluster.close()
