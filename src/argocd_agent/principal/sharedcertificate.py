"""The client certificate that all self-registered clusters share: what Argo CD shows to the resource proxy.

We only pass it on, so what stands in it is not judged, but told when it cannot be used. A Secret that is deleted or
lacks a field takes nothing away: the last one stays in use. Source: the wire contract, 2.11.
"""

from collections.abc import Callable

from argocd_agent.backends.ports import Cluster, Scope
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.material import secret_fields
from argocd_agent.peer.observe import Change, Observer
from argocd_agent.pki.tls import check_pair
from argocd_agent.resources.clustersecret import ClusterTls
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.telemetry.logs import get_log

log = get_log("Keys")

_FIELDS = ("tls.crt", "tls.key", "ca.crt")


class SharedCertificate:
    """That of Secret *name* in *namespace*. *changed* is called when it is another; it must not wait."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        changed: Callable[[], None],
        report: Callable[[str | None], None],
    ) -> None:
        self._where = f'certificate of self-registered clusters (Secret "{namespace}/{name}")'
        self._changed = changed
        self._tls: ClusterTls | None = None
        self._problem = f"{self._where}: there is no such Secret"
        scope = Scope(namespace, fields=f"metadata.name={name}")
        self._observer = Observer(cluster, SECRETS, scope, self._on_change, report=report)

    def get(self) -> ClusterTls:
        """The certificate of now. Raises `KeyMaterialError` while there is none."""
        if self._tls is None:
            raise KeyMaterialError(self._problem)
        return self._tls

    async def read(self) -> None:
        """Wait until it has been looked for once."""
        await self._observer.synced.wait()
        if self._tls is None:
            log.error(f"{self._problem}; agents without a cluster Secret are refused until there is one")

    async def run(self) -> None:
        """Keep it current, until cancelled."""
        await self._observer.run()

    def _on_change(self, change: Change) -> None:
        if change.new is None:
            log.warning(f"{self._where}: the Secret was deleted; the last one stays in use")
            return
        try:
            fields = secret_fields(change.new, self._where, _FIELDS)
        except KeyMaterialError as error:
            self._problem = str(error)
            if self._tls is not None:
                log.error(f"{error}; the last one stays in use")
            return
        new = ClusterTls(*(fields[field] for field in _FIELDS))
        if new == self._tls:
            return
        self._tls = new
        self._warn()
        self._changed()

    def _warn(self) -> None:
        tls = self.get()
        try:
            check_pair(tls.certificate.decode(errors="replace"), tls.key.decode(errors="replace"), self._where)
        except KeyMaterialError as error:
            log.error(f"{error}; it is passed on as it is, and Argo CD will not reach these clusters with it")
