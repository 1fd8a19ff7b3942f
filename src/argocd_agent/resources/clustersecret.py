"""The cluster Secret of an agent: how it is made, what it gives Argo CD for the way in, and how only that is replaced.

The way in is a client certificate with its key, the CA of the resource proxy, and for an agent that registered itself
a bearer token. Source: docs/protocol, 2.11, and
https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from argocd_agent.codec import decode, decode_any, encode
from argocd_agent.errors import DecodeError
from argocd_agent.protocol.names import (
    ANNOTATION_MANAGED_BY,
    ANNOTATION_SKIP_RECONCILE,
    CLUSTER_SECRET_PREFIX,
    LABEL_AGENT_NAME,
    LABEL_SECRET_TYPE,
    LABEL_SELF_REGISTERED,
    MANAGED_BY,
    SECRET_TYPE_CLUSTER,
)
from argocd_agent.resources.cluster import secret_text
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object

_TYPE = "Opaque"


@dataclass(frozen=True, slots=True)
class ClusterTls:
    """Certificate, key and CA, in PEM, as bytes: nothing here depends on what they say."""

    certificate: bytes
    key: bytes
    ca: bytes

    def __repr__(self) -> str:
        return "ClusterTls(***)"


@dataclass(frozen=True, slots=True)
class WayIn:
    """What a cluster Secret gives to Argo CD. `tls` None: nothing that can be read."""

    tls: ClusterTls | None
    token: str = ""

    def __repr__(self) -> str:
        return "WayIn(***)"


class EncodedTls(msgspec.Struct, rename={"certificate": "certData", "key": "keyData", "ca": "caData"}):
    """`tlsClientConfig`: PEM texts in base64."""

    certificate: str = ""
    key: str = ""
    ca: str = ""


class _Config(msgspec.Struct, rename={"tls": "tlsClientConfig", "token": "bearerToken"}):
    tls: EncodedTls
    token: str = ""


def encoded_tls(config: str, what: str) -> EncodedTls:
    """The TLS part of a cluster Secret's field `config`. Raises `DecodeError`, naming *what* was being read."""
    return decode(config, _Config, what).tls


def cluster_secret(
    agent: str, namespace: str, address: str, way_in: WayIn, labels: Mapping[str, str] | None = None
) -> Object:
    """The Secret that makes *agent* a cluster of the Argo CD in *namespace*, behind the resource proxy at *address*
    (host:port). One with a token in it is marked as registered by the agent itself."""
    marks = {LABEL_SECRET_TYPE: SECRET_TYPE_CLUSTER, LABEL_AGENT_NAME: agent}
    marks |= {LABEL_SELF_REGISTERED: "true"} if way_in.token else {}
    metadata = Metadata(
        name=CLUSTER_SECRET_PREFIX + agent,
        namespace=namespace,
        labels={**(labels or {}), **marks},
        annotations={ANNOTATION_MANAGED_BY: MANAGED_BY, ANNOTATION_SKIP_RECONCILE: "true"},
    )
    data = {
        "name": agent.encode(),
        # The query only makes the URL, by which Argo CD tells clusters apart, one agent's own.
        "server": f"https://{address}?agentName={quote(agent)}".encode(),
        "config": encode(_config({}, way_in)),
    }
    return new_object(SECRETS, metadata, type=_TYPE, data={key: _base64(value) for key, value in data.items()})


def is_self_registered(secret: Object) -> bool:
    """Whether the agent registered itself, so that the Secret is ours to renew; any other is a person's."""
    return secret.labels.get(LABEL_SELF_REGISTERED) == "true"


def way_in_of(secret: Object) -> WayIn:
    """What *secret* gives to Argo CD. What cannot be read counts as absent: it is of no use to Argo CD either."""
    try:
        config = decode(secret_text(secret, "config"), _Config)
        parts = (config.tls.certificate, config.tls.key, config.tls.ca)
        return WayIn(ClusterTls(*(base64.b64decode(part, validate=True) for part in parts)), config.token)
    except (DecodeError, binascii.Error, ValueError):
        return WayIn(None)


def with_way_in(secret: Object, way_in: WayIn) -> Object:
    """*secret* with this way in, and everything else, whatever else its config says included, as it is."""
    try:
        config = decode_any(secret_text(secret, "config"))
    except DecodeError:
        config = {}
    data = secret.look("data")
    written = _base64(encode(_config(config if isinstance(config, dict) else {}, way_in)))
    return secret.with_fields({"data": encode({**(data if isinstance(data, dict) else {}), "config": written})})


def _config(before: Mapping[str, Any], way_in: WayIn) -> dict[str, Any]:
    tls = before.get("tlsClientConfig")
    config = {**before, "tlsClientConfig": dict(tls) if isinstance(tls, dict) else {}}
    if way_in.tls is not None:
        config["tlsClientConfig"] |= {
            "insecure": False,  # Argo CD takes no CA together with true
            "certData": _base64(way_in.tls.certificate),
            "keyData": _base64(way_in.tls.key),
            "caData": _base64(way_in.tls.ca),
        }
    return {**config, "bearerToken": way_in.token} if way_in.token else config


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
