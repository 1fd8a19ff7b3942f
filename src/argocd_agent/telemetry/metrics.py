"""Metrics as verbs, so that the programs say what happened and know no names. Names are the reference's.

`principal_metrics` and `agent_metrics` give the real thing with its registry; `NO_PRINCIPAL_METRICS` and
`NO_AGENT_METRICS` are the twins that do nothing. One thread, no locks: call them from the event loop.

Histograms with a label per agent exist for the first `AGENTS_WITH_SERIES` agents; the others share one series, since
each histogram is 14 series to Prometheus.
"""

from typing import Literal, Protocol

from argocd_agent.telemetry.exposition import Registry
from argocd_agent.telemetry.process import add_process

AGENTS_WITH_SERIES = 100
OTHER_AGENTS = "_others"
_HELD = "argocd_agent_held_deletions"  # ours; one series per agent on the hub

Change = Literal["created", "updated", "deleted"]


class PrincipalMetrics(Protocol):
    """What the principal says. `target` is an event's target, `status` success, failure or not-allowed."""

    def agent_connected(self, agent: str) -> None: ...
    def agent_disconnected(self, agent: str) -> None: ...
    def average_connection_time(self, seconds: float) -> None: ...
    def auth_failure(self) -> None: ...
    def event_sent(self, agent: str, target: str, event_type: str) -> None: ...
    def event_received(self, agent: str, target: str, event_type: str) -> None: ...
    def event_processed(self, agent: str, target: str, status: str, seconds: float) -> None: ...
    def application_queued(self, kind: Change) -> None: ...
    def refused(self, agent: str, target: str, event_type: str) -> None: ...
    def resent(self, agent: str) -> None: ...
    def send_failed(self, agent: str, reason: str) -> None: ...
    def outbox_depth(self, agent: str, depth: int) -> None: ...
    def held_deletions(self, agent: str, count: int) -> None: ...
    def agent_forgotten(self, agent: str) -> None: ...
    def cache_failed(self) -> None: ...
    def redis_asked(self, agent: str, command: str, is_failed: bool) -> None: ...
    def redis_forgotten(self, agent: str) -> None: ...


class AgentMetrics(Protocol):
    """What the agent says. `status` is success, failure or discarded; `since` is seconds since 1970."""

    def connection(self, is_connected: bool, since: float) -> None: ...
    def auth_failure(self) -> None: ...
    def event_sent(self, target: str, event_type: str) -> None: ...
    def event_received(self, target: str, event_type: str) -> None: ...
    def event_processed(self, target: str, status: str, seconds: float) -> None: ...
    def propagation_latency(self, target: str, seconds: float) -> None: ...
    def refused(self, target: str, event_type: str) -> None: ...
    def resent(self) -> None: ...
    def outbox_depth(self, depth: int) -> None: ...
    def held_deletions(self, count: int) -> None: ...
    def redis_asked(self, command: str, is_failed: bool) -> None: ...


