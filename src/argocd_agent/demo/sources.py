"""Application → the manifests that its source wants, from Git, kept until somebody says that Git has moved.

One checkout per repository, in a folder of ours; one rendering per application. Both are bounded by the number of
applications. Not for two tasks at once: checkouts share their folder.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from argocd_agent.codec import encode
from argocd_agent.demo.git import Commit, Git
from argocd_agent.demo.model import Application, Manifest, Source, manifests_of
from argocd_agent.demo.render import render


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a source held at a commit. `type` is Argo CD's word for how it is written."""

    commit: Commit
    type: str
    manifests: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    source: Source
    made_from: bytes
    wanted: Wanted


class Sources:
    """The wanted state of applications. All methods raise `GitFailed` or `Unsupported`."""

    def __init__(self, git: Git, folder: Path) -> None:
        self._git, self._folder = git, folder
        self._held: dict[str, _Held] = {}

    async def wanted(self, app: Application, *, fresh: bool) -> Wanted:
        """What *app* wants now. What is held serves unless the source has changed or *fresh* is asked for."""
        made_from = encode((app.source, app.spec.destination.namespace))
        held = self._held.get(app.name)
        if held is None or held.made_from != made_from or fresh:
            wanted = await self.wanted_at(app, app.source.target_revision or "HEAD")
            held = self._held[app.name] = _Held(app.source, made_from, wanted)
        return held.wanted

    async def wanted_at(self, app: Application, revision: str) -> Wanted:
        """What *app* would want at *revision* of its repository."""
        source, namespace = app.source, app.spec.destination.namespace
        folder = self._folder / hashlib.sha256(source.repo_url.encode()).hexdigest()[:16]
        commit = await self._git.checkout(source.repo_url, revision, folder)
        rendered = await render(folder, source, app.name, namespace)
        return Wanted(commit, rendered.type, manifests_of(rendered.documents, app.name, namespace))

    async def moved(self) -> list[str]:
        """The applications whose revision is another commit by now. Asks each repository once per revision."""
        now: dict[tuple[str, str], str] = {}
        found: list[str] = []
        for name, held in list(self._held.items()):
            place = (held.source.repo_url, held.source.target_revision or "HEAD")
            if place not in now:
                now[place] = await self._git.resolve(*place)
            if now[place] != held.wanted.commit.sha:
                found.append(name)
        return found

    def forget(self, name: str) -> None:
        """The application is gone."""
        self._held.pop(name, None)
