"""Git, by the program and by dulwich: one contract."""

import asyncio
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar

import pytest

from argocd_agent.demo.git import Dulwich, Git, GitFailed, GitProgram, find_git

T = TypeVar("T")


@pytest.fixture(params=[GitProgram, Dulwich])
def git(request: pytest.FixtureRequest) -> Git:
    if request.param is GitProgram and shutil.which("git") is None:
        pytest.skip("no git program on this machine")
    made: Git = request.param()
    return made


def run(coroutine: Coroutine[object, object, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(30):
            return await coroutine

    return asyncio.run(bounded())


def files_in(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def test_a_checkout_holds_exactly_the_files_of_its_commit(git: Git, tmp_path: Path) -> None:
    async def test() -> None:
        origin, copy = tmp_path / "origin", tmp_path / "copy"
        first = await git.commit(origin, {"app/one.yaml": "1", "two.yaml": "2"}, "first")

        seen_first = await git.checkout(f"file://{origin}", "main", copy)
        first_files = files_in(copy)
        (copy / "left-over.yaml").write_text("not in git")
        second = await git.commit(origin, {"app/one.yaml": "1b", "two.yaml": None, "new/three.yaml": "3"}, "second")
        seen_second = await git.checkout(f"file://{origin}", "main", copy)

        assert (seen_first.sha, seen_first.message) == (first, "first")
        assert first_files == {"app/one.yaml": "1", "two.yaml": "2"}
        assert (seen_second.sha, seen_second.message) == (second, "second")
        assert "argocd-agent demo" in seen_second.author
        assert files_in(copy) == {"app/one.yaml": "1b", "new/three.yaml": "3"}

    run(test())


def test_an_older_commit_can_be_checked_out_by_its_id(git: Git, tmp_path: Path) -> None:
    async def test() -> None:
        origin, copy = tmp_path / "origin", tmp_path / "copy"
        first = await git.commit(origin, {"a.yaml": "old"}, "first")
        await git.commit(origin, {"a.yaml": "new"}, "second")
        await git.checkout(f"file://{origin}", "main", copy)

        seen = await git.checkout(f"file://{origin}", first, copy)

        assert seen.sha == first
        assert files_in(copy) == {"a.yaml": "old"}

    run(test())


@pytest.mark.parametrize("revision", ["HEAD", "main", "refs/heads/main"])
def test_a_name_resolves_to_its_newest_commit(git: Git, tmp_path: Path, revision: str) -> None:
    async def test() -> None:
        origin = tmp_path / "origin"
        await git.commit(origin, {"a.yaml": "old"}, "first")
        newest = await git.commit(origin, {"a.yaml": "new"}, "second")

        assert await git.resolve(f"file://{origin}", revision) == newest

    run(test())


def test_an_unknown_revision_is_named_in_the_failure(git: Git, tmp_path: Path) -> None:
    async def test() -> None:
        origin = tmp_path / "origin"
        await git.commit(origin, {"a.yaml": "old"}, "first")

        with pytest.raises(GitFailed, match="nowhere"):
            await git.resolve(f"file://{origin}", "nowhere")
        with pytest.raises(GitFailed, match="nowhere"):
            await git.checkout(f"file://{origin}", "nowhere", tmp_path / "copy")

    run(test())


def test_a_repository_that_is_not_there_fails_with_a_message(git: Git, tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="absent"):
        run(git.resolve(f"file://{tmp_path}/absent", "main"))


def test_the_git_program_is_preferred_where_there_is_one() -> None:
    found = find_git()

    assert isinstance(found, GitProgram if shutil.which("git") else Dulwich)
