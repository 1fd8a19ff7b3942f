"""Secrets as the commands read and write them."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from argocd_agent.cli.places import Place
from argocd_agent.errors import ConfigError, KeyMaterialError, NotFound
from argocd_agent.pki.certificates import Pair
from argocd_agent.resources.kinds import SECRETS
from argocd_agent.resources.objects import Metadata, Object, new_object

TYPE_TLS = "kubernetes.io/tls"
TYPE_OPAQUE = "Opaque"
CERTIFICATE, KEY, CA = "tls.crt", "tls.key", "ca.crt"


def secret(
    name: str,
    namespace: str,
    data: Mapping[str, str],
    kind: str = TYPE_OPAQUE,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """A Secret of type *kind* holding *data* as texts."""
    metadata = Metadata(
        name=name,
        namespace=namespace,
        labels=dict(labels) if labels else None,
        annotations=dict(annotations) if annotations else None,
    )
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return new_object(SECRETS, metadata, type=kind, data=encoded)


def tls_secret(name: str, namespace: str, pair: Pair) -> Object:
    """A Secret of type kubernetes.io/tls."""
    return secret(name, namespace, {CERTIFICATE: pair.certificate_pem, KEY: pair.key_pem}, TYPE_TLS)


def texts(obj: Object) -> dict[str, str]:
    """The data of a Secret, decoded. Raises `KeyMaterialError` for what is not text in base64."""
    data: Any = obj.look("data") or {}
    try:
        return {str(key): base64.b64decode(value, validate=True).decode() for key, value in data.items()}
    except (binascii.Error, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise KeyMaterialError(f"Secret {obj.namespace}/{obj.name}: its data is not text in base64") from error


async def find(place: Place, name: str) -> Object | None:
    """The Secret, None if there is none."""
    try:
        return await place.cluster.get(SECRETS, place.namespace, name)
    except NotFound:
        return None


async def read_pair(place: Place, name: str, hint: str = "") -> Pair:
    """Certificate and key of a Secret. Raises `ConfigError`, with *hint*, when there is no such Secret."""
    obj = await find(place, name)
    if obj is None:
        raise ConfigError(f"Secret {name} does not exist in {place.where}" + (f": {hint}" if hint else ""))
    data = texts(obj)
    missing = [key for key in (CERTIFICATE, KEY) if not data.get(key)]
    if missing:
        raise KeyMaterialError(f"Secret {name} in {place.where} has no {' and no '.join(missing)}")
    return Pair(data[CERTIFICATE], data[KEY])


async def store(place: Place, obj: Object, *, replace: bool, flag: str) -> None:
    """Create the Secret, or with *replace* put it in the place of one of the same type. *flag* is what allows that.
    Raises `ConfigError` when it exists and may not be replaced."""
    existing = await find(place, obj.name)
    if existing is None:
        await place.cluster.create(SECRETS, obj)
        return
    if not replace:
        raise ConfigError(f"Secret {obj.name} exists already in {place.where}: {flag} replaces it")
    before, after = existing.look("type") or TYPE_OPAQUE, obj.look("type")
    if before != after:
        raise ConfigError(f"Secret {obj.name} in {place.where} is of type {before}, expected {after}: delete it first")
    await place.cluster.update(SECRETS, obj.with_metadata(resource_version=existing.version))
