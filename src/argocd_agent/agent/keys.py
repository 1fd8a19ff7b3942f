"""The agent's certificate and the principal's CA: from Secrets or files, current without a restart."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from argocd_agent.agent.config import AgentConfig
from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.material import Material, Missing, Piece
from argocd_agent.peer.observe import pause
from argocd_agent.peer.program import reporter
from argocd_agent.pki.glance import certificates_in, check_validity
from argocd_agent.pki.tls import ClientTls, check_pair
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log

log = get_log("Keys")

_LOOK_AGAIN_SECONDS = 60.0

T = TypeVar("T")

CERTIFICATE, CA = "certificate of the agent", "CA of the principal"


class Keys:
    """What the agent proves itself with, and what it checks the principal by. `run` until cancelled."""

    def __init__(self, config: AgentConfig, cluster: Cluster, health: Health, renewed: Callable[[], None]) -> None:
        self._config, self._health, self._renewed = config, health, renewed
        self._arrived = asyncio.Event()
        self._tls: ClientTls | None = None
        pieces = list(_pieces(config))
        self.parts = [piece.name for piece in pieces]
        self._material = Material(
            cluster, config.namespace, pieces, changed=self._changed, report=lambda name, p: reporter(health, name)(p)
        )

    def read_files(self) -> None:
        """Read what is in files. Raises `ConfigError` for one that cannot be read."""
        self._material.read_files()
        self._changed()

    async def run(self) -> None:
        """Keep all current, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._material.run(), name="keep keys current")
            while self._tls is None and self.parts:  # one that is not valid yet becomes so without anybody saying it
                await pause(_LOOK_AGAIN_SECONDS)
                self._changed()

    async def complete(self) -> None:
        """Wait until there is enough to dial with."""
        while self._tls is None and not self._config.insecure_plaintext:
            self._arrived.clear()
            await self._arrived.wait()

    def client(self) -> ClientTls:
        """What to dial with now; only after `complete`."""
        assert self._tls is not None, "the agent dials when it has what it needs"
        return self._tls

    def _changed(self) -> None:
        if self._config.insecure_plaintext:
            return
        certificate = self._usable(CERTIFICATE, self._certificate)
        ca = self._usable(CA, self._ca) if CA in self.parts else ""
        if certificate is None or ca is None:
            return
        new = self._client_tls(certificate, ca)
        if new == self._tls:
            return
        is_new, self._tls = self._tls is not None, new
        self._arrived.set()
        if is_new:
            log.info("The agent's certificate, or the CA of the principal, was replaced")
            self._renewed()

    def _usable(self, part: str, read: Callable[[], T]) -> T | None:
        """What *read* gives; None, and reported, where it cannot be used."""
        report = reporter(self._health, part)
        try:
            value = read()
        except Missing:
            return None  # said already, by whoever looks for it
        except KeyMaterialError as error:
            if self._tls is not None:
                log.error(f"{error}; the last one stays in use")
            else:
                report(str(error))
            return None
        report(None)
        return value

    def _certificate(self) -> tuple[str, str]:
        """Certificate and key, or two empty texts where none is needed."""
        pair = self._material.get(CERTIFICATE)
        if not pair:
            return "", ""
        certificate, key = _text(pair["tls.crt"]), _text(pair["tls.key"])
        where = self._material.where(CERTIFICATE)
        check_pair(certificate, key, where)
        check_validity(certificate, datetime.now(UTC), where)
        return certificate, key

    def _ca(self) -> str:
        ca = "\n".join(_text(value) for value in self._material.get(CA).values())
        certificates_in(ca, self._material.where(CA))
        return ca

    def _client_tls(self, certificate: tuple[str, str], ca: str) -> ClientTls:
        config, material = self._config, self._material
        return ClientTls(
            ca_pem=ca,
            certificate_pem=certificate[0],
            key_pem=certificate[1],
            verify=not config.insecure_tls,
            minimum=config.tls_minimum,
            maximum=config.tls_maximum,
            ciphers=config.tls_ciphers,
            where=material.where(CERTIFICATE),
            where_ca=material.where(CA) if ca else CA,
        )


def _pieces(config: AgentConfig) -> list[Piece]:
    if config.insecure_plaintext:
        return []
    pieces = []
    if config.tls_client_cert_path:
        files = {"tls.crt": config.tls_client_cert_path, "tls.key": config.tls_client_key_path}
        pieces.append(Piece(CERTIFICATE, config.tls_secret_name, ("tls.crt", "tls.key"), files))
    else:  # with other methods the principal may ask for a certificate too
        optional = config.creds.name != "mtls"
        pieces.append(Piece(CERTIFICATE, config.tls_secret_name, ("tls.crt", "tls.key"), is_optional=optional))
    if not config.insecure_tls:
        ca_files = {"ca.crt": config.root_ca_path} if config.root_ca_path else None
        pieces.append(Piece(CA, config.root_ca_secret_name, (), ca_files))
    return pieces


def _text(pem: bytes) -> str:
    return pem.decode(errors="replace")
