"""The resource proxy's certificate and the CA of its clients, current without a restart: from Secrets or from files."""

import asyncio
from collections.abc import Callable

from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.material import Material, Missing, Piece
from argocd_agent.peer.program import reporter
from argocd_agent.pki.tls import ServerTls, server_context
from argocd_agent.principal.proxyconfig import ProxyConfig
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log

log = get_log("Keys")

CERTIFICATE, CA = "certificate of the resource proxy", "CA of the resource proxy's clients"


class ProxyKeys:
    """What the resource proxy shows and trusts. *renewed* is called when it is another than before."""

    def __init__(
        self, config: ProxyConfig, namespace: str, cluster: Cluster, health: Health, renewed: Callable[[], None]
    ) -> None:
        self._health, self._renewed = health, renewed
        self._arrived = asyncio.Event()
        self._tls: ServerTls | None = None
        certificate, key, ca = config.resource_proxy_files or ("", "", "")
        pieces = (
            Piece(
                CERTIFICATE,
                config.resource_proxy_secret_name,
                ("tls.crt", "tls.key"),
                {"tls.crt": certificate, "tls.key": key} if certificate else None,
            ),
            Piece(CA, config.resource_proxy_ca_secret_name, (), {"ca.crt": ca} if ca else None),
        )
        self.parts = [piece.name for piece in pieces]
        self._material = Material(
            cluster, namespace, pieces, changed=self._changed, report=lambda name, p: reporter(health, name)(p)
        )

    def read_files(self) -> None:
        """Read what is in files. Raises `ConfigError` for one that cannot be read."""
        self._material.read_files()
        self._changed()

    async def run(self) -> None:
        """Keep all current, until cancelled."""
        await self._material.run()

    async def complete(self) -> None:
        """Wait until there is enough to serve with."""
        await self._arrived.wait()

    def current(self) -> ServerTls:
        """What is shown and trusted now. Raises `Missing` before `complete`."""
        if self._tls is None:
            raise Missing(f"{CERTIFICATE}: there is none yet")
        return self._tls

    def _changed(self) -> None:
        try:
            pair, trusted = self._material.get(CERTIFICATE), self._material.get(CA)
            # agentctl keeps the CA as a pair; others give its certificate alone.
            ca = "\n".join(_text(trusted[name]) for name in ("tls.crt", "ca.crt") if name in trusted)
            new = ServerTls(_text(pair["tls.crt"]), _text(pair["tls.key"]), ca)
            server_context(new)
        except Missing:
            return  # said already, by whoever looks for it
        except KeyMaterialError as error:
            if self._tls is None:
                reporter(self._health, CERTIFICATE)(str(error))
            else:
                log.error(f"resource proxy: {error}; what was read last stays in use")
            return
        for part in self.parts:
            reporter(self._health, part)(None)
        before, self._tls = self._tls, new
        self._arrived.set()
        if before not in (None, new):
            self._renewed()


def _text(pem: bytes) -> str:
    return pem.decode(errors="replace")