class _Principal:
    """`PrincipalMetrics` into a registry."""

    def __init__(self, registry: Registry) -> None:
        counter, gauge = registry.counter, registry.gauge
        self._connected = gauge("argocd_principal_connected_agents", "Agents connected now.")
        self._minutes = gauge("principal_agent_avg_connection_time", "Average age of connections, minutes.")
        self._connections = counter("argocd_principal_agent_connections_total", "Streams opened.", "agent_name")
        self._auth_failures = counter("argocd_principal_auth_failures_total", "Logins refused.")
        self._applications = {
            kind: counter(f"principal_applications_{kind}", f"Applications {kind} on the hub and sent.")
            for kind in ("created", "updated", "deleted")
        }
        self._received = counter("principal_events_received", "Events received from agents.")
        self._sent = counter("principal_events_sent", "Events sent to agents.")
        self._seconds = registry.histogram(
            "principal_event_processing_time", "Seconds per inbound event.", "status", "agent_name", "resource_type"
        )
        self._errors = counter("principal_errors", "Inbound events that failed.", "resource_type")
        self._send_errors = counter(
            "principal_event_writer_send_errors_total", "Sends that failed.", "agent_name", "reason"
        )
        self._discarded = counter(
            "argocd_principal_event_writer_events_discarded_total",
            "Events that the agent refused.",
            "agent_name",
            "event_type",
            "resource_type",
        )
        self._held = gauge(_HELD, "Deletions that the agent's brake holds.", "agent_name")
        self._cache_errors = counter("argocd_principal_cache_errors_total", "States that Redis did not take.")
        prefix, labels = "argocd_principal_redis_proxy", ("agent_name", "command")
        self._redis_requests = counter(f"{prefix}_requests_total", "Redis commands asked of agents.", *labels)
        self._redis_errors = counter(f"{prefix}_errors_total", "Those that failed.", *labels)
        self._queue = _Queue(registry, "argocd_principal_workqueue")
        self._agents: set[str] = set()

    def agent_connected(self, agent: str) -> None:
        self._connected.add(1)
        self._connections.add(1, agent)

    def agent_disconnected(self, agent: str) -> None:
        self._connected.add(-1)
        self._queue.gone(f"{agent}-send")

    def average_connection_time(self, seconds: float) -> None:
        self._minutes.set(seconds // 60)

    def auth_failure(self) -> None:
        self._auth_failures.add(1)

    def event_sent(self, agent: str, target: str, event_type: str) -> None:
        self._sent.add(1)
        self._queue.added(f"{agent}-send")

    def event_received(self, agent: str, target: str, event_type: str) -> None:
        self._received.add(1)

    def event_processed(self, agent: str, target: str, status: str, seconds: float) -> None:
        self._seconds.observe(seconds, status, self._series_of(agent), target)
        if status == "failure":
            self._errors.add(1, target)

    def application_queued(self, kind: Change) -> None:
        self._applications[kind].add(1)

    def refused(self, agent: str, target: str, event_type: str) -> None:
        self._discarded.add(1, agent, event_type, target)

    def resent(self, agent: str) -> None:
        self._queue.retried(f"{agent}-send")

    def send_failed(self, agent: str, reason: str) -> None:
        self._send_errors.add(1, agent, reason)

    def outbox_depth(self, agent: str, depth: int) -> None:
        self._queue.depth(f"{agent}-send", depth)

    def held_deletions(self, agent: str, count: int) -> None:
        self._held.set(count, agent)

    def agent_forgotten(self, agent: str) -> None:
        self._held.forget(agent)

    def cache_failed(self) -> None:
        self._cache_errors.add(1)

    def redis_asked(self, agent: str, command: str, is_failed: bool) -> None:
        self._redis_requests.add(1, agent, command)
        if is_failed:
            self._redis_errors.add(1, agent, command)

    def redis_forgotten(self, agent: str) -> None:
        for command in ("get", "subscribe"):
            self._redis_requests.forget(agent, command)
            self._redis_errors.forget(agent, command)

    def _series_of(self, agent: str) -> str:
        if agent not in self._agents:
            if len(self._agents) >= AGENTS_WITH_SERIES:
                return OTHER_AGENTS
            self._agents.add(agent)
        return agent


class _Agent:
    """`AgentMetrics` into a registry."""

    def __init__(self, registry: Registry, mode: str) -> None:
        counter, gauge = registry.counter, registry.gauge
        self._mode = mode
        self._status = gauge("argocd_agent_connection_status", "1 when connected to the principal.")
        self._since = gauge("argocd_agent_connection_start_timestamp_seconds", "Start of the connection, 0 if none.")
        self._connections = counter("argocd_agent_connections_total", "Connections made.")
        self._auth_failures = counter("argocd_agent_auth_failures_total", "Logins that failed.")
        self._received = counter("agent_events_received", "Events received from the principal.")
        self._sent = counter("agent_events_sent", "Events sent to the principal.")
        self._seconds = registry.histogram(
            "agent_event_processing_time", "Seconds per inbound event.", "status", "agent_mode", "resource_type"
        )
        self._latency = registry.histogram(
            "agent_event_propagation_latency_seconds", "From being sent to being processed.", "resource_type"
        )
        self._discarded = counter(
            "argocd_agent_event_writer_events_discarded_total",
            "Events that the principal refused.",
            "event_type",
            "resource_type",
        )
        self._errors = counter("agent_errors", "Inbound events that failed.", "resource_type")
        self._held = gauge(_HELD, "Deletions that the brake holds.")
        prefix = "argocd_agent_redis_proxy"
        self._redis_requests = counter(f"{prefix}_requests_total", "Redis commands that the hub asked for.", "command")
        self._redis_errors = counter(f"{prefix}_errors_total", "Those that failed.", "command")
        self._queue = _Queue(registry, "argocd_agent_workqueue")

    def connection(self, is_connected: bool, since: float) -> None:
        self._status.set(1 if is_connected else 0)
        self._since.set(since if is_connected else 0)
        if is_connected:
            self._connections.add(1)

    def auth_failure(self) -> None:
        self._auth_failures.add(1)

    def event_sent(self, target: str, event_type: str) -> None:
        self._sent.add(1)
        self._queue.added("default-send")

    def event_received(self, target: str, event_type: str) -> None:
        self._received.add(1)

    def event_processed(self, target: str, status: str, seconds: float) -> None:
        self._seconds.observe(seconds, status, self._mode, target)
        if status == "failure":
            self._errors.add(1, target)

    def propagation_latency(self, target: str, seconds: float) -> None:
        self._latency.observe(max(seconds, 0.0), target)  # the two clocks may disagree

    def refused(self, target: str, event_type: str) -> None:
        self._discarded.add(1, event_type, target)

    def resent(self) -> None:
        self._queue.retried("default-send")

    def outbox_depth(self, depth: int) -> None:
        self._queue.depth("default-send", depth)

    def held_deletions(self, count: int) -> None:
        self._held.set(count)

    def redis_asked(self, command: str, is_failed: bool) -> None:
        self._redis_requests.add(1, command)
        if is_failed:
            self._redis_errors.add(1, command)


class _Queue:
    """The outboxes, under the names of the reference's work queues."""

    def __init__(self, registry: Registry, prefix: str) -> None:
        self._depth = registry.gauge(f"{prefix}_depth", "Events not yet acknowledged.", "queue")
        self._adds = registry.counter(f"{prefix}_adds_total", "Events sent.", "queue")
        self._retries = registry.counter(f"{prefix}_retries_total", "Events sent again.", "queue")

    def depth(self, name: str, depth: int) -> None:
        self._depth.set(depth, name)

    def added(self, name: str) -> None:
        self._adds.add(1, name)

    def retried(self, name: str) -> None:
        self._retries.add(1, name)

    def gone(self, name: str) -> None:
        self._depth.forget(name)


def _ignore(*_: object, **__: object) -> None:
    """Any verb, when metrics are off."""


class _NoPrincipalMetrics:
    agent_connected = agent_disconnected = average_connection_time = auth_failure = staticmethod(_ignore)
    event_sent = event_received = event_processed = application_queued = staticmethod(_ignore)
    refused = resent = send_failed = outbox_depth = cache_failed = staticmethod(_ignore)
    held_deletions = agent_forgotten = staticmethod(_ignore)
    redis_asked = redis_forgotten = staticmethod(_ignore)


class _NoAgentMetrics:
    connection = auth_failure = propagation_latency = staticmethod(_ignore)
    event_sent = event_received = event_processed = staticmethod(_ignore)
    refused = resent = outbox_depth = held_deletions = redis_asked = staticmethod(_ignore)


NO_PRINCIPAL_METRICS: PrincipalMetrics = _NoPrincipalMetrics()
NO_AGENT_METRICS: AgentMetrics = _NoAgentMetrics()


def principal_metrics(version: str) -> tuple[PrincipalMetrics, Registry]:
    """The principal's metrics, and the registry that a scrape renders."""
    registry = Registry()
    add_process(registry, version)
    return _Principal(registry), registry


def agent_metrics(version: str, mode: str) -> tuple[AgentMetrics, Registry]:
    """The agent's metrics, and the registry that a scrape renders."""
    registry = Registry()
    add_process(registry, version)
    return _Agent(registry, mode), registry
