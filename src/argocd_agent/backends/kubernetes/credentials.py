"""What proves who we are, as it is now: files are read again, plugins asked again when what they gave has expired.

`current` is asked before every request and answers from memory. A token's file is read again after a minute (the
kubelet replaces it long before it expires); a plugin runs as a subprocess, once for all who wait, at most
`PLUGIN_SECONDS`. `forget` makes the next `current` start afresh: an API server said 401.
"""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from argocd_agent.backends.kubernetes.config import KubeConfig, Plugin, User
from argocd_agent.codec import decode, encode
from argocd_agent.errors import ConfigError, DecodeError, Unavailable

TOKEN_FILE_SECONDS = 60.0  # as client-go
PLUGIN_SECONDS = 60.0  # a cloud's login may be slow, but requests wait for it
EXPIRY_MARGIN_SECONDS = 10.0  # a request on its way must still arrive in time
OUTPUT_SHOWN_BYTES = 300


@dataclass(frozen=True, slots=True)
class Credential:
    """The `Authorization` header and the client certificate with its key; each may be empty."""

    authorization: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


class _PluginStatus(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _PluginAnswer(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    status: _PluginStatus | None = None


class Credentials:
    """The credential of one user. *clock* is wall clock time in seconds: expiries are given in it."""

    def __init__(self, config: KubeConfig, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._clock = clock
        self._held: Credential | None = None
        self._good_until = 0.0
        self._asking: asyncio.Task[_PluginStatus] | None = None

    async def current(self) -> Credential:
        """The credential to use now. Raises `Unavailable` when a file or plugin does not give one."""
        held = self._held
        if held is not None and self._clock() < self._good_until:
            return held
        user = self._config.user
        if user.plugin is None:
            good_until = self._clock() + TOKEN_FILE_SECONDS if user.token_file else float("inf")
            made = _from_user(user)
        else:
            status = await self._ask(user.plugin)
            expiry = status.expiration_timestamp
            good_until = float("inf") if expiry is None else expiry.timestamp() - EXPIRY_MARGIN_SECONDS
            made = _from_plugin(user, status)
        self._held, self._good_until = made, good_until
        return made

    def forget(self, rejected: Credential) -> None:
        """*rejected* was not accepted. What somebody else has obtained since is kept."""
        if self._held is rejected:
            self._held = None

    async def close(self) -> None:
        """End a plugin that still runs."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _ask(self, plugin: Plugin) -> _PluginStatus:
        """One run serves all who wait for it, and goes on when one of them is cancelled."""
        if self._asking is None or self._asking.done():
            name = f"credential plugin {plugin.command}"
            self._asking = asyncio.create_task(_run(plugin, self._config), name=name)
            self._asking.add_done_callback(_collect)
        return await asyncio.shield(self._asking)


def _collect(task: asyncio.Task[_PluginStatus]) -> None:
    """Those who wait get the error; that nobody waits any more is no reason for a warning."""
    if not task.cancelled():
        task.exception()


def _from_user(user: User) -> Credential:
    try:
        certificate, key = user.certificate.read(), user.key.read()
        token = Path(user.token_file).read_text("ascii").strip() if user.token_file else user.token
    except ConfigError as error:
        raise Unavailable(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f'user "{user.name}": cannot read the token file {user.token_file}: {error}') from error
    authorization = f"Bearer {token}" if token else ""
    if user.username and not token:
        pair = f"{user.username}:{user.password}".encode()
        authorization = f"Basic {base64.b64encode(pair).decode()}"
    return Credential(authorization, certificate, key)


def _from_plugin(user: User, status: _PluginStatus) -> Credential:
    """What the user entry itself gives wins over the plugin's, as for client-go."""
    own = _from_user(user)
    authorization = own.authorization or (f"Bearer {status.token}" if status.token else "")
    if own.certificate:
        return Credential(authorization, own.certificate, own.key)
    return Credential(authorization, status.client_certificate_data.encode(), status.client_key_data.encode())


async def _run(plugin: Plugin, config: KubeConfig) -> _PluginStatus:
    who = f'credential plugin {plugin.command} of user "{config.user.name}"'
    hint = f"; {plugin.install_hint}" if plugin.install_hint else ""
    environ = {**plugin.environ, "KUBERNETES_EXEC_INFO": _exec_info(plugin, config)}
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command, *plugin.arguments, env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise Unavailable(f"{who} cannot be started: {error.strerror}{hint}") from error
    try:
        async with asyncio.timeout(PLUGIN_SECONDS):
            output, complaint = await process.communicate()
    except TimeoutError as error:
        raise Unavailable(f"{who} gave no answer within {PLUGIN_SECONDS:.0f} s{hint}") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = " ".join(complaint[-OUTPUT_SHOWN_BYTES:].decode("utf-8", "replace").split())
        raise Unavailable(f"{who} failed with status {process.returncode}: {said}{hint}")
    return _answer(output, plugin, who)


def _answer(output: bytes, plugin: Plugin, who: str) -> _PluginStatus:
    try:
        answer = decode(output, _PluginAnswer, who)
    except DecodeError as error:
        raise Unavailable(f"{error}: expected an ExecCredential") from error
    if answer.kind != "ExecCredential" or answer.api_version != plugin.api_version or answer.status is None:
        raise Unavailable(
            f"{who}: expected an ExecCredential of {plugin.api_version} with a status, "
            f'found kind "{answer.kind}" of "{answer.api_version}"'
        )
    status = answer.status
    if bool(status.client_certificate_data) != bool(status.client_key_data):
        raise Unavailable(f"{who}: clientCertificateData and clientKeyData go together, found one of them")
    if not status.token and not status.client_certificate_data:
        raise Unavailable(f"{who}: gave neither a token nor a client certificate")
    return status


def _exec_info(plugin: Plugin, config: KubeConfig) -> str:
    """As https://kubernetes.io/docs/reference/config-api/client-authentication.v1/ lays it out."""
    spec: dict[str, object] = {"interactive": False}
    if plugin.wants_cluster:
        cluster: dict[str, object] = {"server": config.server}
        if config.server_name:
            cluster["tls-server-name"] = config.server_name
        if config.skips_verification:
            cluster["insecure-skip-tls-verify"] = True
        if config.ca:
            cluster["certificate-authority-data"] = base64.b64encode(config.ca.read()).decode()
        if config.proxy:
            cluster["proxy-url"] = config.proxy
        spec["cluster"] = cluster
    return encode({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}).decode()
