"""Results on stdout: JSON (one space of indent, as the reference), YAML, or aligned text."""

import json
from collections.abc import Mapping
from typing import TypeVar

import click

FORMATS = ("json", "yaml", "text")

Record = Mapping[str, object]
Command = TypeVar("Command", bound=click.Command)


def output_option(default: str) -> click.Option:
    """`-o json|yaml|text`."""
    return click.Option(
        ["-o", "--output", "style"],
        type=click.Choice(FORMATS, case_sensitive=False),
        default=default,
        show_default=True,
        help="Format of the result.",
    )


def rendered(record: Record, style: str, indent: int = 1) -> str:
    """*record* in *style*, with a line end."""
    if style == "json":
        return json.dumps(record, indent=indent, ensure_ascii=False) + "\n"
    if style == "yaml":
        import yaml  # 5 MiB that only this format needs

        return yaml.safe_dump(_plain(record), sort_keys=False, allow_unicode=True)
    return _text(record, "")


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _text(record: Record, margin: str) -> str:
    width = max((len(name) for name in record), default=0) + 2
    lines = []
    for name, value in record.items():
        label = name[:1].upper() + name[1:] + ":"
        if isinstance(value, Mapping):
            lines.append(f"{margin}{label}\n{_text(value, margin + '  ')}")
        else:
            shown = ", ".join(str(one) for one in value) if isinstance(value, tuple | list) else str(value)
            lines.append(f"{margin}{label:<{width}}{shown}".rstrip() + "\n")
    return "".join(lines)
