"""`pki`: a small CA of our own, kept in Secrets, and the certificates that it signs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from argocd_agent.cli.output import Record
from argocd_agent.cli.places import Place
from argocd_agent.cli.secrets import CA, CERTIFICATE, find, read_pair, secret, store, texts, tls_secret
from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki import certificates, keys
from argocd_agent.pki.certificates import Pair, Usage
from argocd_agent.protocol.names import (
    SECRET_CA,
    SECRET_CLIENT_TLS,
    SECRET_PRINCIPAL_TLS,
    SECRET_RESOURCE_PROXY_TLS,
)
from argocd_agent.settings.values import is_ip

CA_NAME = SECRET_CA  # the CA is called as its Secret is, like the reference's
PRINCIPAL_NAME = "argocd-agent-principal"
RESOURCE_PROXY_NAME = "argocd-agent-resource-proxy"
MAKE_A_CA = "make one with 'argocd-agentctl pki init'"
RFC1123Z = "%a, %d %b %Y %H:%M:%S %z"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """How a certificate is to be made."""

    algorithm: keys.KeyAlgorithm
    size: int
    days: int

    def new_key(self) -> keys.PrivateKey:
        """A new private key."""
        return keys.generate(self.algorithm, self.size)


async def make_ca(hub: Place, options: KeyOptions, now: datetime, *, force: bool) -> str:
    """Make a CA and keep it on the hub; what to tell the user."""
    if not force and await find(hub, SECRET_CA) is not None:
        raise ConfigError(
            f"Secret {SECRET_CA} exists already in {hub.where}: --force replaces it, and everything that the old CA "
            f"signed is then no longer trusted"
        )
    pair = certificates.make_ca(CA_NAME, "", options.new_key(), now, options.days)
    await store(hub, tls_secret(SECRET_CA, hub.namespace, pair), replace=force, flag="--force")
    return f"CA made and kept as Secret {SECRET_CA} in {hub.where}"


async def ca_of(hub: Place) -> Pair:
    """The CA on the hub. Raises `ConfigError` when there is none, `KeyMaterialError` when it is none."""
    pair = await read_pair(hub, SECRET_CA, MAKE_A_CA)
    certificates.load_ca(pair, f"Secret {SECRET_CA} in {hub.where}")
    return pair


async def issue_server(
    hub: Place,
    name: str,
    secret_name: str,
    options: KeyOptions,
    now: datetime,
    *,
    ips: Sequence[str],
    dns: Sequence[str],
    upsert: bool,
) -> str:
    """Issue a server certificate into a Secret on the hub; what to tell the user."""
    for ip in ips:
        if not is_ip(ip):
            raise ConfigError(f"--ip: {ip!r} is not an IP address")
    ca = await ca_of(hub)
    await _refuse_existing(hub, secret_name, upsert=upsert)
    pair = certificates.issue(
        ca, name, options.new_key(), now, usages=(Usage.SERVER,), days=options.days, dns=dns, ips=ips
    )
    await store(hub, tls_secret(secret_name, hub.namespace, pair), replace=upsert, flag="--upsert")
    names = ", ".join((*dns, *ips)) or "no name"
    return f"Certificate for {names} issued as Secret {secret_name} in {hub.where}"


async def issue_agent(hub: Place, spoke: Place, name: str, options: KeyOptions, now: datetime, *, upsert: bool) -> str:
    """Issue an agent's client certificate into a Secret on its spoke, with the CA's certificate beside it."""
    ca = await ca_of(hub)
    await _refuse_existing(spoke, SECRET_CLIENT_TLS, upsert=upsert)
    pair = certificates.issue(ca, name, options.new_key(), now, usages=(Usage.CLIENT,), days=options.days)
    await store(spoke, tls_secret(SECRET_CLIENT_TLS, spoke.namespace, pair), replace=upsert, flag="--upsert")
    lines = [f"Certificate for agent {name} issued as Secret {SECRET_CLIENT_TLS} in {spoke.where}"]
    if await _is_same_secret(hub, spoke):
        lines.append(f"Secret {SECRET_CA} in {spoke.where} is the CA itself and stays")
    else:
        public = secret(SECRET_CA, spoke.namespace, {CA: ca.certificate_pem})
        await store(spoke, public, replace=True, flag="--upsert")
        lines.append(f"CA certificate kept as Secret {SECRET_CA} in {spoke.where}")
    return "\n".join(lines)


async def propagate(hub: Place, spoke: Place, *, force: bool) -> str:
    """Copy the CA's certificate, without its key, to a spoke. The same certificate there already is fine."""
    ca = await ca_of(hub)
    existing = await find(spoke, SECRET_CA)
    if existing is not None and texts(existing).get(CA) == ca.certificate_pem:
        return f"Secret {SECRET_CA} in {spoke.where} holds this CA certificate already"
    public = secret(SECRET_CA, spoke.namespace, {CA: ca.certificate_pem})
    await store(spoke, public, replace=force, flag="--force")
    return f"CA certificate kept as Secret {SECRET_CA} in {spoke.where}"


async def inspect(hub: Place) -> Record:
    """The CA and what is issued on the hub; a missing certificate is an empty record."""
    ca = await read_pair(hub, SECRET_CA, MAKE_A_CA)
    return {
        "ca": _record(ca.certificate_pem, f"Secret {SECRET_CA}", is_ca=True),
        "principal": await _leaf(hub, SECRET_PRINCIPAL_TLS),
        "resourceProxy": await _leaf(hub, SECRET_RESOURCE_PROXY_TLS),
    }


async def _leaf(hub: Place, name: str) -> Record:
    obj = await find(hub, name)
    if obj is None:
        return {}
    pem = texts(obj).get(CERTIFICATE)
    if not pem:
        raise KeyMaterialError(f"Secret {name} in {hub.where} has no {CERTIFICATE}")
    return _record(pem, f"Secret {name}", is_ca=False)


def _record(pem: str, where: str, *, is_ca: bool) -> Record:
    found = certificates.describe(certificates.load_certificates(pem, where)[0], expect_ca=is_ca)
    return {
        "subject": found.subject,
        "keyType": found.key_type,
        "keyLength": found.key_bits,
        "notBefore": found.not_before.strftime(RFC1123Z),
        "notAfter": found.not_after.strftime(RFC1123Z),
        "sha256": found.sha256,
        "ips": list(found.ips),
        "dns": list(found.dns),
        "warnings": list(found.warnings),
    }


async def _refuse_existing(place: Place, name: str, *, upsert: bool) -> None:
    """Before a key is made, which takes seconds: refuse what `store` would refuse after it."""
    if not upsert and await find(place, name) is not None:
        raise ConfigError(f"Secret {name} exists already in {place.where}: --upsert replaces it")


async def _is_same_secret(hub: Place, spoke: Place) -> bool:
    """Whether hub and spoke are one namespace of one cluster, where the CA with its key must not be overwritten."""
    here, there = await find(hub, SECRET_CA), await find(spoke, SECRET_CA)
    return here is not None and there is not None and here.uid == there.uid
