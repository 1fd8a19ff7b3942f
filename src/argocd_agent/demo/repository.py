"""The repository that the demo deploys from: one that it makes itself and commits to, or one of the user's."""

from dataclasses import dataclass
from pathlib import Path

from argocd_agent.demo.git import BRANCH, Git
from argocd_agent.demo.sample import PATH, files
from argocd_agent.errors import LocalProtocolError

_GREETINGS = ("hello", "good morning", "still here", "good night")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where to deploy from. `folder` is where we commit; None for the user's, which we only read."""

    git: Git
    url: str
    path: str
    revision: str
    folder: Path | None

    @property
    def is_ours(self) -> bool:
        """Whether we may commit."""
        return self.folder is not None

    async def commit(self, version: int) -> str:
        """Commit the sample's *version* (from 1) in a repository of ours; the commit's id."""
        if self.folder is None:
            raise LocalProtocolError(f"{self.url} is not ours to commit to")
        greeting = _GREETINGS[(version - 1) % len(_GREETINGS)]
        return await self.git.commit(self.folder, files(version, greeting), f"version {version}: {greeting}")

    async def resolve(self) -> str:
        """The commit that the revision is now. Raises `GitFailed`, so that a wrong URL is told before anything runs."""
        return await self.git.resolve(self.url, self.revision)


async def our_repository(git: Git, folder: Path) -> Repository:
    """A new repository in *folder*, with the sample's first version."""
    made = Repository(git, f"file://{folder}", PATH, BRANCH, folder)
    await made.commit(1)
    return made


def users_repository(git: Git, url: str, path: str, revision: str) -> Repository:
    """The user's; the whole of it and its newest commit unless told otherwise."""
    return Repository(git, url, path or ".", revision or "HEAD", None)
