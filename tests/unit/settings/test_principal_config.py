"""What the principal refuses at start, and what it warns of."""

from typing import Any

import pytest

from argocd_agent.errors import ConfigError
from argocd_agent.pki.tls import TlsVersion
from argocd_agent.principal.config import PrincipalConfig, notices
from argocd_agent.settings.load import load

MTLS = "mtls:subject:CN=([^,]+)"


def configured(**flags: str) -> PrincipalConfig:
    given = {"namespace": "argocd", "auth": MTLS} | flags
    return load(PrincipalConfig, {f"--{name.replace('_', '-')}": [text] for name, text in given.items()}, {}).config


@pytest.mark.feature("P-3", "C-53", "C-93")
@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"namespace": ""}, "--namespace: must be given"),
        ({"label_selector": "tier in (web"}, "--label-selector: "),
        ({"auth": ""}, "--auth: must be given"),
        ({"auth": "mtls"}, "--auth: 'mtls' is not of the form <method>:<configuration>"),
        ({"auth": "ldap:x"}, "--auth: 'ldap' is not mtls, header or userpass"),
        ({"auth": "mtls:subject:CN=("}, "is not a regular expression"),
        ({"auth": "mtls:subject:CN=.*"}, "has no group"),
        ({"auth": MTLS, "insecure_plaintext": "true"}, "--auth=mtls needs TLS"),
        ({"auth": "header:x-id:(.*)"}, "--auth=header trusts a mesh in front of us: it needs --insecure-plaintext"),
        ({"auth": "header:x-id", "insecure_plaintext": "true"}, "is not <header>:<regex>"),
        ({"auth": "header: :(.*)", "insecure_plaintext": "true"}, "is not <header>:<regex>"),
        ({"auth": "userpass:"}, "userpass needs the path"),
        ({"listen_port": "65536"}, "--listen-port: 65536 is not a port (0 to 65535)"),
        ({"metrics_port": "-1"}, "--metrics-port: -1 is not a port"),
        ({"healthz_port": "0"}, "--healthz-port: 0 is not a port (1 to 65535)"),
        ({"log_format": "xml"}, "--log-format: 'xml' is not text or json"),
        ({"log_level": "warn"}, "--log-level: 'warn' is not a log level"),
        ({"tls_cert": "a.pem"}, "--tls-cert and --tls-key: give both or neither"),
        ({"tls_key": "a.pem"}, "--tls-cert and --tls-key: give both or neither"),
        ({"tls_min_version": "ssl3"}, "--tls-min-version: 'ssl3' is not tls1.1 or tls1.2 or tls1.3"),
        ({"tls_min_version": "tls1.1"}, "--tls-min-version: tls1.1 is not served"),
        ({"tls_max_version": "tls1.2"}, "--tls-max-version: tls1.2 is not served"),
        ({"tls_ciphersuites": "TLS_NONSENSE"}, "--tls-ciphersuites: unknown cipher suite 'TLS_NONSENSE'"),
        ({"tls_ciphersuites": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, "tls-min-version is tls1.3"),
        ({"allowed_namespaces": "/(/"}, "--allowed-namespaces: /(/ is not a regular expression"),
        ({"namespace_create_pattern": "("}, "--namespace-create-pattern: '(' is not a regular expression"),
        ({"namespace_create_labels": "a"}, "--namespace-create-labels: 'a' is not a label"),
        ({"grpc_max_message_size": "0"}, "--grpc-max-message-size: 0 is too little"),
        ({"event_processors": "0"}, "--event-processors: 0 is too little"),
        ({"ack_timeout": "0"}, "--ack-timeout: 0 is too little"),
        ({"max_concurrent_writes": "0"}, "--max-concurrent-writes: 0 is too little"),
        ({"anti_entropy_interval": "-1s"}, "--anti-entropy-interval: -1 is too little"),
        ({"redis_compression_type": "zstd"}, "--redis-compression-type: 'zstd' is not gzip or none"),
        ({"redis_password": "x", "redis_creds_dir_path": "/x"}, "--redis-creds-dir-path and --redis-password exclude"),
        ({"redis_tls_enabled": "true", "redis_proxy_server_tls_cert": "x"}, "give both or neither"),
        ({"redis_tls_enabled": "true", "redis_tls_insecure": "true", "redis_ca_path": "x"}, "exclude each other"),
        ({"redis_tls_enabled": "true", "redis_ca_path": "x", "redis_ca_secret_name": "argocd-redis-tls"}, "exclude"),
        ({"redis_tls_enabled": "true", "redis_ca_secret_name": ""}, "--redis-tls-enabled needs"),
        ({"enable_self_cluster_registration": "true"}, "needs --self-registration-client-cert-secret"),
        (
            {
                "enable_self_cluster_registration": "true",
                "self_registration_client_cert_secret": "x",
                "resource_proxy_address": "",
            },
            "needs a host and a port in --resource-proxy-address",
        ),
        (
            {"enable_self_cluster_registration": "true", "enable_resource_proxy": "false"},
            "--enable-self-cluster-registration needs --enable-resource-proxy",
        ),
        ({"ha_preferred_role": "leader"}, "--ha-preferred-role: 'leader' is not primary or replica"),
        ({"ha_enabled": "true", "ha_preferred_role": "replica"}, "--ha-preferred-role=replica needs --ha-peer-address"),
        ({"ha_admin_port": "65536"}, "--ha-admin-port: 65536 is not a port"),
        ({"otlp_address": "nowhere"}, "--otlp-address: 'nowhere' is not an address (host:port)"),
    ],
)
def test_start_is_refused_with_the_reason(flags: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(**flags)

    assert complaint in str(refused.value)


def test_defaults_are_the_references() -> None:
    config = configured()

    assert (config.listen_host, config.listen_port, config.metrics_port, config.healthz_port) == ("", 8443, 8000, 8003)
    assert (config.tls_secret_name, config.tls_ca_secret_name) == ("argocd-agent-principal-tls", "argocd-agent-ca")
    assert (config.jwt_secret_name, config.grpc_max_message_bytes) == ("argocd-agent-jwt", 209_715_200)
    assert config.tls_minimum is TlsVersion.TLS_1_3


@pytest.mark.feature("C-55")
def test_mtls_always_requires_client_certificates() -> None:
    assert configured().requires_client_certificates
    assert not configured(auth="userpass:/x").requires_client_certificates
    assert configured(auth="userpass:/x", require_client_certs="true").requires_client_certificates


@pytest.mark.parametrize("port", ["0", "40000"])
def test_metrics_may_be_off_and_ports_above_32767_are_fine(port: str) -> None:
    assert configured(metrics_port=port).metrics_port == int(port)


@pytest.mark.feature("C-57")
def test_suites_of_tls_1_2_need_that_minimum() -> None:
    config = configured(tls_ciphersuites="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", tls_min_version="tls1.2")

    assert [suite.openssl for suite in config.tls_ciphers] == ["ECDHE-RSA-AES128-GCM-SHA256"]


def test_all_that_is_not_served_is_named_in_one_warning() -> None:
    config = configured(enable_websocket="true", ha_enabled="true", redis_password="s", allowed_namespaces="*")

    assert notices(config) == ("not served by this version, and ignored: --enable-websocket, --ha-enabled",)


def test_an_empty_list_of_namespaces_and_old_spellings_are_warned_of() -> None:
    lines = notices(configured(auth="mtls:CN=(.+)", full_detail="all,everything", log_level="info,x=debug"))

    assert any("--allowed-namespaces is empty" in line for line in lines)
    assert any("write mtls:subject:<regex>" in line for line in lines)
    assert any("'everything'" in line for line in lines)
    assert any("'x=debug'" in line for line in lines)


def test_plain_configuration_has_nothing_to_warn_of() -> None:
    assert notices(configured(allowed_namespaces="agent-*")) == ()


@pytest.mark.feature("P-3")
@pytest.mark.parametrize(
    "variable",
    ["TLS_CLIENT_CERT_REQUIRE", "TLS_CLIENT_CERT_MATCH_SUBJECT", "TLS_SERVER_ALLOW_GENERATE", "INSECURE_PLAINTEXT",
     "JWT_ALLOW_GENERATE"],
)  # fmt: skip
def test_an_unreadable_switch_that_decides_who_gets_in_is_fatal(variable: str) -> None:
    environ = {
        "ARGOCD_PRINCIPAL_NAMESPACE": "argocd",
        "ARGOCD_PRINCIPAL_AUTH": MTLS,
        f"ARGOCD_PRINCIPAL_{variable}": "perhaps",
    }

    with pytest.raises(ConfigError, match="decides who gets in"):
        load(PrincipalConfig, {}, environ)


def test_a_config_made_in_code_is_checked_too() -> None:
    wrong: dict[str, Any] = {"namespace": "argocd", "healthz_port": 0}

    with pytest.raises(ConfigError, match="--healthz-port"):
        PrincipalConfig(**wrong)
