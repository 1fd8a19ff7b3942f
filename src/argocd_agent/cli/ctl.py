"""`argocd-agentctl`: sets up hub and spokes, through their Kubernetes APIs only.

The commands' arguments are taken apart here; what they do is in `commands`. The principal need not run.
"""

import sys
from datetime import UTC, datetime

import click

from argocd_agent.cli import exits
from argocd_agent.cli.commands import agents, deletions, jwt, pki
from argocd_agent.cli.commands.version import facts
from argocd_agent.cli.groups import Group
from argocd_agent.cli.output import output_option, rendered
from argocd_agent.cli.places import VARIABLES, KubernetesPlaces, Place, Wanted
from argocd_agent.cli.session import (
    Session,
    key_options,
    name_options,
    need_contexts,
    on_both,
    on_hub,
    options_from,
    split,
    timeout_option,
    upsert_option,
)
from argocd_agent.errors import ConfigError
from argocd_agent.pki.certificates import CA_DAYS, LEAF_DAYS
from argocd_agent.protocol.brake import Order
from argocd_agent.protocol.names import SECRET_PRINCIPAL_TLS, SECRET_RESOURCE_PROXY_TLS
from argocd_agent.settings.load import environment

NAME = "argocd-agentctl"
HELP = """Set up argocd-agent: keys, certificates and agents.

A context that is not named is the kubeconfig's current one; a namespace that is not named is the context's own, or
argocd. What was chosen stands on stderr.
"""
RESOURCE_PROXY = "argocd-agent-resource-proxy:9090"


def main() -> None:
    """Entry point of the command `argocd-agentctl`."""
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str], session: Session | None = None) -> int:
    """Run one command; the exit status. *session* takes the place of the clusters that flags would name."""
    return exits.run(ctl, argv, NAME, obj=session)


@click.group(NAME, cls=Group, no_args_is_help=True, help=HELP)
@click.option("--principal-context", help=f"kubeconfig context of the hub.  [{VARIABLES[0]}]")
@click.option("--principal-namespace", help=f"The principal's namespace there.  [{VARIABLES[1]}]")
@click.option("--agent-context", help=f"kubeconfig context of the spoke.  [{VARIABLES[2]}]")
@click.option("--agent-namespace", help=f"The agent's namespace there.  [{VARIABLES[3]}]")
@click.pass_context
def ctl(ctx: click.Context, /, **given: str | None) -> None:
    """Take the flags that all commands share; a flag beats its variable."""
    if ctx.obj is None:
        environ = environment()
        names = ("principal_context", "principal_namespace", "agent_context", "agent_namespace")
        chosen = [
            environ.get(variable, "") if (value := given[name]) is None else value
            for name, variable in zip(names, VARIABLES, strict=True)
        ]
        places = KubernetesPlaces(Wanted(*chosen[:2]), Wanted(*chosen[2:]), environ)
        ctx.obj = Session(places, lambda: datetime.now(UTC))


@ctl.group("pki", cls=Group, no_args_is_help=True)
def pki_group() -> None:
    """Keep a small CA on the hub and issue certificates."""


@ctl.group("jwt", cls=Group, no_args_is_help=True)
def jwt_group() -> None:
    """Look after the key that signs tokens."""


@ctl.group("agent", cls=Group, no_args_is_help=True)
def agent_group() -> None:
    """Tell the hub about agents."""


@ctl.group("deletions", cls=Group, no_args_is_help=True)
def deletions_group() -> None:
    """See, release or discard the deletions that agents hold because they were too many."""


@ctl.command("version")
@click.option("-i", "--indent", is_flag=True, help="Over several lines.")
def version_command(indent: bool) -> None:
    """Say which version this is, in JSON."""
    import json

    click.echo(json.dumps(facts(NAME), indent=2 if indent else None))


@pki_group.command("init")
@click.option("-f", "--force", is_flag=True, help="Replace a CA; what it has signed is then no longer trusted.")
@key_options(CA_DAYS)
@click.pass_obj
def pki_init(session: Session, force: bool, key_algorithm: str, key_size: int, days: int) -> None:
    """Make a CA and keep it on the hub."""
    options = options_from(key_algorithm, key_size, days)
    click.echo(on_hub(session, lambda hub: pki.make_ca(hub, options, session.now(), force=force)))


@pki_group.command("inspect")
@click.option("-f", "--full", is_flag=True, hidden=True)
@click.pass_obj
def pki_inspect(session: Session, full: bool, style: str) -> None:
    """Show the CA and what it has issued on the hub."""
    click.echo(rendered(on_hub(session, pki.inspect), style.lower()), nl=False)


