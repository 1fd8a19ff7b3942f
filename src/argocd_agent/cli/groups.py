"""Groups of commands that know second names, and what was nearly typed."""

import click

from argocd_agent.settings.suggest import nearest

ALIASES = {"agents": "agent", "show": "inspect", "dump-tls": "print-tls", "new-cert": "issue"}


class Group(click.Group):
    """As click's, with second names and suggestions."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called *cmd_name*, or so by a second name."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, ALIASES.get(cmd_name, ""))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; a command that nobody knows is a usage error with the nearest name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            suggestion = nearest(args[0], self.list_commands(ctx))
            ctx.fail(f"unknown command {args[0]}" + (f": did you mean {suggestion}?" if suggestion else ""))
        return super().resolve_command(ctx, args)
