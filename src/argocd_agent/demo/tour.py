"""`argocd-agent demo`: a walk through what the programs do, on programs that really run. Start reading here.

`main` sets up a world (`world`) in a temporary folder, walks (`walk`) and tells what it saw (`screen`), and leaves
nothing behind: no process, no file. The exit status is 0 only if everything was seen. With `serve` the world stays up
after the walk until a signal comes. The first signal ends the demo in order; others are ignored meanwhile.
"""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from argocd_agent.demo.git import find_git
from argocd_agent.demo.programs import ProgramFailed, Programs
from argocd_agent.demo.repository import Repository, our_repository, users_repository
from argocd_agent.demo.sample import DESTINATION_NAMESPACE, NAME
from argocd_agent.demo.screen import Screen, clock
from argocd_agent.demo.setup import NAMESPACE
from argocd_agent.demo.walk import AGENTS, Walk
from argocd_agent.demo.world import World, a_world
from argocd_agent.errors import ArgocdAgentError
from argocd_agent.protocol.names import ANNOTATION_REFRESH, CONFIGMAP_CONNECTIONS

FAILED = 1


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the user asked for. Without `repo` the demo makes a repository of its own; path and revision are for it."""

    serve: bool = False
    repo: str = ""
    path: str = ""
    revision: str = ""


def main(options: DemoOptions) -> int:
    """Run the demo; the exit status: 0, 1 when something was not seen, 128 + the signal's number when interrupted."""
    folder = Path(tempfile.mkdtemp(prefix="argocd-agent-demo-"))
    try:
        return asyncio.run(_demo(options, folder, Screen(Console(highlight=False))))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _demo(options: DemoOptions, folder: Path, screen: Screen) -> int:
    tour = _Tour(options, folder, screen)
    with _until_signal() as told:
        try:
            return await _or_failure(tour)
        except asyncio.CancelledError:
            if not told:
                raise
            screen.note("Stopped; every program has ended.")
            return 0 if tour.is_serving else 128 + told[0]


async def _or_failure(tour: "_Tour") -> int:
    try:
        await tour.run()
    except* ArgocdAgentError as group:
        tour.tell_failure(_first(group))
        status = FAILED
    else:
        status = 0
    return status  # not from within `except*`, where Python forbids it


class _Tour:
    """One run of the demo, with its files in *folder*."""

    def __init__(self, options: DemoOptions, folder: Path, screen: Screen) -> None:
        self._options, self._folder, self._screen = options, folder, screen
        self._programs = Programs(folder / "logs")
        self._walk: Walk | None = None
        self.is_serving = False

    async def run(self) -> None:
        """Everything, in order. Raises what goes wrong, after every program has ended."""
        screen = self._screen
        screen.title("argocd-agent: a hub, two spokes, one tour")
        repository = await self._repository()
        started = clock()
        async with AsyncExitStack() as stack:
            with screen.busy() as tell:
                world = await stack.enter_async_context(a_world(self._folder, self._programs, AGENTS, tell))
            up = f"A hub and the spokes {' and '.join(AGENTS)} are up after {clock() - started:.1f} s"
            screen.note(f"{up}: {world.programs.count} programs, gRPC with mutual TLS between them.")
            self._walk = Walk(world, repository, screen)
            await self._walk.all_steps()
            screen.summary()
            if self._options.serve:
                await self._serve(world, self._walk)

    async def _repository(self) -> Repository:
        options, git = self._options, find_git()
        if options.repo:
            users = users_repository(git, options.repo, options.path, options.revision)
            await users.resolve()  # a wrong URL or revision is told before anything is started
            return users
        return await our_repository(git, self._folder / "repository")

    async def _serve(self, world: World, walk: Walk) -> None:
        """Put the Applications back, say how to look at them, and stay until a signal comes."""
        self.is_serving = True
        await walk.put_applications()
        for line in guide(world, walk.repository, self._folder):
            self._screen.note(line)
        await asyncio.Event().wait()

    def tell_failure(self, error: ArgocdAgentError) -> None:
        """The error, and the last words of the programs that it may come from."""
        concerned = self._walk.concerned if self._walk is not None else ()
        names = (error.name,) if isinstance(error, ProgramFailed) else concerned
        self._screen.failed(str(error), [(name, self._programs.last_words(name)) for name in names])


def guide(world: World, repository: Repository, folder: Path) -> list[str]:
    """What to try while everything is up, in commands to copy."""
    hub, spoke = world.hub.kubeconfig, world.spokes[AGENTS[0]].kubeconfig
    agent = AGENTS[0]
    on_hub, on_spoke = f"kubectl --kubeconfig {hub}", f"kubectl --kubeconfig {spoke} -n {DESTINATION_NAMESPACE}"
    commands = [
        ("the hub's view", f"{on_hub} get applications -A --watch"),
        ("who is connected", f"{on_hub} -n {NAMESPACE} get configmap {CONFIGMAP_CONNECTIONS} -o yaml"),
        (f"what runs on {agent}", f"{on_spoke} get all,configmaps"),
        ("drift, and how it is healed", f"{on_spoke} delete service {NAME}"),
        ("ask for a refresh", f"{on_hub} -n {agent} annotate application {NAME} {ANNOTATION_REFRESH}=normal"),
        ("delete, with everything", f"{on_hub} -n {agent} delete application {NAME}"),
    ]
    if repository.folder is not None:
        commands.insert(3, ("the repository, to commit to", f"cd {repository.folder}"))
    lines = ["", "Everything stays up until Ctrl-C. The Applications are back; try:", ""]
    for what, command in commands:
        lines += [f"# {what}", command]
    kubeconfigs = [f"{side.name}: {side.kubeconfig}" for side in (world.hub, *world.spokes.values())]
    return [*lines, "", "kubeconfigs   " + "   ".join(kubeconfigs), f"logs          {folder / 'logs'}"]


def _first(group: BaseExceptionGroup[ArgocdAgentError]) -> ArgocdAgentError:
    """The error to tell: that of a program, if one ended, since the others follow from it."""
    found = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    return next((error for error in found if isinstance(error, ProgramFailed)), found[0])


@contextmanager
def _until_signal() -> Iterator[list[int]]:
    """The body is cancelled by the first SIGINT or SIGTERM, which is then in the list."""
    told: list[int] = []
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def cancel(number: int) -> None:
        if not told and task is not None:
            task.cancel()
        told.append(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, cancel, number)
    try:
        yield told
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
