"""The principal's keys and certificates, current without a restart: from Secrets, from files, or made for a trial."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import KeyMaterialError
from argocd_agent.peer.material import Material, Missing, Piece
from argocd_agent.peer.program import reporter
from argocd_agent.pki import certificates
from argocd_agent.pki import keys as private_keys
from argocd_agent.pki.certificates import Pair, Usage
from argocd_agent.pki.tls import ServerTls, check_pair
from argocd_agent.pki.tokens import TokenKey
from argocd_agent.principal.config import PrincipalConfig
from argocd_agent.protocol.names import SECRET_JWT_KEY
from argocd_agent.telemetry.health import Health
from argocd_agent.telemetry.logs import get_log

log = get_log("Keys")

CERTIFICATE, CA, TOKENS = "certificate of the principal", "CA of agents", "key that signs tokens"
_GENERATED = "argocd-agent-principal--generated"
_GENERATED_DAYS = 365


class Keys:
    """What the principal proves itself with, and what it checks agents by. `run` until cancelled."""

    def __init__(self, config: PrincipalConfig, cluster: Cluster, health: Health) -> None:
        self._config, self._health = config, health
        self._arrived = asyncio.Event()
        self._signs_anew = asyncio.Event()  # of the key that is the next one
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
        self._pair: Pair | None = _generated_pair() if config.insecure_tls_generate else None
        self._ca = ""

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

    async def token_key_after(self, known: TokenKey | None) -> TokenKey:
        """The key that signs tokens, as soon as there is one that is not *known*."""
        while self._token is None or self._token is known:
            await self._signs_anew.wait()
        return self._token

    def _changed(self) -> None:
        for part, make in ((TOKENS, self._new_token), (CA, self._new_ca), (CERTIFICATE, self._new_pair)):
            if part in self.parts:
                self._take(part, make)
        if self._pair is not None and (self._ca or CA not in self.parts):
            new = ServerTls(self._pair.certificate_pem, self._pair.key_pem, self._ca)
            if self._tls is not None and self._tls != new:
                log.info("The certificate of the principal, or the CA of agents, was replaced")
            self._tls = new
        self._arrived.set()

    def _take(self, part: str, make: Callable[[], None]) -> None:
        """Use the new *part*, if it can be used."""
        report = reporter(self._health, part)
        try:
            make()
        except Missing:
            pass  # said already, by whoever looks for it
        except KeyMaterialError as error:
            if self._is_complete:
                log.error(f"{error}; the last one stays in use")
            else:
                report(str(error))
        else:
            report(None)

    def _new_token(self) -> None:
        pem = self._material.get(TOKENS)[SECRET_JWT_KEY]
        key = _token_key(pem, self._material.where(TOKENS))
        if key is not self._token:
            self._token = key
            self._signs_anew.set()
            self._signs_anew = asyncio.Event()

    def _new_ca(self) -> None:
        found, where = self._material.get(CA), self._material.where(CA)
        ca = "\n".join(found[name].decode(errors="replace") for name in ("tls.crt", "ca.crt") if name in found)
        certificates.load_certificates(ca, where)
        self._ca = ca

    def _new_pair(self) -> None:
        found, where = self._material.get(CERTIFICATE), self._material.where(CERTIFICATE)
        pair = Pair(found["tls.crt"].decode(errors="replace"), found["tls.key"].decode(errors="replace"))
        check_pair(pair.certificate_pem, pair.key_pem, where)
        if pair != self._pair:
            _warn_of_expiry(pair.certificate_pem, where)
        self._pair = pair


def _warn_of_expiry(pem: str, where: str) -> None:
    end = certificates.load_certificates(pem, where)[0].not_valid_after_utc
    if end <= datetime.now(UTC):
        log.error(f"{where}: the certificate expired at {end:%Y-%m-%d %H:%M} UTC; agents will refuse it")


@lru_cache(maxsize=2)
def _token_key(pem: bytes, where: str) -> TokenKey:
    return TokenKey.from_pem(pem, where)


def _generated_pair() -> Pair:
    now = datetime.now(UTC)
    algorithm = private_keys.KeyAlgorithm.ECDSA_P256
    ca = certificates.make_ca(_GENERATED, "", private_keys.generate(algorithm), now, days=_GENERATED_DAYS + 1)
    return certificates.issue(
        ca,
        _GENERATED,
        private_keys.generate(algorithm),
        now,
        usages=(Usage.SERVER,),
        days=_GENERATED_DAYS,
        dns=(_GENERATED, "localhost"),
        ips=("127.0.0.1",),
    )