@pki_group.command("propagate")
@click.option("-f", "--force", is_flag=True, help="Replace another CA's certificate.")
@click.pass_obj
def pki_propagate(session: Session, force: bool) -> None:
    """Copy the CA's certificate, without its key, to a spoke."""
    need_contexts(session.places, may_be_same=False)
    click.echo(on_both(session, "", lambda hub, spoke: pki.propagate(hub, spoke, force=force)))


@pki_group.group("issue", cls=Group, no_args_is_help=True)
def issue_group() -> None:
    """Issue a certificate."""


@issue_group.command("principal")
@name_options(("127.0.0.1",), ("localhost",))
@upsert_option
@key_options(LEAF_DAYS)
@click.pass_obj
def issue_principal(
    session: Session,
    ip: tuple[str, ...],
    dns: tuple[str, ...],
    upsert: bool,
    key_algorithm: str,
    key_size: int,
    days: int,
) -> None:
    """Issue the principal's certificate; name what agents dial with --ip and --dns."""
    options = options_from(key_algorithm, key_size, days)
    click.echo(
        on_hub(
            session,
            lambda hub: pki.issue_server(
                hub, pki.PRINCIPAL_NAME, SECRET_PRINCIPAL_TLS, options, session.now(),
                ips=split(ip), dns=split(dns), upsert=upsert,
            ),
        )
    )  # fmt: skip


@issue_group.command("resource-proxy")
@name_options((), ())
@click.option("--no-san", is_flag=True, help="Issue it without any name.")
@upsert_option
@key_options(LEAF_DAYS)
@click.pass_obj
def issue_resource_proxy(
    session: Session,
    ip: tuple[str, ...],
    dns: tuple[str, ...],
    no_san: bool,
    upsert: bool,
    key_algorithm: str,
    key_size: int,
    days: int,
) -> None:
    """Issue the resource proxy's certificate."""
    options = options_from(key_algorithm, key_size, days)
    if not (ip or dns or no_san):
        raise ConfigError("--ip or --dns must name what Argo CD dials; --no-san issues a certificate without a name")
    click.echo(
        on_hub(
            session,
            lambda hub: pki.issue_server(
                hub, pki.RESOURCE_PROXY_NAME, SECRET_RESOURCE_PROXY_TLS, options, session.now(),
                ips=split(ip), dns=split(dns), upsert=upsert,
            ),
        )
    )  # fmt: skip


@issue_group.command("agent")
@click.argument("agent_name")
@click.option("--same-context", is_flag=True, help="Hub and spoke are one cluster.")
@click.option("--agent-namespace", default="", help="The agent's namespace. Empty: as the flag of all commands says.")
@upsert_option
@key_options(LEAF_DAYS)
@click.pass_obj
def issue_agent(
    session: Session,
    agent_name: str,
    same_context: bool,
    agent_namespace: str,
    upsert: bool,
    key_algorithm: str,
    key_size: int,
    days: int,
) -> None:
    """Issue an agent's client certificate on its spoke, with the CA's certificate."""
    options, name = options_from(key_algorithm, key_size, days), agents.check_name(agent_name)
    need_contexts(session.places, may_be_same=same_context, hint=": --same-context allows that")
    click.echo(
        on_both(
            session,
            agent_namespace,
            lambda hub, spoke: pki.issue_agent(hub, spoke, name, options, session.now(), upsert=upsert),
        )
    )


@jwt_group.command("create-key")
@click.option("-u", "--upsert", "-f", "--force", "upsert", is_flag=True, help="Replace the key that is there.")
@click.pass_obj
def jwt_create_key(session: Session, upsert: bool) -> None:
    """Make the key that signs tokens, and keep it on the hub."""
    click.echo(on_hub(session, lambda hub: jwt.create_key(hub, upsert=upsert)))


@jwt_group.command("inspect-key")
@click.pass_obj
def jwt_inspect_key(session: Session, style: str) -> None:
    """Show what is known about that key."""
    click.echo(rendered(on_hub(session, jwt.inspect_key), style.lower()), nl=False)


@agent_group.command("create")
@click.argument("agent_name")
@click.option("--resource-proxy-server", default=RESOURCE_PROXY, show_default=True,
              help="host:port at which Argo CD reaches the resource proxy.")  # fmt: skip
