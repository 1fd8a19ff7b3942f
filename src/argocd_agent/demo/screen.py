"""What a person sees: steps, what is being waited for, what was seen and after how long.

On a terminal the wait is live, with its seconds; elsewhere each line comes when it is true. Plain text either way.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that came true."""

    step: str
    what: str
    seconds: float


@dataclass(slots=True)
class Screen:
    """Writes to *console*, and keeps what was seen for the summary."""

    console: Console
    seen: list[Seen] = field(default_factory=list)
    _step: str = ""

    def title(self, text: str) -> None:
        """A heading above everything."""
        self.console.rule(f"[bold]{escape(text)}")

    def step(self, title: str, story: str) -> None:
        """A new step of the tour, and in a sentence what happens in it."""
        self._step = title
        self.console.print(f"\n[bold cyan]{escape(title)}[/]")
        self.console.print(f"  {escape(story)}", style="dim", soft_wrap=True)

    def note(self, text: str) -> None:
        """A sentence in between."""
        self.console.print(f"  {escape(text)}", soft_wrap=True)

    async def see(self, awaited: Mapping[str, Awaitable[object]], *, since: float | None = None) -> None:
        """Wait for all of *awaited*, by what each of them is; times count from *since* (`clock()`), or from here.
        Raises the first failure, in a group."""
        started = clock() if since is None else since
        with self._live() as progress:
            async with asyncio.TaskGroup() as tasks:
                for what, coming in awaited.items():
                    tasks.create_task(self._see_one(progress, what, coming, started), name=what)

    @contextmanager
    def busy(self) -> Iterator[Callable[[str], None]]:
        """While the body runs, show what it says it is doing; nothing is kept of it."""
        with self._live() as progress:
            shown = progress.add_task("", total=None)

            def tell(what: str) -> None:
                progress.update(shown, description=escape(what))
                if not self.console.is_terminal:
                    self.note(what)

            yield tell

    def failed(self, message: str, words: Sequence[tuple[str, Sequence[str]]]) -> None:
        """What went wrong, and the last words of the programs concerned."""
        self.console.print(f"\n[bold red]✗[/] {escape(message)}", soft_wrap=True)
        for name, lines in words:
            self.console.print(f"\n[bold]last lines of {escape(name)}[/]")
            for line in lines:
                self.console.print(f"  {escape(line)}", style="dim", soft_wrap=True)

    def summary(self) -> None:
        """The table of what was seen."""
        table = Table(title="What was seen", title_justify="left", title_style="bold")
        table.add_column("Step")
        table.add_column("Seen")
        table.add_column("Took", justify="right")
        last = ""
        for seen in self.seen:
            if seen.step != last:
                table.add_section()
            table.add_row("" if seen.step == last else seen.step, seen.what, f"{seen.seconds:.2f} s")
            last = seen.step
        self.console.print()
        self.console.print(table)

    async def _see_one(self, progress: Progress, what: str, coming: Awaitable[object], started: float) -> None:
        shown = progress.add_task(escape(what), total=None)
        await coming
        seconds = clock() - started
        progress.remove_task(shown)
        self.seen.append(Seen(self._step, what, seconds))
        self.console.print(f"  [green]✓[/] {escape(what)} [dim]{seconds:.2f} s[/]", soft_wrap=True)

    def _live(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("[dim]{task.elapsed:.1f} s"))
        return Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)


def clock() -> float:
    """Seconds, for differences."""
    return time.perf_counter()
