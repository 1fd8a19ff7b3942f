"""Agents that register themselves: a login makes the cluster Secret that Argo CD needs, and keeps its contents valid.

Such a Secret holds the certificate that all of them share, and a token that tells the agent; it carries a label that
says so. One without that label is a person's and is never written. The principal deletes none.

A login costs neither a signature nor a request when the hub's watch shows a Secret that has been found good for the
key and the certificate of now: each version of a Secret is checked once. Beyond the reference, a new key or
certificate renews all of these Secrets at once, agents connected or not, one after the other, so that logins go first.
Source: the wire contract, 2.7 and 2.11.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from argocd_agent.backends.ports import Cluster
from argocd_agent.errors import (
    AlreadyExists,
    AuthenticationFailed,
    ClusterError,
    Conflict,
    KeyMaterialError,
    NotFound,
    PeerUnavailable,
    Unauthorized,
)
from argocd_agent.peer.observe import Key, pause
from argocd_agent.pki.tokens import Audience, TokenKey
from argocd_agent.principal.sharedcertificate import SharedCertificate
from argocd_agent.protocol.backoff import Reconnect
from argocd_agent.protocol.events import AgentName
from argocd_agent.protocol.names import CLUSTER_SECRET_PREFIX
from argocd_agent.resources.cluster import is_agent_name
from argocd_agent.resources.clustersecret import (
    ClusterTls,
    WayIn,
    cluster_secret,
    is_self_registered,
    way_in_of,
    with_way_in,
)
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Object
from argocd_agent.telemetry import fields
from argocd_agent.telemetry.logs import get_log

log = get_log("ClusterManager")

CONFLICTS = 5
_UNSEEN = 100  # Secrets found good that the watch may not show yet; more than that are of agents that have gone


class TokenKeys(Protocol):
    """Where the key that signs tokens comes from."""

    def token_key(self) -> TokenKey:
        """The key of now. Raises `KeyMaterialError` while there is none."""
        ...

    async def token_key_after(self, known: TokenKey | None) -> TokenKey:
        """The key, as soon as there is one that is not *known*."""
        ...


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the Secrets are made from at the moment."""

    key: TokenKey
    tls: ClusterTls


class NoRegistration:
    """Nobody registers itself: agents without a cluster Secret log in, and wait for an administrator."""

    async def ensure(self, agent: AgentName) -> None:
        """As `Registration`."""

    async def read(self) -> None:
        """As `Registration`."""

    async def run(self) -> None:
        """As `Registration`."""


