"""`agent`: agents as the hub knows them, which is by a cluster Secret of Argo CD for each."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime

from argocd_agent.backends.ports import Scope
from argocd_agent.cli.commands.pki import KeyOptions, ca_of
from argocd_agent.cli.output import Record
from argocd_agent.cli.places import Place
from argocd_agent.cli.secrets import CA, find, read_pair, store, texts
from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki import certificates
from argocd_agent.pki.certificates import Pair, Usage
from argocd_agent.pki.fingerprints import fingerprint, to_der
from argocd_agent.protocol.names import CLUSTER_SECRET_PREFIX, LABEL_AGENT_NAME
from argocd_agent.resources.cluster import is_agent_name
from argocd_agent.resources.clustersecret import ClusterTls, EncodedTls, WayIn, cluster_secret, encoded_tls
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.settings.values import parse_address, parse_list, show_address

_RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


def parse_labels(entries: Sequence[str]) -> dict[str, str]:
    """Labels from `k=v,k2=v2` texts. Raises `ConfigError` for a duplicate or a malformed one."""
    found: dict[str, str] = {}
    for entry in parse_list(",".join(entries)):
        key, equals, value = entry.partition("=")
        if not equals or not key:
            raise ConfigError(f"--label: {entry!r} is not key=value")
        if key in found:
            raise ConfigError(f"--label: {key} is given twice")
        found[key] = value
    return found


def check_name(name: str) -> str:
    """*name*, if an agent can be called so. Raises `ConfigError`."""
    if not is_agent_name(name):
        raise ConfigError(
            f"{name!r} cannot be an agent's name: expected a DNS label (a-z, 0-9 and -, at most 63), which is all that "
            f"the principal lets in"
        )
    return name


async def create(
    hub: Place,
    name: str,
    server: str,
    labels: Mapping[str, str],
    material: tuple[Pair, str],
) -> str:
    """Keep the cluster Secret for agent *name*, with certificate and CA from *material*; what to tell the user."""
    pair, ca_pem = material
    tls = ClusterTls(pair.certificate_pem.encode(), pair.key_pem.encode(), ca_pem.encode())
    obj = cluster_secret(name, hub.namespace, server_address(server), WayIn(tls), labels)
    await store(hub, obj, replace=False, flag="deleting it")
    return f"Agent {name} is known to the hub now: Secret {obj.name} in {hub.where}"


async def refuse_known(hub: Place, name: str) -> None:
    """Raise `ConfigError` when the hub has a cluster Secret for *name*."""
    if await find(hub, CLUSTER_SECRET_PREFIX + name) is not None:
        raise ConfigError(f"agent {name} exists already: Secret {CLUSTER_SECRET_PREFIX}{name} in {hub.where}")


def server_address(text: str) -> str:
    """`host:port` of the resource proxy, checked. Raises `ConfigError`."""
    try:
        address = parse_address(text)
    except ConfigError as error:
        raise ConfigError(f"--resource-proxy-server: {error}") from error
    if address is None or not address[0]:
        raise ConfigError(f"--resource-proxy-server: {text!r} is not an address (host:port)")
    return show_address(address)


async def issued_material(hub: Place, name: str, options: KeyOptions, now: datetime) -> tuple[Pair, str]:
    """A new client certificate for Argo CD to use toward the resource proxy, and the CA."""
    ca = await ca_of(hub)
    pair = certificates.issue(ca, name, options.new_key(), now, usages=(Usage.CLIENT,), days=options.days)
    return pair, ca.certificate_pem


async def given_material(hub: Place, tls_from: str, ca_from: str) -> tuple[Pair, str]:
    """Certificate, key and CA out of Secrets of the hub, named `[namespace/]name`."""
    tls_place, tls_name = _place_of(hub, tls_from)
    pair = await read_pair(tls_place, tls_name)
    certificates.load_pair(pair, f"Secret {tls_name}")
    ca_place, ca_name = _place_of(hub, ca_from)
    obj = await find(ca_place, ca_name)
    if obj is None:
        raise ConfigError(f"Secret {ca_name} does not exist in {ca_place.where}")
    pem = texts(obj).get(CA, "")
    certificates.load_certificates(pem, f"Secret {ca_name}, {CA}")
    return pair, pem


async def names(hub: Place, labels: Sequence[str]) -> list[str]:
    """The names of all agents, or of those with *labels* (selector terms)."""
    selector = ",".join([LABEL_AGENT_NAME, *parse_list(",".join(labels))])
    found, token = list[str](), ""
    while True:
        page = await hub.cluster.list(SECRETS, Scope(hub.namespace, labels=selector), token=token)
        found += [obj.labels[LABEL_AGENT_NAME] for obj in page.items]
        token = page.next_token
        if not token:
            return sorted(found)


async def inspect(hub: Place, name: str) -> Record:
    """What the cluster Secret of agent *name* holds. Raises `ConfigError` when the hub does not know it."""
    data = await _data_of(hub, name)
    tls = _tls_of(name, data)
    pair = Pair(_text(tls.certificate, name), _text(tls.key, name))
    chain = certificates.load_certificates(pair.certificate_pem, f"agent {name}, certData")
    if len(chain) != 1:
        raise KeyMaterialError(f"agent {name}, certData: expected one certificate, found {len(chain)}")
    certificate, _ = certificates.load_pair(pair, f"agent {name}")
    return {
        "server": data.get("server", ""),
        "name": data.get("name", ""),
        "notValidBefore": certificate.not_valid_before_utc.strftime(_RFC3339),
        "notValidAfter": certificate.not_valid_after_utc.strftime(_RFC3339),
        "fingerprint": fingerprint(to_der(certificate)),
    }


async def tls_part(hub: Place, name: str, part: str) -> str:
    """One PEM text (cert, key or ca) out of the cluster Secret of agent *name*."""
    tls = _tls_of(name, await _data_of(hub, name))
    return _text({"cert": tls.certificate, "key": tls.key, "ca": tls.ca}[part], name)


async def _data_of(hub: Place, name: str) -> dict[str, str]:
    obj = await find(hub, CLUSTER_SECRET_PREFIX + name)
    if obj is None:
        raise ConfigError(f"no agent {name}: Secret {CLUSTER_SECRET_PREFIX}{name} does not exist in {hub.where}")
    return texts(obj)


def _tls_of(name: str, data: Mapping[str, str]) -> EncodedTls:
    return encoded_tls(data.get("config", ""), f"agent {name}, config")


def _place_of(hub: Place, text: str) -> tuple[Place, str]:
    namespace, slash, name = text.rpartition("/")
    if not slash:
        return hub, text
    return Place(hub.cluster, namespace, f"namespace {namespace} of the hub"), name


def _text(encoded: str, name: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise KeyMaterialError(f"agent {name}: its TLS data is not PEM text in base64") from error
