"""argocd-agent as a process: what a user reads on stderr, exit statuses, what is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINCIPAL = ("principal", "--namespace", "argocd", "--auth", "mtls:subject:CN=([^,]+)")


def argocd_agent(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    code = "from argocd_agent.cli.main import main; main()"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ARGOCD_")}
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | environ,
        check=False,
    )


@pytest.mark.feature("P-3", "A-3", "C-85")
@pytest.mark.parametrize(
    ("argv", "last_line"),
    [
        (("principal",), "[FATAL]: --namespace: must be given"),
        (("principal", "--listen-prt", "1"), "[FATAL]: unknown flag --listen-prt: did you mean --listen-port?"),
        ((*PRINCIPAL, "--listen-port", "x"), "[FATAL]: --listen-port: 'x' is not a whole number"),
        ((*PRINCIPAL, "--insecure-plaintext"),
         "[FATAL]: --auth=mtls needs TLS: it cannot be used with --insecure-plaintext"),
        (("agent", "--server-address=hub", "--creds=mtls:any", "--destination-based-mapping"),
         "[FATAL]: --destination-based-mapping cannot be used with --agent-mode=autonomous"),
        (("agnet",), "[FATAL]: unknown command agnet: did you mean agent?"),
        ((*PRINCIPAL, "--kubeconfig", "/does/not/exist"), "/does/not/exist"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_said_in_a_fatal_line(argv: tuple[str, ...], last_line: str) -> None:
    ended = argocd_agent(*argv)

    assert ended.returncode == 1
    assert last_line in ended.stderr.splitlines()[-1]
    assert ended.stderr.splitlines()[-1].startswith("[FATAL]: ")
    assert "Traceback" not in ended.stderr


def test_what_was_wrong_in_the_environment_is_part_of_a_fatal_line() -> None:
    ended = argocd_agent("principal", ARGOCD_PRINCIPAL_LISTEN_PORT="eighty")

    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.strip() == (
        "[FATAL]: --namespace: must be given; environment variable ARGOCD_PRINCIPAL_LISTEN_PORT: "
        "'eighty' is not a whole number; using the default 8443"
    )


@pytest.mark.feature("P-2")
def test_warnings_about_variables_come_before_the_program_starts() -> None:
    ended = argocd_agent(
        *PRINCIPAL, "--kubeconfig", "/does/not/exist",
        ARGOCD_PRINCIPAL_LISTEN_PORT="eighty", ARGOCD_PRINCIPAL_ALOWED_NAMESPACES="x",
    )  # fmt: skip
    lines = ended.stderr.splitlines()

    assert lines[0] == (
        "[WARN]: environment variable ARGOCD_PRINCIPAL_LISTEN_PORT: 'eighty' is not a whole number; "
        "using the default 8443"
    )
    assert lines[1] == (
        "[WARN]: ignored: unknown environment variable ARGOCD_PRINCIPAL_ALOWED_NAMESPACES: "
        "did you mean ARGOCD_PRINCIPAL_ALLOWED_NAMESPACES?"
    )


def test_variables_of_the_other_program_and_of_ctl_are_known() -> None:
    ended = argocd_agent(
        *PRINCIPAL, "--kubeconfig", "/does/not/exist", ARGOCD_AGENT_MODE="managed", ARGOCD_AGENT_AGENT_CONTEXT="x"
    )

    assert "unknown environment variable" not in ended.stderr


@pytest.mark.feature("P-4", "A-4", "C-57")
def test_cipher_suites_are_listed_by_flag_and_by_variable() -> None:
    by_flag = argocd_agent("agent", "--tls-ciphersuites=list")
    by_variable = argocd_agent("principal", ARGOCD_PRINCIPAL_TLS_CIPHERSUITES="list")

    assert (by_flag.returncode, by_variable.returncode) == (0, 0)
    assert "TLS_AES_128_GCM_SHA256  tls1.3" in by_flag.stdout
    assert by_flag.stdout == by_variable.stdout


@pytest.mark.feature("P-5", "A-5", "C-85", "C-105")
def test_version_comes_in_three_forms() -> None:
    from argocd_agent import __version__

    assert argocd_agent("version").stdout == f"argocd-agent-{__version__}\n"
    assert argocd_agent("version", "-s").stdout == f"{__version__}\n"
    assert f'  "version": "{__version__}",\n' in argocd_agent("version", "-o", "json").stdout
    assert f"version: {__version__}\n" in argocd_agent("version", "--output", "yaml").stdout


@pytest.mark.feature("C-85")
def test_help_names_default_and_variable_of_every_flag() -> None:
    shown = " ".join(argocd_agent("agent", "--help").stdout.split())

    assert "[default: 5s; ARGOCD_AGENT_ACK_TIMEOUT]" in shown
    assert "Not served by this version." in shown
    assert "-n, --namespace" in shown


@pytest.mark.feature("C-85")
def test_no_command_shows_help_with_status_1() -> None:
    ended = argocd_agent()

    assert (ended.returncode, "principal" in ended.stderr) == (1, True)


def test_the_agents_configuration_imports_no_heavy_library() -> None:
    code = (
        "import sys; from argocd_agent.cli import programs, main; from argocd_agent.agent import config; "
        "from argocd_agent.telemetry import http, metrics; "
        "print([name for name in ('cryptography', 'joserfc', 'rich', 'yaml', 'prometheus_client', 'aiohttp', 'grpc') "
        "if name in sys.modules])"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout == "[]\n"


def test_the_manual_is_printed_whole() -> None:
    code = "import runpy; runpy.run_module('argocd_agent.cli.manual', run_name='__main__')"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout.startswith("# Settings\n")
    assert str(Path.home()) not in ended.stdout
