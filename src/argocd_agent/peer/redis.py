"""The way into a Redis, as settings, files and Secrets give it: address, credentials, TLS. For both programs.

Files are read at every connection, a Secret is watched: a new password or CA is used from the next connection on. The
directory of credentials is one that Kubernetes mounts: `auth` has the password, `auth_username` may be missing.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from argocd_agent.backends.ports import Cluster
from argocd_agent.backends.redis.client import RedisOptions
from argocd_agent.errors import CacheUnavailable, ConfigError, KeyMaterialError
from argocd_agent.peer.material import Material, Piece
from argocd_agent.pki.tls import ClientTls
from argocd_agent.settings.values import Secret
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("Redis")

CA = "CA of Redis"
_CA_FIELD, _PASSWORD_FILE, _USERNAME_FILE = "ca.crt", "auth", "auth_username"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """What a user said about a Redis. Without `tls` the rest about TLS does not count; `ca_path` beats `ca_secret`."""

    address: tuple[str, int]
    username: str = ""
    password: Secret = field(default_factory=Secret)
    creds_dir: str = ""
    tls: bool = False
    insecure: bool = False
    ca_path: str = ""
    ca_secret: str = ""


def check_access(settings: RedisSettings) -> None:
    """Nothing, or `ConfigError` for a file that must be there at start and cannot be read."""
    try:
        _credentials(settings)
        if settings.tls and settings.ca_path:
            _text(Path(settings.ca_path))
    except OSError as error:
        raise ConfigError(f"Redis: cannot read {error.filename}: {error.strerror}") from error


class RedisAccess:
    """Gives `RedisOptions` of now. `run` keeps what comes from the Secret in *namespace* current."""

    def __init__(self, settings: RedisSettings, cluster: Cluster, namespace: str) -> None:
        self._settings = settings
        self._material = Material(
            cluster, namespace, list(_pieces(settings)), changed=_nothing, report=lambda _, problem: _report(problem)
        )

    def options(self) -> RedisOptions:
        """How to connect now. Raises `CacheUnavailable` while something is missing."""
        host, port = self._settings.address
        username, password = self.credentials()
        try:
            tls = self._tls() if self._settings.tls else None
        except OSError as error:
            raise CacheUnavailable(f"Redis: cannot read {error.filename}: {error.strerror}") from error
        except KeyMaterialError as error:
            raise CacheUnavailable(f"Redis: {error}") from error
        return RedisOptions(host=host, port=port, username=username, password=password, tls=tls)

    def credentials(self) -> tuple[str, Secret]:
        """User and password of now. Raises `CacheUnavailable` where their file cannot be read."""
        try:
            return _credentials(self._settings)
        except OSError as error:
            raise CacheUnavailable(f"Redis: cannot read {error.filename}: {error.strerror}") from error

    async def run(self) -> None:
        """Keep the CA current, until cancelled."""
        if self._settings.tls:
            await self._material.run()
        else:
            await asyncio.get_running_loop().create_future()

    def _tls(self) -> ClientTls:
        settings = self._settings
        ca, where = "", settings.ca_path
        if settings.ca_path:
            ca = _text(Path(settings.ca_path))
        elif not settings.insecure:
            ca, where = self._material.get(CA)[_CA_FIELD].decode(errors="replace"), self._material.where(CA)
        return ClientTls(
            ca_pem=ca,
            verify=not settings.insecure,
            where_ca=where,
            alpn="",
        )


def _pieces(settings: RedisSettings) -> list[Piece]:
    if settings.tls and not settings.insecure and not settings.ca_path:
        return [Piece(CA, settings.ca_secret, (_CA_FIELD,))]
    return []


def _credentials(settings: RedisSettings) -> tuple[str, Secret]:
    if not settings.creds_dir:
        return settings.username, settings.password
    folder = Path(settings.creds_dir)
    password = _text(folder / _PASSWORD_FILE).strip()
    try:
        username = _text(folder / _USERNAME_FILE).strip()
    except FileNotFoundError:
        username = ""
    return username, Secret(password)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _report(problem: str | None) -> None:
    if problem is None:
        log.info("The CA of Redis was read")
    else:
        log.warning("The CA of Redis is missing; Redis is not used until it is there", {fields.REASON: problem})


def _nothing() -> None:
    """The CA is asked for at every connection."""
