"""`jwt`: the key that the principal signs tokens with."""

import hashlib
from datetime import datetime

from argocd_agent.cli.commands.pki import RFC1123Z
from argocd_agent.cli.output import Record
from argocd_agent.cli.places import Place
from argocd_agent.cli.secrets import find, secret, store, texts
from argocd_agent.errors import ConfigError, KeyMaterialError
from argocd_agent.pki import keys
from argocd_agent.protocol.names import SECRET_JWT, SECRET_JWT_KEY

KEY_BITS = 4096


async def create_key(hub: Place, *, upsert: bool) -> str:
    """Make a key and keep it on the hub; what to tell the user."""
    if not upsert and await find(hub, SECRET_JWT) is not None:
        raise ConfigError(
            f"Secret {SECRET_JWT} exists already in {hub.where}: --upsert replaces it; all agents then log in anew"
        )
    pem = keys.to_pem(keys.generate(keys.KeyAlgorithm.RSA, KEY_BITS))
    obj = secret(SECRET_JWT, hub.namespace, {SECRET_JWT_KEY: pem})
    await store(hub, obj, replace=upsert, flag="--upsert")
    return f"Signing key made and kept as Secret {SECRET_JWT} in {hub.where}"


async def inspect_key(hub: Place) -> Record:
    """What is known about the key. Raises `KeyMaterialError` when it is not an RSA key."""
    obj = await find(hub, SECRET_JWT)
    if obj is None:
        raise ConfigError(f"Secret {SECRET_JWT} does not exist in {hub.where}: make it with 'jwt create-key'")
    pem = texts(obj).get(SECRET_JWT_KEY, "")
    if not pem:
        raise KeyMaterialError(f"Secret {SECRET_JWT} in {hub.where} has no {SECRET_JWT_KEY}")
    public = keys.from_pem(pem, f"Secret {SECRET_JWT}, {SECRET_JWT_KEY}").public_key()
    kind, bits = keys.kind_and_bits(public)
    if kind != "RSA":
        raise KeyMaterialError(f"Secret {SECRET_JWT}, {SECRET_JWT_KEY}: expected an RSA key, found {kind}")
    created = obj.metadata.creation_timestamp or ""
    return {
        "keyType": kind,
        "keyLength": bits,
        "created": datetime.fromisoformat(created).strftime(RFC1123Z) if created else "",
        "sha256": hashlib.sha256(keys.public_der(public)).hexdigest(),
    }
