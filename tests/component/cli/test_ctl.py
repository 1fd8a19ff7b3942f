"""argocd-agentctl sets up hub and spokes: objects, texts and exit codes as a user meets them."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509

from argocd_agent.cli.ctl import run
from argocd_agent.cli.places import Place
from argocd_agent.cli.session import Session
from argocd_agent.resources.objects import Object
from tests.component.cli.secretcluster import SecretCluster

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAST = ("--key-algorithm", "ecdsa-p256")


@dataclass
class TwoClusters:
    """A hub and a spoke, as flags would have named them."""

    principal_context: str = "hub"
    agent_context: str = "spoke"
    hub: SecretCluster = field(default_factory=SecretCluster)
    spoke: SecretCluster = field(default_factory=SecretCluster)

    @asynccontextmanager
    async def principal(self) -> AsyncIterator[Place]:
        yield Place(self.hub, "argocd", "namespace argocd of context hub")

    @asynccontextmanager
    async def agent(self, namespace: str = "") -> AsyncIterator[Place]:
        chosen = namespace or "argocd"
        yield Place(self.spoke, chosen, f"namespace {chosen} of context spoke")

    def ctl(self, *argv: str) -> int:
        return run(list(argv), Session(self, lambda: NOW))


@pytest.fixture
def clusters() -> TwoClusters:
    return TwoClusters()


@pytest.fixture
def with_ca(clusters: TwoClusters) -> TwoClusters:
    assert clusters.ctl("pki", "init", *FAST) == 0
    return clusters


def data(cluster: SecretCluster, name: str, namespace: str = "argocd") -> dict[str, str]:
    held = cluster.objects[namespace, name].look("data")
    return {key: base64.b64decode(value).decode() for key, value in held.items()}


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def common_name(pem: str) -> Any:
    return certificate(pem).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value


def secret_type(obj: Object) -> Any:
    return obj.look("type")


@pytest.mark.feature("C-77")
def test_init_keeps_a_ca_with_its_key_on_the_hub(with_ca: TwoClusters) -> None:
    held = data(with_ca.hub, "argocd-agent-ca")

    assert secret_type(with_ca.hub.objects["argocd", "argocd-agent-ca"]) == "kubernetes.io/tls"
    assert common_name(held["tls.crt"]) == "argocd-agent-ca"
    assert "PRIVATE KEY" in held["tls.key"]


@pytest.mark.feature("C-77")
def test_init_replaces_a_ca_only_when_forced(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    before = data(with_ca.hub, "argocd-agent-ca")

    refused = with_ca.ctl("pki", "init", *FAST)
    message = capsys.readouterr().err
    unchanged = data(with_ca.hub, "argocd-agent-ca")
    forced = with_ca.ctl("pki", "init", "--force", *FAST)

    assert (refused, unchanged) == (1, before)
    assert message.startswith(
        "[FATAL]: Secret argocd-agent-ca exists already in namespace argocd of context hub: --force"
    )
    assert (forced, data(with_ca.hub, "argocd-agent-ca") == before) == (0, False)


@pytest.mark.feature("C-78")
def test_the_principals_certificate_has_the_names_given(with_ca: TwoClusters) -> None:
    status = with_ca.ctl("pki", "issue", "principal", "--dns", "a.example.com,b.example.com", "--ip", "10.0.0.1", *FAST)
    issued = certificate(data(with_ca.hub, "argocd-agent-principal-tls")["tls.crt"])
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert status == 0
    assert names.get_values_for_type(x509.DNSName) == ["a.example.com", "b.example.com"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    issued.verify_directly_issued_by(certificate(data(with_ca.hub, "argocd-agent-ca")["tls.crt"]))


@pytest.mark.feature("C-78")
def test_without_names_the_principal_is_localhost(with_ca: TwoClusters) -> None:
    with_ca.ctl("pki", "issue", "principal", *FAST)
    issued = certificate(data(with_ca.hub, "argocd-agent-principal-tls")["tls.crt"])
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


@pytest.mark.feature("C-78")
def test_an_agents_certificate_goes_to_its_spoke_with_the_ca_but_not_its_key(with_ca: TwoClusters) -> None:
    status = with_ca.ctl("pki", "issue", "agent", "one", *FAST)

    assert status == 0
    assert common_name(data(with_ca.spoke, "argocd-agent-client-tls")["tls.crt"]) == "one"
    assert data(with_ca.spoke, "argocd-agent-ca") == {"ca.crt": data(with_ca.hub, "argocd-agent-ca")["tls.crt"]}
    assert ("argocd", "argocd-agent-client-tls") not in with_ca.hub.objects


@pytest.mark.feature("C-78")
def test_an_agents_namespace_can_be_given_with_the_command(with_ca: TwoClusters) -> None:
    with_ca.ctl("pki", "issue", "agent", "one", "--agent-namespace", "elsewhere", *FAST)

    assert ("elsewhere", "argocd-agent-client-tls") in with_ca.spoke.objects


@pytest.mark.feature("C-78")
def test_upsert_replaces_an_issued_certificate(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    with_ca.ctl("pki", "issue", "agent", "one", *FAST)
    before = data(with_ca.spoke, "argocd-agent-client-tls")
    refused = with_ca.ctl("pki", "issue", "agent", "one", *FAST)
    message = capsys.readouterr().err
    replaced = with_ca.ctl("pki", "issue", "agent", "one", "--upsert", *FAST)

    assert (refused, replaced) == (1, 0)
    assert "exists already in namespace argocd of context spoke: --upsert replaces it" in message
    assert data(with_ca.spoke, "argocd-agent-client-tls") != before


@pytest.mark.feature("C-78")
def test_in_one_cluster_the_ca_keeps_its_key(with_ca: TwoClusters) -> None:
    with_ca.spoke, with_ca.agent_context = with_ca.hub, "hub"

    status = with_ca.ctl("pki", "issue", "agent", "one", "--same-context", *FAST)

    assert status == 0
    assert "tls.key" in data(with_ca.hub, "argocd-agent-ca")


@pytest.mark.feature("C-79")
def test_propagate_after_issue_finds_the_certificate_there(
    with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]
) -> None:
    with_ca.ctl("pki", "issue", "agent", "one", *FAST)
    capsys.readouterr()

    status = with_ca.ctl("pki", "propagate")

    assert (status, "already" in capsys.readouterr().out) == (0, True)


@pytest.mark.feature("C-79")
def test_propagate_replaces_another_ca_only_when_forced(with_ca: TwoClusters) -> None:
    with_ca.ctl("pki", "propagate")
    with_ca.ctl("pki", "init", "--force", *FAST)

    assert with_ca.ctl("pki", "propagate") == 1
    assert with_ca.ctl("pki", "propagate", "--force") == 0
    assert data(with_ca.spoke, "argocd-agent-ca") == {"ca.crt": data(with_ca.hub, "argocd-agent-ca")["tls.crt"]}


@pytest.mark.feature("C-77")
def test_inspect_shows_ca_and_certificates_and_leaves_missing_ones_empty(
    with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]
) -> None:
    with_ca.ctl("pki", "issue", "principal", *FAST)
    capsys.readouterr()

    status = with_ca.ctl("pki", "inspect", "-o", "JSON")
    found = json.loads(capsys.readouterr().out)

    assert (status, found["resourceProxy"]) == (0, {})
    assert (found["ca"]["keyType"], found["ca"]["keyLength"], found["ca"]["warnings"]) == ("ECDSA", 256, [])
    assert found["principal"]["subject"] == "CN=argocd-agent-principal"
    assert (found["principal"]["dns"], found["principal"]["ips"]) == (["localhost"], ["127.0.0.1"])
    assert found["principal"]["notBefore"].endswith("+0000")


@pytest.mark.feature("C-77")
def test_yaml_and_text_say_the_same(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()

    with_ca.ctl("pki", "inspect", "-o", "yaml")
    yaml = capsys.readouterr().out
    with_ca.ctl("pki", "inspect", "-o", "text")
    text = capsys.readouterr().out

    assert "  subject: CN=argocd-agent-ca\n" in yaml
    assert "  Subject:   CN=argocd-agent-ca\n" in text


@pytest.mark.feature("C-81")
def test_jwt_key_is_rsa_4096_and_can_be_inspected(clusters: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    created = clusters.ctl("jwt", "create-key")
    again = clusters.ctl("jwt", "create-key")
    capsys.readouterr()
    status = clusters.ctl("jwt", "inspect-key", "-o", "json")
    found = json.loads(capsys.readouterr().out)

    assert (created, again, status) == (0, 1, 0)
    assert (found["keyType"], found["keyLength"], len(found["sha256"])) == ("RSA", 4096, 64)
    assert found["created"] == "Fri, 02 Jan 2026 03:04:05 +0000"
    assert data(clusters.hub, "argocd-agent-jwt")["jwt.key"].startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.feature("C-80")
def test_create_makes_an_argo_cd_cluster_secret(with_ca: TwoClusters) -> None:
    status = with_ca.ctl("agent", "create", "one", "-l", "env=prod,team=a", *FAST)
    obj = with_ca.hub.objects["argocd", "cluster-one"]
    held = data(with_ca.hub, "cluster-one")
    tls = json.loads(held["config"])["tlsClientConfig"]

    assert status == 0
    assert (held["name"], held["server"]) == ("one", "https://argocd-agent-resource-proxy:9090?agentName=one")
    assert obj.labels == {
        "argocd.argoproj.io/secret-type": "cluster",
        "argocd-agent.argoproj-labs.io/agent-name": "one",
        "env": "prod",
        "team": "a",
    }
    assert obj.annotations == {"managed-by": "argocd-agent", "argocd.argoproj.io/skip-reconcile": "true"}
    assert common_name(base64.b64decode(tls["certData"]).decode()) == "one"
    assert base64.b64decode(tls["caData"]).decode() == data(with_ca.hub, "argocd-agent-ca")["tls.crt"]


@pytest.mark.feature("C-80")
def test_create_can_use_certificates_that_are_there(with_ca: TwoClusters) -> None:
    with_ca.ctl("pki", "issue", "resource-proxy", "--no-san", *FAST)
    with_ca.ctl("pki", "propagate")
    with_ca.hub.objects["other", "ca"] = with_ca.spoke.objects["argocd", "argocd-agent-ca"]

    status = with_ca.ctl(
        "agent", "create", "one",
        "--tls-from-secret", "argocd-agent-resource-proxy-tls", "--ca-from-secret", "other/ca",
    )  # fmt: skip
    tls = json.loads(data(with_ca.hub, "cluster-one")["config"])["tlsClientConfig"]

    assert status == 0
    assert common_name(base64.b64decode(tls["certData"]).decode()) == "argocd-agent-resource-proxy"


@pytest.mark.feature("C-80")
def test_list_is_sorted_and_filtered(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    with_ca.ctl("agent", "create", "two", "-l", "env=prod", *FAST)
    with_ca.ctl("agent", "create", "one", *FAST)
    capsys.readouterr()

    statuses = [with_ca.ctl("agents", "list"), with_ca.ctl("agent", "list", "-l", "env=prod")]

    assert statuses == [0, 0]
    assert capsys.readouterr().out == "one\ntwo\ntwo\n"


@pytest.mark.feature("C-80")
def test_an_empty_list_is_status_1(clusters: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    assert clusters.ctl("agent", "list") == 1
    assert capsys.readouterr().err == "no agents found\n"


@pytest.mark.feature("C-80")
def test_inspect_and_print_tls_show_the_cluster_secret(
    with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]
) -> None:
    with_ca.ctl("agent", "create", "one", *FAST)
    capsys.readouterr()

    with_ca.ctl("agent", "show", "one")
    found = json.loads(capsys.readouterr().out)
    with_ca.ctl("agent", "dump-tls", "one", "-t", "CA")
    ca = capsys.readouterr().out

    assert (found["name"], found["notValidAfter"]) == ("one", "2026-06-30T00:00:00Z")
    assert (len(found["fingerprint"]), found["fingerprint"].upper()) == (64, found["fingerprint"])
    assert ca == data(with_ca.hub, "argocd-agent-ca")["tls.crt"]


@pytest.mark.feature("C-85")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("pki issue principal", "Secret argocd-agent-ca does not exist in namespace argocd of context hub: make one"),
        ("pki propagate", "Secret argocd-agent-ca does not exist"),
        ("pki inspect", "make one with 'argocd-agentctl pki init'"),
        ("pki init --days 0", "--days: 0 is too little"),
        ("pki init --key-size 1024", "key-size: expected 2048, 3072 or 4096, found 1024"),
        ("pki issue resource-proxy", "--ip or --dns must name what Argo CD dials; --no-san issues"),
        ("pki issue principal --ip 1.2.3", "--ip: '1.2.3' is not an IP address"),
        ("pki issue agent One", "'One' cannot be an agent's name"),
        ("pki isue", "unknown command isue: did you mean issue?"),
        ("pki init --forse", "unknown flag --forse: did you mean --force?"),
        ("jwt inspect-key", "Secret argocd-agent-jwt does not exist"),
        ("agent create a.b", "'a.b' cannot be an agent's name: expected a DNS label"),
        ("agent create one -l x", "--label: 'x' is not key=value"),
        ("agent create one -l x=1,x=2", "--label: x is given twice"),
        ("agent create one --tls-from-secret x", "--tls-from-secret and --ca-from-secret: give both or neither"),
        ("agent create one --tls-from-secret x --ca-from-secret y --days 3", "--days is for issued certificates"),
        ("agent create one --tls-from-secret x --ca-from-secret y", "Secret x does not exist"),
        ("agent create one --resource-proxy-server nowhere", "--resource-proxy-server: 'nowhere' is not an address"),
        ("agent create one --resource-proxy-server h:99999", "99999 is not a port"),
        ("agent inspect one", "no agent one: Secret cluster-one does not exist in namespace argocd of context hub"),
        ("agent print-tls one", "no agent one"),
        ("agent create", "Missing argument 'AGENT_NAME'"),
    ],
)
def test_what_goes_wrong_is_said_in_a_fatal_line(
    clusters: TwoClusters, capsys: pytest.CaptureFixture[str], argv: str, message: str
) -> None:
    status = clusters.ctl(*argv.split())
    last = capsys.readouterr().err.splitlines()[-1]

    assert status == 1
    assert last.startswith("[FATAL]: ")
    assert message in last


@pytest.mark.feature("C-80")
def test_an_agent_exists_once(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    with_ca.ctl("agent", "create", "one", *FAST)

    assert with_ca.ctl("agent", "create", "one", *FAST) == 1
    assert "agent one exists already: Secret cluster-one" in capsys.readouterr().err


@pytest.mark.feature("C-78")
def test_days_beyond_the_cas_end_name_the_maximum(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    assert with_ca.ctl("pki", "issue", "principal", "--days", "9999", *FAST) == 1
    assert "at most 3650 days are possible" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("hub", "spoke", "message"),
    [("", "spoke", "must both be given"), ("hub", "", "must both be given"), ("x", "x", "--same-context allows that")],
)
def test_both_contexts_must_be_named_and_differ(
    with_ca: TwoClusters, capsys: pytest.CaptureFixture[str], hub: str, spoke: str, message: str
) -> None:
    with_ca.principal_context, with_ca.agent_context = hub, spoke

    assert with_ca.ctl("pki", "issue", "agent", "one", *FAST) == 1
    assert message in capsys.readouterr().err


def test_a_ca_secret_without_key_is_explained(with_ca: TwoClusters, capsys: pytest.CaptureFixture[str]) -> None:
    with_ca.ctl("pki", "propagate")
    with_ca.hub.objects["argocd", "argocd-agent-ca"] = with_ca.spoke.objects["argocd", "argocd-agent-ca"]

    assert with_ca.ctl("pki", "issue", "principal", *FAST) == 1
    assert "has no tls.crt and no tls.key" in capsys.readouterr().err
