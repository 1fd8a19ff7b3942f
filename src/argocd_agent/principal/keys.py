"""The principal's keys and certificates: from Secrets, from files, or made up for a trial; current without a restart."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.material import Material, NotReadYet, Piece
from argocd_agent.peer.program import reporter
from argocd_agent.pki import certificates
from argocd_agent.pki import keys as private_keys
from argocd_agent.pki.certificates import Usage
from argocd_agent.pki.tls import ServerTls, check_pair
from argocd_agent.pki.tokens import TokenKey
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.protocol.names import SECRET_JWT_KEY
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log

log = get_log("Keys")

CERTIFICATE, CA, TOKENS = "certificate of the principal", "CA of agents", "key that signs tokens"
_GENERATED = "argocd-agent-principal--generated"


class Keys:
    """What the principal proves itself with, and what it checks agents by. `run` until cancelled."""

    def __init__(self, config: PrincipalConfig, cluster: Cluster, health: Health) -> None:
        self._config, self._health = config, health
        self._arrived = asyncio.Event()
        self._tls: ServerTls | None = None
        self._token: TokenKey | None = None
        pieces = list(self._pieces(config))
        self.parts = [piece.name for piece in pieces]
        self._material = Material(
            cluster, config.namespace, pieces, changed=self._changed, report=lambda name, p: reporter(health, name)(p)
        )
        if config.insecure_jwt_generate and not config.jwt_key_path:
            self._token = _token_key(
                private_keys.to_pem(private_keys.generate(rsa_bits=2048)).encode(), "made at start"
            )
        self._generated = _generated_pair() if config.insecure_tls_generate else None

    @staticmethod
    def _pieces(config: PrincipalConfig) -> list[Piece]:
        pieces = []
        if not config.insecure_plaintext:
            if not config.insecure_tls_generate:
                files = (
                    {"tls.crt": config.tls_cert_path, "tls.key": config.tls_key_path} if config.tls_cert_path else None
                )
                pieces.append(Piece(CERTIFICATE, config.tls_secret_name, ("tls.crt", "tls.key"), files))
            if config.requires_client_certificates:
                files = {"ca.crt": config.root_ca_path} if config.root_ca_path else None
                pieces.append(Piece(CA, config.tls_ca_secret_name, (), files))
        if config.jwt_key_path or not config.insecure_jwt_generate:
            files = {SECRET_JWT_KEY: config.jwt_key_path} if config.jwt_key_path else None
            pieces.append(Piece(TOKENS, config.jwt_secret_name, (SECRET_JWT_KEY,), files))
        return pieces

    def read_files(self) -> None:
        """Read what is in files. Raises `ConfigError` for one that cannot be read."""
        self._material.read_files()
        self._changed()

    async def run(self) -> None:
        """Keep all current, until cancelled."""
        await self._material.run()

    async def complete(self) -> None:
        """Wait until there is enough to serve with."""
        while not self._is_complete:
            self._arrived.clear()
            await self._arrived.wait()

    @property
    def _is_complete(self) -> bool:
        return self._token is not None and (self._config.insecure_plaintext or self._tls is not None)

    def server(self) -> ServerTls:
        """What the listener shows and trusts now. Called from other threads, after `complete`."""
        assert self._tls is not None, "the listener is started when there is a certificate"
        return self._tls

    def token_key(self) -> TokenKey:
        """The key of now. Raises `KeyMaterialError` while there is none."""
        if self._token is None:
            raise KeyMaterialError(f"{TOKENS}: there is none yet")
        return self._token

    def _changed(self) -> None:
        if TOKENS in self.parts:
            self._take(TOKENS, self._new_token)
        if not self._config.insecure_plaintext:
            self._take(CERTIFICATE, self._new_tls)
        self._arrived.set()

    def _take(self, part: str, make: Callable[[], None]) -> None:
        try:
            make()
        except NotReadYet:
            pass
        except KeyMaterialError as error:
            in_use = self._token if part is TOKENS else self._tls
            if in_use is not None:
                log.error(f"The new {part} cannot be used; the last one stays in use", {fields.ERROR: str(error)})
            else:
                reporter(self._health, part)(str(error))

    def _new_token(self) -> None:
        pem = self._material.get(TOKENS)[SECRET_JWT_KEY]
        self._token = _token_key(pem, self._material.where(TOKENS))
        reporter(self._health, TOKENS)(None)

    def _new_tls(self) -> None:
        ca = ""
        if CA in self.parts:
            found = self._material.get(CA)
            ca = "\n".join(found[name].decode(errors="replace") for name in ("tls.crt", "ca.crt") if name in found)
            certificates.load_certificates(ca, self._material.where(CA))
        if self._generated is not None:
            self._tls = ServerTls(self._generated.certificate_pem, self._generated.key_pem, ca)
            return
        pair = self._material.get(CERTIFICATE)
        certificate, key = pair["tls.crt"].decode(errors="replace"), pair["tls.key"].decode(errors="replace")
        check_pair(certificate, key, self._material.where(CERTIFICATE))
        new = ServerTls(certificate, key, ca)
        if self._tls is not None and self._tls != new:
            log.info("The certificate of the principal, or the CA of agents, was replaced")
        self._tls = new
        _warn_of_expiry(certificate, self._material.where(CERTIFICATE))


def _warn_of_expiry(pem: str, where: str) -> None:
    end = certificates.load_certificates(pem, where)[0].not_valid_after_utc
    if end <= datetime.now(UTC):
        log.error(f"{where}: the certificate expired at {end:%Y-%m-%d %H:%M} UTC; agents will refuse it")


@lru_cache(maxsize=2)
def _token_key(pem: bytes, where: str) -> TokenKey:
    return TokenKey.from_pem(pem, where)


def _generated_pair() -> certificates.Pair:
    now = datetime.now(UTC)
    algorithm = private_keys.KeyAlgorithm.ECDSA_P256
    ca = certificates.make_ca(_GENERATED, "", private_keys.generate(algorithm), now, days=1)
    return certificates.issue(
        ca,
        _GENERATED,
        private_keys.generate(algorithm),
        now,
        usages=(Usage.SERVER,),
        days=1,
        dns=(_GENERATED, "localhost"),
        ips=("127.0.0.1",),
    )
