"""The manual page of all settings, rendered from their declarations."""

from collections.abc import Sequence

from argocd_agent.settings.declare import Declaration, Declared, Served, declarations

HEADER = """# Settings

Made from the declarations in the source by `make docs`; do not edit.

A flag beats its environment variable, and a variable beats the default. The manifests fill the variables from the
keys of ConfigMap `argocd-agent-params`. A variable that cannot be parsed leaves the default in force and says so on
stderr; where a setting decides who gets in (marked **!**), and for words out of a fixed set, the program ends with
status 1 instead. Settings marked *later* are recognised and ignored, with one warning when set.

Durations are written as in Go (`30s`, `1h20m`), lists with commas, booleans as `true` and `false`.
"""


def manual(configs: Sequence[type[Declared]]) -> str:
    """The page in Markdown, one section for each program."""
    sections = [_section(config.program, declarations(config)) for config in configs]
    return "\n".join([HEADER, *sections])


def _section(program: str, declared: Sequence[Declaration]) -> str:
    rows = "\n".join(_row(one) for one in declared)
    return (
        f"## argocd-agent {program}\n\n"
        "| Flag | Variable | ConfigMap key | Value | Default | Meaning |\n|---|---|---|---|---|---|\n"
        f"{rows}\n"
    )


def _row(one: Declaration) -> str:
    flag = ", ".join(_code(name) for name in (one.flag, one.short) if name)
    marks = ("**!** " if one.guards else "") + ("*later* " if one.served is Served.NOT_YET else "")
    cells = (flag, _code(one.variable), _code(one.key), one.value.metavar, _code(one.default_text), marks + one.help)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
