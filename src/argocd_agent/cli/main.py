"""`argocd-agent principal | agent | version | demo`: the programs."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import click

from argocd_agent.cli import exits, flags
from argocd_agent.cli.commands.version import version_text
from argocd_agent.cli.groups import Group
from argocd_agent.cli.output import output_option
from argocd_agent.settings.declare import Declaration, declarations
from argocd_agent.settings.load import environment, load
from argocd_agent.settings.program import ProgramConfig

NAME = "argocd-agent"


def main() -> None:
    """Entry point of the command `argocd-agent`."""
    sys.exit(exits.run(Programs(NAME, help="Argo CD across many clusters."), sys.argv[1:], NAME))


class Programs(Group):
    """The sub-commands. One is made only when it is asked for, so that an agent does not hold the hub's modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of `--help`."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called *cmd_name*, None if there is none."""
        make = _COMMANDS.get(cmd_name)
        return None if make is None else make()


def _principal() -> click.Command:
    from argocd_agent.principal.config import PrincipalConfig, notices

    declared = declarations(PrincipalConfig)

    def run(**values: object) -> None:
        given = flags.given(declared, values)
        if _lists_suites(declared, given):
            return
        loaded = load(PrincipalConfig, given, environment(), _all_variables)
        _warn(loaded.notices)
        _quieten(loaded.config)
        from argocd_agent.transport.tlsfloor import hold

        if not loaded.config.insecure_plaintext:
            hold(loaded.config.tls_minimum, suites=loaded.config.tls_ciphers)  # before anything imports grpc
        from argocd_agent.cli.programs import run_program, save_memory

        save_memory()
        from argocd_agent.principal.run import run_principal

        run_program(loaded.config, notices(loaded.config), lambda stop: run_principal(loaded.config, stop))

    help_text = "Run the hub's side, beside Argo CD."
    return click.Command("principal", callback=run, params=flags.options(declared), help=help_text)


def _agent() -> click.Command:
    from argocd_agent.agent.config import AgentConfig, notices

    declared = declarations(AgentConfig)

    def run(**values: object) -> None:
        given = flags.given(declared, values)
        if _lists_suites(declared, given):
            return
        loaded = load(AgentConfig, given, environment(), _all_variables)
        _warn(loaded.notices)
        _quieten(loaded.config)
        from argocd_agent.agent.run import run_agent
        from argocd_agent.cli.programs import run_program

        run_program(loaded.config, notices(loaded.config), lambda stop: run_agent(loaded.config, stop))

    help_text = "Run the spoke's side, on a workload cluster."
    return click.Command("agent", callback=run, params=flags.options(declared), help=help_text)


def _quieten(config: ProgramConfig) -> None:
    from argocd_agent.settings.loglevels import Level
    from argocd_agent.transport.corelog import silence

    if config.log_levels.general > Level.DEBUG:
        silence()


def _version() -> click.Command:
    def run(short: bool, style: str) -> None:
        click.echo(version_text(NAME, style.lower(), short=short), nl=False)

    params: list[click.Parameter] = [
        click.Option(["-s", "--short"], is_flag=True, help="Only the number."),
        output_option("text"),
    ]
    return click.Command("version", callback=run, params=params, help="Say which version this is.")


def _demo() -> click.Command:
    def run(serve: bool, repo: str, path: str, revision: str) -> int:
        from argocd_agent.demo.tour import DemoOptions, main

        return main(DemoOptions(serve=serve, repo=repo, path=path, revision=revision))

    params: list[click.Parameter] = [
        click.Option(["--serve"], is_flag=True, help="Keep everything running afterwards, and say how to look at it."),
        click.Option(["--repo"], default="", metavar="URL", help="Git repository to deploy instead of our own."),
        click.Option(["--path"], default="", metavar="PATH", help="Folder in that repository."),
        click.Option(["--revision"], default="", metavar="REVISION", help="Branch, tag or commit of it."),
    ]
    return click.Command("demo", callback=run, params=params, help="Show it all on this machine, without a cluster.")


_COMMANDS: Mapping[str, Callable[[], click.Command]] = {
    "principal": _principal,
    "agent": _agent,
    "version": _version,
    "demo": _demo,
}


def _lists_suites(declared: Sequence[Declaration], given: Mapping[str, Sequence[str]]) -> bool:
    """Whether `--tls-ciphersuites=list` asked for the names, which are then printed."""
    from argocd_agent.pki.tls import CIPHER_SUITES

    setting = next(one for one in declared if one.flag == "--tls-ciphersuites")
    asked = given.get(setting.flag) or [environment().get(setting.variable, "")]
    if [text.strip() for text in asked] != ["list"]:
        return False
    for suite in CIPHER_SUITES:
        click.echo(f"{suite.name}  {', '.join(suite.versions)}")
    return True


def _all_variables() -> Collection[str]:
    """Every variable that any of our programs knows; imports the configuration of the other program."""
    from argocd_agent.agent.config import AgentConfig
    from argocd_agent.cli.places import VARIABLES
    from argocd_agent.principal.config import PrincipalConfig

    both = (*declarations(PrincipalConfig), *declarations(AgentConfig))
    return {*VARIABLES, *(one.variable for one in both)}


def _warn(notices: Iterable[str]) -> None:
    for notice in notices:
        exits.warn(notice)
