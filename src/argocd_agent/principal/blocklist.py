"""Certificates that must not come in, whoever signed them: a ConfigMap whose keys are fingerprints.

Read before anybody is let in, and watched: a certificate that is added ends the sessions of its agent, one that is
taken off is welcome again. Deleting the ConfigMap empties the list. Source: the wire contract, 2.9.
"""

from collections.abc import Callable

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.protocol.names import CONFIGMAP_BLOCKLIST
from argocd_agent.resources.kinds import CONFIGMAPS
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Blocklist")


class Blocklist:
    """The list in *namespace*. *blocked* is told of each fingerprint that is new on it; it must not wait."""

    def __init__(
        self, cluster: Cluster, namespace: str, blocked: Callable[[str], None], report: Callable[[str | None], None]
    ) -> None:
        self._blocked = blocked
        self._fingerprints: frozenset[str] = frozenset()
        scope = Scope(namespace, fields=f"metadata.name={CONFIGMAP_BLOCKLIST}")
        self._observer = Observer(cluster, CONFIGMAPS, scope, self._on_change, report=report)

    def has(self, fingerprint: str) -> bool:
        """Whether the certificate of this fingerprint (SHA-256 of its DER, upper-case hex) is on the list."""
        return fingerprint in self._fingerprints

    async def read(self) -> None:
        """Wait until the list has been read once."""
        await self._observer.synced.wait()

    async def run(self) -> None:
        """Keep the list true, until cancelled."""
        await self._observer.run()

    def _on_change(self, change: Change) -> None:
        data = change.new.look("data") if change.new is not None else None
        # Some tools print them in lower case, which in the reference never matches.
        now = frozenset(key.upper() for key in data) if isinstance(data, dict) else frozenset()
        new, self._fingerprints = now - self._fingerprints, now
        log.info("The blocklist of certificates has changed", {fields.COUNT: len(now)})
        for fingerprint in new:
            self._blocked(fingerprint)
