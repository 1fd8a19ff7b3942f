"""Private keys: made, written and read as unencrypted PKCS#8 PEM."""

from enum import StrEnum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from argocd_agent.errors import ConfigError, KeyMaterialError

RSA_SIZES = (2048, 3072, 4096)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class KeyAlgorithm(StrEnum):
    """As `--key-algorithm` names them."""

    RSA = "rsa"
    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    ECDSA_P521 = "ecdsa-p521"
    ED25519 = "ed25519"


_CURVES: dict[KeyAlgorithm, ec.EllipticCurve] = {
    KeyAlgorithm.ECDSA_P256: ec.SECP256R1(),
    KeyAlgorithm.ECDSA_P384: ec.SECP384R1(),
    KeyAlgorithm.ECDSA_P521: ec.SECP521R1(),
}


def generate(algorithm: KeyAlgorithm = KeyAlgorithm.RSA, rsa_bits: int = 4096) -> PrivateKey:
    """A new private key. *rsa_bits* counts for RSA only. Raises `ConfigError` for a size that is not offered."""
    if algorithm is KeyAlgorithm.RSA:
        if rsa_bits not in RSA_SIZES:
            raise ConfigError(f"key-size: expected 2048, 3072 or 4096, found {rsa_bits}")
        return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    if algorithm is KeyAlgorithm.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(_CURVES[algorithm])


def to_pem(key: PrivateKey) -> str:
    """*key* as unencrypted PKCS#8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def from_pem(pem: str | bytes, where: str) -> PrivateKey:
    """The private key in *pem*. Raises `KeyMaterialError`, naming *where* it came from."""
    try:
        key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
    except TypeError as error:
        raise KeyMaterialError(
            f"{where}: expected a private key without a passphrase, found an encrypted one"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMaterialError(f"{where}: expected a private key in PEM (PKCS#8), found something else") from error
    if not isinstance(key, PrivateKey):
        raise KeyMaterialError(f"{where}: expected an RSA, ECDSA or Ed25519 key, found {type(key).__name__}")
    return key


def public_der(key: PublicKey) -> bytes:
    """*key* as DER SubjectPublicKeyInfo (PKIX)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def kind_and_bits(key: PublicKey) -> tuple[str, int]:
    """The key's type as people write it, and its length in bits."""
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ECDSA", key.key_size
    return "Ed25519", 256
