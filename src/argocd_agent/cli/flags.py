"""Command-line options made from the declarations of settings, so that `--help` cannot disagree with them.

Values stay texts here; `settings.load` parses them, and the syntax is Go's: `--flag`, `--flag=false`, `--port=0x1f90`.
"""

from collections.abc import Mapping, Sequence

import click

from argocd_agent.settings.declare import Declaration, Served


def options(declared: Sequence[Declaration]) -> list[click.Parameter]:
    """One option for each setting that has a flag, by name."""
    return [_option(one) for one in sorted(declared, key=lambda one: one.flag) if one.flag]


def given(declared: Sequence[Declaration], values: Mapping[str, object]) -> dict[str, Sequence[str]]:
    """What stood on the command line, by flag; *values* are click's, by field."""
    found: dict[str, Sequence[str]] = {}
    for one in declared:
        texts = values.get(one.field)
        if one.flag and isinstance(texts, tuple) and texts:
            found[one.flag] = texts
    return found


def _option(one: Declaration) -> click.Option:
    names = [name for name in (one.short, one.flag, one.field) if name]
    return click.Option(
        names,
        type=click.STRING,
        multiple=True,
        is_flag=False,
        flag_value="true" if one.value.is_switch else None,
        metavar=f"[{one.value.metavar}]" if one.value.is_switch else one.value.metavar.upper(),
        help=_help(one),
    )


def _help(one: Declaration) -> str:
    facts = [f"default: {one.default_text or 'empty'}"]
    facts += [one.variable] if one.variable else []
    later = "Not served by this version. " if one.served is Served.NOT_YET else ""
    return f"{later}{one.help}  [{'; '.join(facts)}]"
