"""What the agent refuses at start, and what it warns of."""

import pytest

from argocd_agent.agent.config import AgentConfig, notices
from argocd_agent.errors import ConfigError
from argocd_agent.pki.tls import TlsVersion
from argocd_agent.protocol.modes import Mode
from argocd_agent.settings.load import load
from argocd_agent.settings.values import Method


def configured(**flags: str) -> AgentConfig:
    given = {"server_address": "hub.example.com", "agent_mode": "managed", "creds": "mtls:any"} | flags
    return load(AgentConfig, {f"--{name.replace('_', '-')}": [text] for name, text in given.items()}, {}).config


@pytest.mark.feature("A-3", "C-93")
@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"server_address": ""}, "No remote specified"),
        ({"server_port": "0"}, "No remote specified"),
        ({"server_port": "70000"}, "--server-port: 70000 is not a port"),
        ({"agent_mode": "both"}, "--agent-mode: 'both' is not managed or autonomous"),
        (
            {"agent_mode": "autonomous", "destination_based_mapping": "true"},
            "cannot be used with --agent-mode",
        ),
        ({"namespace": ""}, "--namespace: must be given"),
        ({"label_selector": "tier in (web"}, "--label-selector: "),
        ({"creds": ""}, "--creds: must be given"),
        ({"creds": "mtls"}, "--creds: 'mtls' is not of the form <method>:<configuration>"),
        ({"creds": "token:x"}, "--creds: 'token' is not mtls, header or userpass"),
        ({"creds": "userpass:"}, "--creds: userpass needs the path"),
        ({"tls_client_cert": "x"}, "--tls-client-cert and --tls-client-key: give both or neither"),
        ({"tls_client_key": "x"}, "--tls-client-cert and --tls-client-key: give both or neither"),
        ({"tls_min_version": "tls1.3", "tls_max_version": "tls1.2"}, "tls-min-version tls1.3 is above"),
        ({"tls_max_version": "tls1.2"}, "give --tls-min-version too"),
        ({"redis_tls_enabled": "true", "redis_tls_ca_secret_name": ""}, "--redis-tls-enabled needs"),
        ({"tls_max_version": "tls1.1"}, "--tls-max-version: tls1.1 is not served"),
        ({"tls_ciphersuites": "X"}, "--tls-ciphersuites: unknown cipher suite 'X'"),
        ({"grpc_max_message_size": "-1"}, "--grpc-max-message-size: -1 is too little"),
        ({"cache_refresh_interval": "0"}, "--cache-refresh-interval: 0 is too little"),
        ({"brake_max_deletions": "-1"}, "--brake-max-deletions: -1 is too little, expected at least 0"),
        ({"brake_max_percent": "101"}, "--brake-max-percent: 101 is not a percentage (0 to 100)"),
        ({"informer_sync_timeout": "0"}, "--informer-sync-timeout: 0 is too little"),
        ({"buffer_informer_event_interval": "-1s"}, "--buffer-informer-event-interval: -1 is too little"),
        ({"create_namespace": "true"}, "--create-namespace needs --destination-based-mapping"),
        ({"source_uid_mismatch_policy": "x"}, "--source-uid-mismatch-policy: 'x' is not recreate or upsert"),
        ({"on_application_recreate": "x"}, "--on-application-recreate: 'x' is not ignore or clear-status or resync"),
        ({"adoption_policy": "sometimes"}, "--adoption-policy: 'sometimes' is not always or never"),
        ({"redis_creds_dir_path": "/x", "redis_username": "u"}, "--redis-creds-dir-path excludes"),
        ({"redis_tls_enabled": "1", "redis_tls_insecure": "1", "redis_tls_ca_path": "x"}, "exclude each other"),
        ({"healthz_port": "0"}, "--healthz-port: 0 is not a port (1 to 65535)"),
        ({"log_format": "xml"}, "--log-format: 'xml' is not text or json"),
        ({"log_level": "warn"}, "--log-level: 'warn' is not a log level"),
    ],
)
def test_start_is_refused_with_the_reason(flags: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(**flags)

    assert complaint in str(refused.value)


def test_defaults_are_the_references() -> None:
    config = configured()

    assert (config.mode, config.server_port, config.metrics_port, config.healthz_port) == (
        Mode.MANAGED,
        443,
        8181,
        8001,
    )
    assert (config.root_ca_secret_name, config.tls_secret_name) == ("argocd-agent-ca", "argocd-agent-client-tls")
    assert (config.namespace, config.informer_sync_timeout_seconds) == ("argocd", 10)
    assert (config.source_uid_mismatch_policy, config.adoption_policy) == ("recreate", "always")


def test_mode_is_autonomous_unless_said() -> None:
    assert AgentConfig(server_address="hub", creds=Method("mtls", "any")).mode is Mode.AUTONOMOUS


@pytest.mark.feature("A-10", "C-57")
def test_tls_floor_is_1_3_unless_lowered() -> None:
    assert (configured().tls_minimum, configured().tls_maximum) == (TlsVersion.TLS_1_3, None)
    lowered = configured(tls_min_version="tls1.2", tls_max_version="tls1.2")
    assert (lowered.tls_minimum, lowered.tls_maximum) == (TlsVersion.TLS_1_2, TlsVersion.TLS_1_2)


def test_all_that_is_not_served_is_named_in_one_warning() -> None:
    config = configured(enable_websocket="true", otlp_address="c:4317")

    assert notices(config) == ("not served by this version, and ignored: --otlp-address, --enable-websocket",)


def test_insecure_settings_are_warned_of() -> None:
    assert "--insecure-tls" in notices(configured(insecure_tls="true"))[0]
    assert "--insecure-plaintext" in notices(configured(insecure_plaintext="true"))[0]


@pytest.mark.feature("A-101")
def test_rate_limits_come_from_the_references_variables() -> None:
    environ = {
        "ARGOCD_AGENT_REMOTE_SERVER": "hub",
        "ARGOCD_AGENT_MODE": "managed",
        "ARGOCD_AGENT_CREDS": "mtls:any",
        "ARGOCD_AGENT_KUBE_QPS": "50",
        "REDIS_PASSWORD": "hunter2",
    }

    config = load(AgentConfig, {}, environ).config

    assert (config.kube_qps, config.kube_burst, config.redis_password.reveal()) == (50, None, "hunter2")
    assert "hunter2" not in repr(config)


@pytest.mark.feature("A-2")
def test_an_unreadable_address_in_a_variable_falls_back() -> None:
    environ = {"REDIS_ADDR": "argocd-redis", "ARGOCD_AGENT_KUBE_QPS": "many"}
    flags = {"--server-address": ["hub"], "--agent-mode": ["managed"], "--creds": ["mtls:any"]}

    found = load(AgentConfig, flags, environ)

    assert (found.config.redis_address, found.config.kube_qps) == (("argocd-redis", 6379), None)
    assert found.notices == (
        "environment variable ARGOCD_AGENT_KUBE_QPS: 'many' is not a whole number; using the default",
        (
            "environment variable REDIS_ADDR: 'argocd-redis' is not an address (host:port); "
            "using the default argocd-redis:6379"
        ),
    )
