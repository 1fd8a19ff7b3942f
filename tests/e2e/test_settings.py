"""What a user reads whose flags, variables or files are wrong. No cluster is asked: these end before."""

import socket
from pathlib import Path

import pytest

from tests.support.programs import PROGRAM, Said, a_port, run

PRINCIPAL = ("principal", "--namespace=argocd", "--auth=mtls:subject:CN=([^,]+)", "--allowed-namespaces=*")
AGENT = ("agent", "--server-address=hub.example.com", "--server-port=8443", "--creds=mtls:any", "--agent-mode=managed")


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    """A kubeconfig that is not there, so that whatever is checked before is all that is shown."""
    return f"--kubeconfig={tmp_path / 'nowhere'}"


def said(*arguments: str, **variables: str) -> Said:
    return run(PROGRAM, arguments, variables)


@pytest.mark.feature("P-3", "A-3")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*PRINCIPAL, "--listen-prot=8443"), ("unknown flag --listen-prot", "did you mean --listen-port?")),
        ((*AGENT, "--sever-address=x"), ("unknown flag --sever-address", "did you mean --server-address?")),
        ((*PRINCIPAL, "--listen-port=99999"), ("--listen-port", "99999 is not a port")),
        ((*PRINCIPAL, "--listen-port=https"), ("--listen-port", "https")),
        ((*PRINCIPAL, "--ack-timeout=soon"), ("--ack-timeout", "soon")),
        ((*PRINCIPAL, "--auth=mtls:CN=.*"), ("--auth", "has no group")),
        ((*PRINCIPAL, "--auth=mtls:CN=("), ("--auth", "is not a regular expression")),
        ((*PRINCIPAL, "--auth=kerberos:x"), ("--auth", "'kerberos' is not mtls, header or userpass")),
        ((*PRINCIPAL, "--tls-cert=/a"), ("--tls-cert and --tls-key: give both or neither",)),
        ((*PRINCIPAL, "--insecure-plaintext"), ("--auth=mtls needs TLS",)),
        ((*PRINCIPAL, "--allowed-namespaces=/(/"), ("--allowed-namespaces", "regular expression")),
        ((*PRINCIPAL, "--log-level=loud"), ("--log-level", "loud")),
        ((*PRINCIPAL, "--tls-min-version=tls1.1"), ("--tls-min-version", "expected tls1.2 or tls1.3")),
        (("principal", "--namespace=argocd"), ("--auth: must be given",)),
        (("principal", "--auth=mtls:subject:CN=(.+)"), ("--namespace",)),
        (("agent", "--creds=mtls:any", "--agent-mode=managed"), ("No remote specified", "--server-address")),
        ((*AGENT, "--agent-mode=sometimes"), ("--agent-mode", "sometimes", "managed")),
        ((*AGENT, "--creds=userpass:"), ("--creds", "userpass needs the path")),
        ((*AGENT, "--adoption-policy=maybe"), ("--adoption-policy", "maybe", "always")),
        ((*AGENT, "--tls-client-cert=/a"), ("--tls-client-cert and --tls-client-key",)),
        ((*AGENT, "--create-namespace"), ("--create-namespace needs --destination-based-mapping",)),
        ((*AGENT, "--healthz-port=0"), ("--healthz-port",)),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else None,
)
def test_a_flag_that_cannot_be_is_fatal_and_named(
    nowhere: str, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    ended = said(*arguments, nowhere)

    assert ended.status == 1
    fatal = next(line for line in ended.err.splitlines() if line.startswith("[FATAL]: "))
    for word in words:
        assert word in fatal
    assert "Traceback" not in ended.err


def test_an_unknown_variable_is_named_with_the_one_that_was_meant(nowhere: str) -> None:
    ended = said(*PRINCIPAL, nowhere, ARGOCD_PRINCIPAL_LISTEN_PROT="1")

    line = next(line for line in ended.err.splitlines() if line.startswith("[WARN]: "))
    assert "unknown environment variable ARGOCD_PRINCIPAL_LISTEN_PROT" in line
    assert "did you mean ARGOCD_PRINCIPAL_LISTEN_PORT?" in line


@pytest.mark.feature("P-2")
def test_a_variable_that_cannot_be_read_falls_back_with_a_line(nowhere: str) -> None:
    ended = said(*PRINCIPAL, nowhere, ARGOCD_PRINCIPAL_LISTEN_PORT="https")

    line = next(line for line in ended.err.splitlines() if line.startswith("[WARN]: "))
    assert "environment variable ARGOCD_PRINCIPAL_LISTEN_PORT" in line
    assert "using the default 8443" in line


@pytest.mark.feature("P-3")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARGOCD_PRINCIPAL_TLS_CLIENT_CERT_REQUIRE", "perhaps"),
        ("ARGOCD_PRINCIPAL_AUTH", "mtls"),
        ("ARGOCD_PRINCIPAL_ALLOWED_NAMESPACES", "/(/"),
        ("ARGOCD_PRINCIPAL_INSECURE_PLAINTEXT", "perhaps"),
        ("ARGOCD_PRINCIPAL_JWT_ALLOW_GENERATE", "perhaps"),
    ],
)
def test_a_variable_that_decides_who_gets_in_is_fatal_when_it_cannot_be_read(
    nowhere: str, name: str, value: str
) -> None:
    ended = said("principal", "--namespace=argocd", nowhere, **{name: value})

    assert ended.status == 1
    assert "[FATAL]: " in ended.err
    assert name in ended.err
    assert "it decides who gets in" in ended.err


@pytest.mark.feature("P-1")
def test_a_flag_goes_before_its_variable(nowhere: str) -> None:
    ended = said(*PRINCIPAL, "--listen-port=1", nowhere, ARGOCD_PRINCIPAL_LISTEN_PORT="https")

    assert "ARGOCD_PRINCIPAL_LISTEN_PORT" not in ended.err


def test_a_kubeconfig_that_is_not_there_is_fatal_and_named(nowhere: str) -> None:
    for program in (PRINCIPAL, AGENT):
        ended = said(*program, nowhere)

        assert ended.status == 1
        assert "[FATAL]: " in ended.err
        assert nowhere.partition("=")[2] in ended.err


def test_a_context_that_is_not_in_the_kubeconfig_is_fatal_and_named(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text('{"apiVersion": "v1", "kind": "Config", "contexts": [], "clusters": [], "users": []}')

    ended = said(*PRINCIPAL, f"--kubeconfig={file}", "--kubecontext=staging")

    assert ended.status == 1
    assert "staging" in ended.err


def test_a_port_that_is_taken_is_fatal_and_the_setting_named(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(NOBODY)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ports = (f"--healthz-port={a_port()}", f"--metrics-port={port}")
        ended = said(*PRINCIPAL, f"--kubeconfig={file}", "--health-host=127.0.0.1", *ports)

    assert ended.status == 1
    assert "--metrics-port: cannot listen on 127.0.0.1" in ended.err
    assert str(port) in ended.err


def test_settings_that_are_not_served_yet_are_named_in_one_warning(nowhere: str) -> None:
    ended = said(*PRINCIPAL, "--pprof-port=6060", "--otlp-address=collector:4317", nowhere)

    warnings = [line for line in ended.err.splitlines() if "not served by this version" in line]
    assert len(warnings) == 1
    assert "--pprof-port" in warnings[0]
    assert "--otlp-address" in warnings[0]


NOBODY = """
apiVersion: v1
kind: Config
clusters: [{name: nobody, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: nobody, user: {token: abc}}]
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
current-context: nobody
"""