class Registration:
    """Makes and renews the cluster Secrets in *namespace*; *held* are those that a watch shows. `run` until cancelled.

    *address* is the resource proxy's as Argo CD reaches it, *certificate* the name of the shared certificate's Secret.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        held: Mapping[Key, Object],
        keys: TokenKeys,
        *,
        address: str,
        certificate: str,
        report: Callable[[str | None], None],
    ) -> None:
        self._cluster, self._namespace, self._address = cluster, namespace, address
        self._held, self._keys = held, keys
        self._wake = asyncio.Event()
        self._certificate = SharedCertificate(cluster, namespace, certificate, self._wake.set, report)
        self._good: dict[Key, tuple[str, str, _Basis]] = {}  # UID and version found good, and for what

    async def ensure(self, agent: AgentName) -> None:
        """See to it that *agent* has a cluster Secret, and that ours are valid. Raises `AuthenticationFailed`, and
        `PeerUnavailable` when the same may work later."""
        secret = self._held.get(self._key_of(agent))
        try:
            if secret is None or not self._is_settled(secret):
                await self._settle(agent, secret, may_create=True)
        except KeyMaterialError as error:
            raise AuthenticationFailed(f"agent {agent} cannot be registered: {error}") from error
        except ClusterError as error:
            if not _is_passing(error):
                raise AuthenticationFailed(f"agent {agent} cannot be registered: {error}") from error
            log.warning("An agent cannot be registered now", {fields.AGENT: agent, fields.ERROR: str(error)})
            raise PeerUnavailable("the agent cannot be registered at the moment") from error

    async def read(self) -> None:
        """Wait until the shared certificate has been looked for once."""
        await self._certificate.read()

    async def run(self) -> None:
        """Follow key and certificate, and renew what they have made invalid, until cancelled. Start it when *held*
        has been read."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._certificate.run(), name="watch the certificate of self-registered clusters")
            tasks.create_task(self._follow_key(), name="follow the key that signs tokens")
            tasks.create_task(self._renew(), name="renew cluster Secrets")

    async def _follow_key(self) -> None:
        key: TokenKey | None = None
        while True:
            key = await self._keys.token_key_after(key)
            self._wake.set()

    async def _renew(self) -> None:
        retry, clock = Reconnect(), asyncio.get_running_loop().time
        while True:
            await self._wake.wait()
            self._wake.clear()
            if await self._renew_all():
                retry.succeeded()
            else:
                retry.failed(clock())
                await pause(retry.delay(clock(), random.random()))
                self._wake.set()

    async def _renew_all(self) -> bool:
        """Whether there is nothing left to be tried again."""
        failed: dict[AgentName, ClusterError] = {}
        for secret in tuple(self._held.values()):
            agent = AgentName(secret.name.removeprefix(CLUSTER_SECRET_PREFIX))
            if secret.key != self._key_of(agent) or not is_agent_name(agent):
                continue  # it names an agent, but no login ever asks for it
            try:
                if not self._is_settled(secret):
                    await self._settle(agent, secret, may_create=False)
            except KeyMaterialError:
                return True  # said already; whatever is missing wakes us when it comes
            except ClusterError as error:
                failed[agent] = error
        if failed:
            agent, first = next(iter(failed.items()))  # the others mostly fail for the same reason
            about = {fields.AGENT: agent, fields.COUNT: len(failed), fields.ERROR: str(first)}
            log.warning("Cluster Secrets of self-registered agents cannot be renewed", about)
        return not any(map(_is_passing, failed.values()))

    async def _settle(self, agent: AgentName, secret: Object | None, *, may_create: bool) -> None:
        """Write the Secret of *agent* unless it is good. *secret* is what the watch shows, which may be out of date."""
        for _ in range(CONFLICTS):
            secret = secret or await self._read(agent)
            if secret is None and not may_create:
                return  # deleted meanwhile, and that is not ours to undo
            if secret is not None and self._is_settled(secret):
                return
            basis = self._basis()
            try:
                good = await (self._create(agent, basis) if secret is None else self._renewed(agent, secret, basis))
            except NotFound:
                if secret is None:
                    raise  # not the Secret is missing, but its namespace
            except (Conflict, AlreadyExists):
                pass
            else:
                self._remember(good, basis)
                return
            secret = None
        raise Conflict(f'Secret "{self._namespace}/{self._key_of(agent)[1]}" changed {CONFLICTS} times under our hands')

    async def _create(self, agent: AgentName, basis: _Basis) -> Object:
        way_in = await asyncio.to_thread(_way_in, agent, WayIn(None), basis)
        wanted = cluster_secret(agent, self._namespace, self._address, way_in)
        stored = await self._cluster.create(SECRETS, wanted)
        log.info("Agent has registered itself", {fields.AGENT: agent, fields.SECRET: stored.name})
        return stored

    async def _renewed(self, agent: AgentName, secret: Object, basis: _Basis) -> Object:
        """*secret* if it is good, otherwise as it was stored anew."""
        before = way_in_of(secret)
        after = await asyncio.to_thread(_way_in, agent, before, basis)
        if after == before:
            return secret
        stored = await self._cluster.update(SECRETS, with_way_in(secret, after))
        what = [
            name
            for name, is_new in (("token", after.token != before.token), ("certificate", after.tls != before.tls))
            if is_new
        ]
        log.info(
            "Cluster Secret of a self-registered agent was renewed",
            {fields.AGENT: agent, fields.SECRET: secret.name, fields.DETAIL: " and ".join(what)},
        )
        return stored

    async def _read(self, agent: AgentName) -> Object | None:
        try:
            return await self._cluster.get(SECRETS, *self._key_of(agent))
        except NotFound:
            return None

    def _is_settled(self, secret: Object) -> bool:
        """Whether there is nothing to do about *secret*, as far as memory can tell. Raises `KeyMaterialError`."""
        if not is_self_registered(secret):
            return True
        found = self._good.get(secret.key)
        return found is not None and found == (secret.uid, secret.version, self._basis())

    def _remember(self, secret: Object, basis: _Basis) -> None:
        self._good[secret.key] = (secret.uid, secret.version, basis)
        if len(self._good) > len(self._held) + _UNSEEN:
            self._good = {key: good for key, good in self._good.items() if key in self._held}

    def _basis(self) -> _Basis:
        return _Basis(self._keys.token_key(), self._certificate.get())

    def _key_of(self, agent: AgentName) -> Key:
        return self._namespace, CLUSTER_SECRET_PREFIX + agent


def _way_in(agent: AgentName, before: WayIn, basis: _Basis) -> WayIn:
    """What *agent*'s Secret is to give, with the token of *before* if that is valid. Takes milliseconds: it signs."""
    now = time.time()
    try:
        is_valid = basis.key.verify(before.token, Audience.RESOURCE_PROXY, now).sub == agent
    except KeyMaterialError:
        is_valid = False
    token = before.token if is_valid else basis.key.issue(Audience.RESOURCE_PROXY, agent, str(uuid4()), now)
    return WayIn(basis.tls, token)


def _is_passing(error: ClusterError) -> bool:
    """Whether the same may work later. A token of ours that is being renewed is not the agent's fault."""
    return error.retryable or isinstance(error, Conflict | Unauthorized)