@click.option("-l", "--label", multiple=True, help="key=value for the cluster Secret; repeat it or use commas.")
@click.option("--tls-from-secret", default="", help="[namespace/]name of a Secret with tls.crt and tls.key to use.")
@click.option("--ca-from-secret", default="", help="[namespace/]name of a Secret with ca.crt to use.")
@key_options(LEAF_DAYS)
@click.pass_context
def agent_create(
    ctx: click.Context,
    agent_name: str,
    resource_proxy_server: str,
    label: tuple[str, ...],
    tls_from_secret: str,
    ca_from_secret: str,
    key_algorithm: str,
    key_size: int,
    days: int,
) -> None:
    """Make an agent known to the hub, as a cluster Secret of Argo CD."""
    if bool(tls_from_secret) != bool(ca_from_secret):
        raise ConfigError("--tls-from-secret and --ca-from-secret: give both or neither")
    if tls_from_secret:
        for name in ("key_algorithm", "key_size", "days"):
            if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise ConfigError(f"--{name.replace('_', '-')} is for issued certificates, not for --tls-from-secret")
    session: Session = ctx.obj
    options, labels = options_from(key_algorithm, key_size, days), agents.parse_labels(label)
    agents.server_address(resource_proxy_server)
    name = agents.check_name(agent_name)

    async def create(hub: Place) -> str:
        await agents.refuse_known(hub, name)
        if tls_from_secret:
            material = await agents.given_material(hub, tls_from_secret, ca_from_secret)
        else:
            material = await agents.issued_material(hub, name, options, session.now())
        return await agents.create(hub, name, resource_proxy_server, labels, material)

    click.echo(on_hub(session, create))


@agent_group.command("list")
@click.option("-l", "--label", multiple=True, help="Further terms of a label selector; repeat it or use commas.")
@click.pass_obj
def agent_list(session: Session, label: tuple[str, ...]) -> int:
    """List the agents that the hub knows."""
    found = on_hub(session, lambda hub: agents.names(hub, label))
    if not found:
        click.echo("no agents found", err=True)
        return exits.FAILED
    click.echo("\n".join(found))
    return 0


@agent_group.command("inspect")
@click.argument("agent_name")
@click.pass_obj
def agent_inspect(session: Session, agent_name: str, style: str) -> None:
    """Show what the hub's cluster Secret of an agent holds. Its certificate is Argo CD's toward the resource proxy,
    not the one that the agent shows to the principal."""
    click.echo(rendered(on_hub(session, lambda hub: agents.inspect(hub, agent_name)), style.lower()), nl=False)


@agent_group.command("print-tls")
@click.argument("agent_name")
@click.option("-t", "--type", "part", type=click.Choice(["cert", "key", "ca"], case_sensitive=False), default="cert",
              show_default=True, help="Which of the three.")  # fmt: skip
@click.pass_obj
def agent_print_tls(session: Session, agent_name: str, part: str) -> None:
    """Print a PEM text out of an agent's cluster Secret."""
    click.echo(on_hub(session, lambda hub: agents.tls_part(hub, agent_name, part.lower())), nl=False)


@deletions_group.command("list")
@click.argument("agent_name", default="")
@click.pass_obj
def deletions_list(session: Session, agent_name: str, style: str) -> None:
    """Show what each agent holds, or AGENT_NAME alone. At most 100 of an agent's deletions are named."""
    found = on_hub(session, lambda hub: deletions.listing(hub, agent_name))
    if found or style.lower() != "text":
        click.echo(rendered(found, style.lower()), nl=False)
    else:
        click.echo("no deletions are held", err=True)


@deletions_group.command("release")
@click.argument("agent_name")
@timeout_option
@click.pass_obj
def deletions_release(session: Session, agent_name: str, timeout: float) -> None:
    """Let an agent carry out all the deletions that it holds."""
    click.echo(on_hub(session, lambda hub: deletions.give(hub, agent_name, Order.RELEASE, timeout)))


@deletions_group.command("discard")
@click.argument("agent_name")
@timeout_option
@click.pass_obj
def deletions_discard(session: Session, agent_name: str, timeout: float) -> None:
    """Let an agent keep all the objects whose deletions it holds. They are then no longer the hub's."""
    click.echo(on_hub(session, lambda hub: deletions.give(hub, agent_name, Order.DISCARD, timeout)))


_STYLES = ((pki_inspect, "text"), (jwt_inspect_key, "text"), (agent_inspect, "json"), (deletions_list, "text"))
for _command, _default in _STYLES:
    _command.params.append(output_option(_default))
