import base64
from datetime import UTC, datetime

from argocd_agent.codec import decode_any
from argocd_agent.demo.setup import make_installation
from argocd_agent.pki.certificates import Pair, load_ca, load_certificates, load_pair
from argocd_agent.resources.cluster import agent_of
from argocd_agent.resources.objects import Object

MADE = make_installation(("berlin", "tokyo"), datetime(2026, 1, 2, tzinfo=UTC))
HUB = {secret.name: secret for secret in MADE.hub}


def data_of(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret.look("data").items()}


def pair_of(secret: Object) -> Pair:
    data = data_of(secret)
    return Pair(data["tls.crt"], data["tls.key"])


def test_the_hub_gets_what_the_principal_looks_for() -> None:
    assert set(HUB) == {
        "argocd-agent-ca",
        "argocd-agent-principal-tls",
        "argocd-agent-jwt",
        "argocd-agent-resource-proxy-tls",
        "cluster-berlin",
        "cluster-tokyo",
    }
    assert "BEGIN PRIVATE KEY" in data_of(HUB["argocd-agent-jwt"])["jwt.key"]


def test_each_agents_certificate_carries_its_name_and_is_signed_by_the_hubs_ca() -> None:
    ca, _ = load_ca(pair_of(HUB["argocd-agent-ca"]), "CA")

    for name, secrets in MADE.spokes.items():
        by_name = {secret.name: secret for secret in secrets}
        certificate, _ = load_pair(pair_of(by_name["argocd-agent-client-tls"]), name)
        certificate.verify_directly_issued_by(ca)
        assert certificate.subject.rfc4514_string() == f"CN={name}"
        (public,) = load_certificates(data_of(by_name["argocd-agent-ca"])["ca.crt"], "CA")
        assert public == ca


def test_the_cas_private_key_stays_on_the_hub() -> None:
    for secrets in MADE.spokes.values():
        (public,) = (secret for secret in secrets if secret.name == "argocd-agent-ca")

        assert set(data_of(public)) == {"ca.crt"}


def test_cluster_secrets_register_their_agents_as_argo_cd_knows_clusters() -> None:
    secret = HUB["cluster-berlin"]

    assert agent_of(secret) == "berlin"
    assert data_of(secret)["server"].endswith("?agentName=berlin")
    tls = decode_any(data_of(secret)["config"])["tlsClientConfig"]
    assert base64.b64decode(tls["certData"]).startswith(b"-----BEGIN CERTIFICATE")
