"""How a command ends: what stands on stderr, and the exit status.

0 for success; 1 for everything that went wrong, with one line `[FATAL]: …`; 130 or 143 when a second signal ended a
program that was stopping. Usage errors print the usage first.
"""

from collections.abc import Iterable, Sequence

import click

from argocd_agent.errors import ArgocdAgentError, ConfigError
from argocd_agent.settings.suggest import unknown

FAILED = 1


def run(command: click.Command, argv: Sequence[str], name: str, obj: object = None) -> int:
    """Run *command* with *argv*; the exit status. Errors of ours and wrong usage become text on stderr."""
    try:
        status = command.main(list(argv), prog_name=name, standalone_mode=False, obj=obj)
    except click.NoSuchOption as error:
        return _usage(error, unknown("flag", error.option_name, _flags(error.ctx)))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return FAILED
    except click.UsageError as error:
        return _usage(error, error.format_message())
    except click.Abort:
        return fatal("interrupted")
    except (ArgocdAgentError, BaseExceptionGroup) as error:
        return fatal(explain(error))
    return status if isinstance(status, int) else 0


def fatal(message: str) -> int:
    """Say why it ends; the status to end with."""
    click.echo(f"[FATAL]: {message}", err=True)
    return FAILED


def warn(message: str) -> None:
    """Say what a user may want to know, on stderr."""
    click.echo(f"[WARN]: {message}", err=True)


def explain(error: BaseException) -> str:
    """*error* and its notes in one line; of several, the one that a user can do something about. Raises it again when
    it is none of ours, since a bug needs its traceback."""
    found = list(_leaves(error))
    ours = [one for one in found if isinstance(one, ArgocdAgentError)]
    if not ours:
        raise error
    chosen = next((one for one in ours if isinstance(one, ConfigError)), ours[0])
    return "; ".join([str(chosen), *getattr(chosen, "__notes__", ())])


def _leaves(error: BaseException) -> Iterable[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _usage(error: click.UsageError, message: str) -> int:
    if error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
    return fatal(message)


def _flags(ctx: click.Context | None) -> list[str]:
    return [] if ctx is None else [flag for one in ctx.command.params for flag in one.opts if flag.startswith("--")]
