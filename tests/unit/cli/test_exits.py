"""How a command ends: text on stderr, exit status."""

import click
import pytest

from argocd_agent.cli import exits, flags
from argocd_agent.errors import ConfigError, Forbidden
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.settings.declare import declarations


def a_command(raised: BaseException | None = None, result: int | None = None) -> click.Command:
    def callback(port: str | None) -> int | None:
        if raised is not None:
            raise raised
        return result

    return click.Command("x", callback=callback, params=[click.Option(["--port"])])


@pytest.mark.feature("C-85")
@pytest.mark.parametrize(("result", "status"), [(None, 0), (0, 0), (3, 3)])
def test_a_commands_answer_is_the_status(result: int | None, status: int) -> None:
    assert exits.run(a_command(result=result), [], "x") == status


@pytest.mark.feature("C-85")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--prot", "1"], "[FATAL]: unknown flag --prot: did you mean --port?"),
        (["--zzzz"], "[FATAL]: unknown flag --zzzz"),
        (["extra"], "[FATAL]: Got unexpected extra argument (extra)"),
    ],
)
def test_wrong_usage_is_status_1_with_the_usage(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = exits.run(a_command(), argv, "x")

    assert status == 1
    assert capsys.readouterr().err.splitlines() == ["Usage: x [OPTIONS]", message]


def test_a_flag_without_its_value_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits.run(a_command(), ["--port"], "x") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "[FATAL]: Option '--port' requires an argument."


def test_notes_are_part_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = Forbidden("may not list secrets")
    error.add_note("while reading the CA")

    assert exits.run(a_command(error), [], "x") == 1
    assert capsys.readouterr().err == "[FATAL]: may not list secrets; while reading the CA\n"


def test_of_several_errors_the_one_about_settings_is_told() -> None:
    group = ExceptionGroup("", [Forbidden("later"), ExceptionGroup("", [ConfigError("first")])])

    assert exits.explain(group) == "first"


def test_a_bug_is_not_put_into_words() -> None:
    with pytest.raises(ExceptionGroup):
        exits.run(a_command(ExceptionGroup("bug", [KeyError("x")])), [], "x")


def test_what_stands_on_the_command_line_is_told_from_what_does_not() -> None:
    declared = declarations(PrincipalConfig)
    seen: dict[str, object] = {}
    command = click.Command("x", callback=lambda **values: seen.update(values), params=flags.options(declared))

    argv = ["-n", "argocd", "--insecure-plaintext", "--insecure-tls-generate=false", "--allowed-namespaces", "a",
            "--allowed-namespaces=b,c"]  # fmt: skip
    exits.run(command, argv, "x")

    assert flags.given(declared, seen) == {
        "--namespace": ("argocd",),
        "--insecure-plaintext": ("true",),
        "--insecure-tls-generate": ("false",),
        "--allowed-namespaces": ("a", "b,c"),
    }
