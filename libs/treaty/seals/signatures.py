"""Signatures of seals with Ed25519 (RFC 8032), by the library `cryptography`, which is imported if a key is set."""

import base64
from collections.abc import Callable
from typing import Any

from treaty.settings import SettingsError


def signer(pem: str) -> Callable[[str], str]:
    """Returns a function that signs a hash; without a key (an empty text) it returns an empty signature.

    Args:
        pem: an Ed25519 private key, as `openssl genpkey -algorithm ed25519` writes it.

    Raises:
        SettingsError: if it is no such key.
    """
    if not pem:
        return lambda _: ""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _key_of(lambda: load_pem_private_key(pem.encode(), password=None), Ed25519PrivateKey, "TREATY_SEAL_KEY")

    def sign(sealed: str) -> str:
        return base64.b64encode(key.sign(sealed.encode())).decode()

    return sign


def verifier(pem: str) -> Callable[[str, str], bool]:
    """Returns a function that says whether a hash has this signature.

    Args:
        pem: an Ed25519 public key, as `openssl pkey -pubout` writes it.

    Raises:
        SettingsError: if it is no such key.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _key_of(lambda: load_pem_public_key(pem.encode()), Ed25519PublicKey, "the public key")

    def verifies(sealed: str, signature: str) -> bool:
        try:
            key.verify(base64.b64decode(signature, validate=True), sealed.encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    return verifies


def _key_of(load: Callable[[], object], kind: type, name: str) -> Any:
    try:
        key = load()
    except Exception as error:
        raise SettingsError(f"{name} is not an Ed25519 key in PEM: {error}") from None
    if not isinstance(key, kind):
        raise SettingsError(f"{name} is not an Ed25519 key")
    return key
