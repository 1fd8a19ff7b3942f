"""Cluster Secrets: what Argo CD finds in one, and what a renewal leaves as it is."""

import base64
import json
from typing import Any

import pytest

from argocd_agent.codec import encode
from argocd_agent.errors import DecodeError
from argocd_agent.resources.cluster import agent_of, cluster_entry
from argocd_agent.resources.clustersecret import (
    ClusterTls,
    WayIn,
    cluster_secret,
    encoded_tls,
    is_self_registered,
    way_in_of,
    with_way_in,
)
from argocd_agent.resources.objects import Object

TLS = ClusterTls(b"certificate", b"key", b"ca")
OTHER = ClusterTls(b"certificate 2", b"key 2", b"ca 2")
OURS = WayIn(TLS, "token")


def a_secret(way_in: WayIn = OURS) -> Object:
    return cluster_secret("agent-1", "argocd", "proxy:9090", way_in)


def data_of(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret.look("data").items()}


def with_data(secret: Object, **more: str) -> Object:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in {**data_of(secret), **more}.items()}
    return secret.with_fields({"data": encode(encoded)})


@pytest.mark.feature("P-44")
def test_a_self_registered_secret_has_the_form_of_the_contract() -> None:
    secret = a_secret()

    assert (secret.namespace, secret.name, secret.look("type")) == ("argocd", "cluster-agent-1", "Opaque")
    assert secret.labels == {
        "argocd.argoproj.io/secret-type": "cluster",
        "argocd-agent.argoproj-labs.io/agent-name": "agent-1",
        "argocd-agent.argoproj-labs.io/self-registered-cluster": "true",
    }
    assert secret.annotations == {"argocd.argoproj.io/skip-reconcile": "true", "managed-by": "argocd-agent"}
    data = data_of(secret)
    assert (data["name"], data["server"]) == ("agent-1", "https://proxy:9090?agentName=agent-1")
    assert json.loads(data["config"]) == {
        "bearerToken": "token",
        "tlsClientConfig": {
            "insecure": False,
            "certData": "Y2VydGlmaWNhdGU=",
            "keyData": "a2V5",
            "caData": "Y2E=",
        },
    }


def test_a_secret_without_a_token_is_a_persons() -> None:
    secret = cluster_secret("agent-1", "argocd", "proxy:9090", WayIn(TLS), {"env": "prod"})

    assert not is_self_registered(secret)
    assert secret.labels["env"] == "prod"
    assert "bearerToken" not in json.loads(data_of(secret)["config"])
    assert agent_of(secret) == "agent-1"


def test_what_was_written_is_read_again() -> None:
    assert way_in_of(a_secret()) == WayIn(TLS, "token")
    assert way_in_of(a_secret(WayIn(TLS))) == WayIn(TLS)
    assert encoded_tls(data_of(a_secret())["config"], "config").key == "a2V5"


@pytest.mark.parametrize(
    "config",
    ["", "{", "[]", "{}", '{"tlsClientConfig":{"certData":"*"}}', '{"tlsClientConfig":{"certData":"é"}}'],
)
def test_a_way_in_that_cannot_be_read_is_none_and_can_be_replaced(config: str) -> None:
    secret = with_data(a_secret(), config=config)

    assert way_in_of(secret) == WayIn(None)
    assert way_in_of(with_way_in(secret, WayIn(OTHER, "new"))) == WayIn(OTHER, "new")


def test_a_secret_without_data_gets_a_way_in() -> None:
    secret = a_secret().with_fields({"data": None})

    assert way_in_of(with_way_in(secret, WayIn(TLS, "new"))) == WayIn(TLS, "new")


@pytest.mark.feature("P-45", "P-46")
def test_a_renewal_leaves_everything_but_the_way_in_as_it_is() -> None:
    config: dict[str, Any] = {
        "bearerToken": "old",
        "disableCompression": True,
        "tlsClientConfig": {"insecure": True, "serverName": "proxy", "certData": "", "keyData": "", "caData": ""},
    }
    before = with_data(a_secret(), config=json.dumps(config), namespaces="a,b", shard="3", project="team")
    before = before.with_metadata(labels={**before.labels, "env": "prod"}).with_annotations({"note": "mine"})

    after = with_way_in(before, WayIn(OTHER, "new"))

    assert after.metadata == before.metadata
    assert {k: v for k, v in data_of(after).items() if k != "config"} == {
        k: v for k, v in data_of(before).items() if k != "config"
    }
    assert json.loads(data_of(after)["config"]) == {
        "bearerToken": "new",
        "disableCompression": True,
        "tlsClientConfig": {
            "insecure": False,
            "serverName": "proxy",
            "certData": base64.b64encode(OTHER.certificate).decode(),
            "keyData": base64.b64encode(OTHER.key).decode(),
            "caData": base64.b64encode(OTHER.ca).decode(),
        },
    }


def test_keys_and_tokens_are_not_shown() -> None:
    assert repr(WayIn(TLS, "secret token")) == "WayIn(***)"
    assert repr(TLS) == "ClusterTls(***)"


def test_a_broken_config_is_named() -> None:
    with pytest.raises(DecodeError, match="agent agent-1, config"):
        encoded_tls("{", "agent agent-1, config")


def test_the_secret_is_a_cluster_entry() -> None:
    entry = cluster_entry(a_secret())

    assert entry is not None
    assert (entry.name, entry.server) == ("agent-1", "https://proxy:9090?agentName=agent-1")
