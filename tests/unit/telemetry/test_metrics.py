"""Metrics have the reference's names, types and labels, in a format that Prometheus' own parser reads."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from argocd_agent.telemetry.exposition import Registry
from argocd_agent.telemetry.metrics import (
    AGENTS_WITH_SERIES,
    NO_AGENT_METRICS,
    NO_PRINCIPAL_METRICS,
    OTHER_AGENTS,
    agent_metrics,
    principal_metrics,
)


def scraped(registry: Registry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families: Any = text_string_to_metric_families(registry.render().decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def types(registry: Registry) -> dict[str, str]:
    lines = registry.render().decode().splitlines()
    return {words[2]: words[3] for words in (line.split(" ") for line in lines) if words[1] == "TYPE"}


@pytest.mark.feature("P-111", "C-67", "C-99", "C-105")
def test_principal_counts_under_the_references_names() -> None:
    metrics, registry = principal_metrics("1.2.3")

    metrics.agent_connected("one")
    metrics.event_sent("one", "application", "create")
    metrics.event_received("one", "application", "status-update")
    metrics.event_processed("one", "application", "failure", 0.02)
    metrics.application_queued("created")
    metrics.outbox_depth("one", 7)
    metrics.resent("one")
    metrics.refused("one", "application", "create")
    metrics.send_failed("one", "other")
    found = scraped(registry)
    lines = registry.render().decode().splitlines()

    assert found["argocd_agent_build_info", (("git_revision", ""), ("version", "1.2.3"))] == 1
    assert found["argocd_principal_connected_agents", ()] == 1
    assert found["argocd_principal_agent_connections_total", (("agent_name", "one"),)] == 1
    # By text: Prometheus' parser for Python renames counters to end in _total, which these do not.
    assert "principal_events_sent 1" in lines
    assert "principal_events_received 1" in lines
    assert "principal_applications_created 1" in lines
    assert 'principal_errors{resource_type="application"} 1' in lines
    assert found["argocd_principal_workqueue_depth", (("queue", "one-send"),)] == 7
    labels = (("agent_name", "one"), ("resource_type", "application"), ("status", "failure"))
    assert found["principal_event_processing_time_count", labels] == 1
    assert found["principal_event_processing_time_bucket", tuple(sorted((*labels, ("le", "0.025"))))] == 1
    assert found["principal_event_processing_time_bucket", tuple(sorted((*labels, ("le", "0.01"))))] == 0


@pytest.mark.feature("P-111", "A-97", "C-99")
def test_types_are_the_references() -> None:
    found = types(principal_metrics("1")[1]) | types(agent_metrics("1", "managed")[1])

    assert found["principal_events_sent"] == "counter"
    assert found["argocd_principal_connected_agents"] == "gauge"
    assert found["principal_event_processing_time"] == "histogram"
    assert found["agent_event_propagation_latency_seconds"] == "histogram"
    assert found["argocd_agent_connections_total"] == "counter"


@pytest.mark.feature("A-97", "C-99")
def test_an_agents_connection_is_shown_while_it_lasts() -> None:
    metrics, registry = agent_metrics("1", "managed")

    metrics.connection(True, 1000.5)
    during = scraped(registry)
    metrics.connection(False, 2000.0)
    after = scraped(registry)

    status, since = ("argocd_agent_connection_status", ()), ("argocd_agent_connection_start_timestamp_seconds", ())
    assert (during[status], during[since]) == (1, 1000.5)
    assert (after[status], after[since]) == (0, 0)
    assert after["argocd_agent_connections_total", ()] == 1


@pytest.mark.feature("P-39")
def test_a_disconnected_agent_keeps_no_depth() -> None:
    metrics, registry = principal_metrics("1")
    metrics.agent_connected("one")
    metrics.outbox_depth("one", 3)

    metrics.agent_disconnected("one")

    assert ("argocd_principal_workqueue_depth", (("queue", "one-send"),)) not in scraped(registry)
    assert scraped(registry)["argocd_principal_connected_agents", ()] == 0


@pytest.mark.feature("P-39")
def test_held_deletions_are_shown_on_both_sides_and_forgotten_with_the_agent() -> None:
    principal, hub = principal_metrics("1")
    agent, spoke = agent_metrics("1", "managed")
    name = "argocd_agent_held_deletions"

    principal.held_deletions("one", 3)
    principal.held_deletions("two", 4)
    principal.agent_forgotten("one")
    agent.held_deletions(5)

    assert {labels: value for (found, labels), value in scraped(hub).items() if found == name} == {
        (("agent_name", "two"),): 4
    }
    assert scraped(spoke)[name, ()] == 5


def test_histograms_of_agents_above_the_limit_share_one_series() -> None:
    metrics, registry = principal_metrics("1")

    for number in range(AGENTS_WITH_SERIES + 5):
        metrics.event_processed(f"agent-{number}", "application", "success", 0.1)
    counts = {
        dict(labels)["agent_name"]: value
        for (name, labels), value in scraped(registry).items()
        if name == "principal_event_processing_time_count"
    }

    assert len(counts) == AGENTS_WITH_SERIES + 1
    assert counts[OTHER_AGENTS] == 5


def test_label_values_are_escaped() -> None:
    registry = Registry()
    gauge = registry.gauge("c", "Help with \\ and\nline end.", "name")
    value = 'a"b\\c\nd'

    gauge.set(1, value)

    assert scraped(registry) == {("c", (("name", value),)): 1}


def test_the_process_shows_itself() -> None:
    found = scraped(principal_metrics("1")[1])

    assert found["process_resident_memory_bytes", ()] > 1_000_000
    assert found["process_start_time_seconds", ()] > 1_500_000_000
    assert found["process_open_fds", ()] >= 3


def test_twins_that_do_nothing_have_every_verb() -> None:
    for twin, real in (
        (NO_PRINCIPAL_METRICS, principal_metrics("1")[0]),
        (NO_AGENT_METRICS, agent_metrics("1", "")[0]),
    ):
        verbs = [name for name in dir(real) if not name.startswith("_")]

        assert all(callable(getattr(twin, verb)) for verb in verbs)
