"""What the hub tells people about its agents' connections: one ConfigMap, a line of JSON per agent.

`kubectl get configmap argocd-agent-connections -o yaml` shows since when an agent is connected, or was last seen. It is
written at most once a second, whatever happens, with the newest state; a failed write is tried again after a growing
pause, up to a minute.
"""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster
from argocd_agent.codec import decode_any, encode
from argocd_agent.errors import ClusterError, DecodeError, NotFound
from argocd_agent.peer.observe import pause
from argocd_agent.protocol.backoff import Backoff
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.modes import Mode
from argocd_agent.protocol.names import CONFIGMAP_CONNECTIONS
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.resources.objects import Metadata, Object, new_object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Server")

_PAUSES = Backoff(first=1.0, factor=2.0, ceiling=60.0)


class Connections:
    """Keeps the ConfigMap in *namespace* true. `run` until cancelled."""

    def __init__(self, cluster: Cluster, namespace: str, now: Callable[[], str]) -> None:
        self._cluster, self._namespace, self._now = cluster, namespace, now
        self._changes: dict[AgentName, str | None] = {}
        self._is_first = True
        self._wake = asyncio.Event()

    async def modes(self) -> dict[AgentName, Mode]:
        """The modes of the agents that were here in an earlier life, as far as they can be read. Raises
        `ClusterError`."""
        try:
            found = await self._cluster.get(CONFIGMAPS, self._namespace, CONFIGMAP_CONNECTIONS)
        except NotFound:
            return {}
        return {AgentName(name): mode for name, text in _data(found).items() if (mode := _mode(text)) is not None}

    def connected(self, agent: AgentName, mode: Mode, address: str) -> None:
        """*agent* is here now."""
        self._note(agent, status="connected", mode=mode.value, address=address)

    def disconnected(self, agent: AgentName, mode: Mode, reason: str) -> None:
        """*agent* has gone."""
        self._note(agent, status="disconnected", mode=mode.value, reason=reason)

    def forgotten(self, agent: AgentName) -> None:
        """*agent* is no longer registered."""
        self._changes[agent] = None
        self._wake.set()

    async def run(self) -> None:
        """Write what changed, until cancelled."""
        failures = 0
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            changes, self._changes = self._changes, {}
            is_written = False
            try:
                is_written = await self._write(changes)
            except ClusterError as error:
                if not failures:
                    log.warning("The connections of agents cannot be written down", {fields.ERROR: str(error)})
                self._changes = changes | self._changes
                self._wake.set()
                failures += 1
            else:
                self._is_first, failures = False, 0
            # Not after a first look that found nothing to put right: the mode of the first agent would come late.
            if changes or is_written or failures:
                await pause(_PAUSES.delay(failures + 1))

    def _note(self, agent: AgentName, **facts: str) -> None:
        self._changes[agent] = encode({**facts, "since": self._now()}).decode()
        self._wake.set()

    async def _write(self, changes: dict[AgentName, str | None]) -> bool:
        """Bring the ConfigMap up to date. Whether it had to be written."""
        try:
            found = await self._cluster.get(CONFIGMAPS, self._namespace, CONFIGMAP_CONNECTIONS)
        except NotFound:
            data = {str(agent): text for agent, text in changes.items() if text is not None}
            if not data:
                return False
            metadata = Metadata(name=CONFIGMAP_CONNECTIONS, namespace=self._namespace)
            await self._cluster.create(CONFIGMAPS, new_object(CONFIGMAPS, metadata, data=data))
            return True
        before = _data(found)
        merged: dict[str, str | None] = {
            **self._orphaned(before),
            **{str(agent): text for agent, text in changes.items()},
        }
        data = {agent: text for agent, text in merged.items() if text is not None}
        if data == before:
            return False
        await self._cluster.update(CONFIGMAPS, found.with_fields({"data": encode(data)}))
        return True

    def _orphaned(self, before: dict[str, str]) -> dict[str, str]:
        """*before*, where who was connected to a process that is no more is not connected."""
        if self._is_first:
            return {name: self._gone(text) if '"connected"' in text else text for name, text in before.items()}
        return before

    def _gone(self, text: str) -> str:
        gone = {"status": "disconnected", "reason": "the principal was restarted", "since": self._now()}
        mode = _mode(text)
        return encode(gone if mode is None else {**gone, "mode": mode.value}).decode()


def _data(config_map: Object) -> dict[str, str]:
    data = config_map.look("data")
    return data if isinstance(data, dict) else {}


def _mode(text: str) -> Mode | None:
    try:
        facts = decode_any(text, CONFIGMAP_CONNECTIONS)
    except DecodeError:  # somebody else's words
        return None
    mode = facts.get("mode") if isinstance(facts, dict) else None
    return Mode(mode) if mode in tuple(Mode) else None
