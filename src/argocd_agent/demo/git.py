"""A Git repository to deploy from: what a revision is now, its files in a folder, and a commit of our own.

Two implementations of one seam: the git program, and dulwich where there is none. Every call is bounded in time.
A folder given to `checkout` belongs to this module: it is kept between calls, and holds exactly the revision's files.
The user's Git settings (credentials, proxies) count for reading; commits of ours do not depend on them.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from argocd_agent.errors import ArgocdAgentError

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_SECONDS = 60.0
BRANCH = "main"
AUTHOR = "argocd-agent demo"
EMAIL = "demo@argocd-agent.invalid"
_SHA = re.compile(r"[0-9a-f]{40}")
# Set by git for its hooks; they would send our commands to the wrong repository.
_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")


class GitFailed(ArgocdAgentError):
    """Git could not do it; the message is Git's own last words."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    sha: str
    author: str
    message: str


class Git(Protocol):
    """What the demo needs of Git. All methods raise `GitFailed`."""

    async def commit(self, repository: Path, files: Mapping[str, str | None], message: str) -> str:
        """Write *files* (None removes one) and commit them on branch main; the repository is made if it is not there.
        Returns the commit's id."""
        ...

    async def resolve(self, url: str, revision: str) -> str:
        """The commit id that *revision* (branch, tag, HEAD or a full id) has at *url* now."""
        ...

    async def checkout(self, url: str, revision: str, into: Path) -> Commit:
        """Make the files in *into* those of *revision*, and say which commit that is."""
        ...


def find_git() -> Git:
    """The git program if this machine has it, else dulwich."""
    return GitProgram() if shutil.which("git") else Dulwich()


class GitProgram:
    """Git by its command line."""

    async def commit(self, repository: Path, files: Mapping[str, str | None], message: str) -> str:
        if _is_new(repository):
            await self._own(repository, "init", "--quiet")
            await self._own(repository, "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
        _write(repository, files)
        await self._own(repository, "add", "--all")
        await self._own(repository, "commit", "--quiet", "--allow-empty", "--message", message)
        return (await self._own(repository, "rev-parse", "HEAD")).strip()

    async def resolve(self, url: str, revision: str) -> str:
        if _SHA.fullmatch(revision):
            return revision
        listed = await _git(None, "ls-remote", "--", url, revision, f"{revision}^{{}}")
        refs = {name: sha for sha, _, name in (line.partition("\t") for line in listed.splitlines())}
        return _pick(refs, revision, url)

    async def checkout(self, url: str, revision: str, into: Path) -> Commit:
        if _is_new(into):
            await _git(into, "init", "--quiet")
        await _git(into, "fetch", "--quiet", "--depth", "1", "--force", "--", url, revision)
        await _git(into, "checkout", "--quiet", "--force", "--detach", "FETCH_HEAD")
        await _git(into, "clean", "--quiet", "-ffdx")
        sha, author, message = (await _git(into, "log", "-1", "--format=%H%x00%an <%ae>%x00%B")).split("\0", 2)
        return Commit(sha.strip(), author, message.strip())

    async def _own(self, repository: Path, *arguments: str) -> str:
        """In a repository of ours: nobody's settings, hooks or signing keys."""
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        who = ("-c", f"user.name={AUTHOR}", "-c", f"user.email={EMAIL}")
        return await _git(repository, *who, *arguments, environment=settings)


class Dulwich:
    """Git in Python, for machines without the program. Fetches whole histories: it has no cheap way to one commit."""

    async def commit(self, repository: Path, files: Mapping[str, str | None], message: str) -> str:
        return await _in_thread(self._commit, repository, files, message)

    async def resolve(self, url: str, revision: str) -> str:
        return await _in_thread(self._resolve, url, revision)

    async def checkout(self, url: str, revision: str, into: Path) -> Commit:
        return await _in_thread(self._checkout, url, revision, into)

    @staticmethod
    def _commit(repository: Path, files: Mapping[str, str | None], message: str) -> str:
        from dulwich import porcelain
        from dulwich.repo import Repo

        if _is_new(repository):
            with Repo.init(str(repository)) as made:
                made.refs.set_symbolic_ref(b"HEAD", f"refs/heads/{BRANCH}".encode())
        _write(repository, files)
        with Repo(str(repository)) as repo:
            porcelain.add(repo, [str(repository / name) for name, text in files.items() if text is not None])
            removed = [name for name, text in files.items() if text is None]
            if removed:
                porcelain.remove(repo, [str(repository / name) for name in removed], cached=True)
            who = f"{AUTHOR} <{EMAIL}>".encode()
            made_id = porcelain.commit(repo, message.encode(), author=who, committer=who, sign=False)
        return bytes(made_id).decode()

    @staticmethod
    def _resolve(url: str, revision: str) -> str:
        from dulwich import porcelain

        if _SHA.fullmatch(revision):
            return revision
        found = porcelain.ls_remote(_without_scheme(url)).refs
        refs = {bytes(name).decode(): bytes(sha).decode() for name, sha in found.items() if sha is not None}
        return _pick(refs, revision, url)

    @classmethod
    def _checkout(cls, url: str, revision: str, into: Path) -> Commit:
        from dulwich import porcelain
        from dulwich.repo import Repo

        sha = cls._resolve(url, revision)
        if _is_new(into):
            Repo.init(str(into)).close()
        with Repo(str(into)) as repo, open(os.devnull, "wb") as nowhere:
            porcelain.fetch(repo, _without_scheme(url), outstream=nowhere, errstream=nowhere)
            repo.refs[b"HEAD"] = sha.encode()
            porcelain.reset(repo, "hard", sha)
            porcelain.clean(repo, str(into))
            commit = repo[sha.encode()]
            return Commit(sha, commit.author.decode(errors="replace"), commit.message.decode(errors="replace").strip())


def _without_scheme(url: str) -> str:
    """dulwich reads local repositories by path."""
    return url.removeprefix("file://")


def _is_new(folder: Path) -> bool:
    """Whether *folder*, which is made if need be, is no repository yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return not (folder / ".git").exists()


def _write(repository: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        path = repository / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _pick(refs: Mapping[str, str], revision: str, url: str) -> str:
    """What *revision* means, in Git's own order; an annotated tag is the commit it points to."""
    for name in (revision, f"refs/tags/{revision}", f"refs/heads/{revision}", f"refs/{revision}"):
        found = refs.get(name + "^{}") or refs.get(name)
        if found:
            return found
    raise GitFailed(f"{url}: no branch or tag {revision!r} there")


async def _in_thread(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """dulwich blocks. Its exceptions have no common base, so what a repository can be guilty of is listed."""
    from dulwich.errors import GitProtocolError, NotGitRepository

    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await asyncio.to_thread(call, *arguments, **named)
    except TimeoutError as error:
        raise GitFailed(f"no answer within {TIMEOUT_SECONDS:.0f} seconds") from error
    except (OSError, KeyError, ValueError, GitProtocolError, NotGitRepository) as error:
        raise GitFailed(f"{type(error).__name__}: {error}") from error


async def _git(folder: Path | None, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What git printed. Raises `GitFailed` with what it printed on stderr, or when it takes too long."""
    inherited = {name: value for name, value in os.environ.items() if name not in _PLACES}
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=folder,
        env=inherited | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | dict(environment or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    command = next((word for word in arguments if not word.startswith("-") and "=" not in word), "")
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise GitFailed(f"git {command}: no answer within {TIMEOUT_SECONDS:.0f} seconds") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # closes its pipes too
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"]
        said = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
        raise GitFailed(f"git {command}: {said.partition(': ')[2] or said}")
    return output.decode(errors="replace")
