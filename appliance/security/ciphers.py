"""Authenticated ciphers behind one seam, so that a deployment chooses: AES, or SM4 of GB/T 32907.

Sealed data is a 12-byte nonce, the ciphertext, and a 16-byte tag.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Construction
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES, TAG_BYTES = 12, 16


class Tampered(ValueError):
    """Sealed data that does not open: altered, cut, or of another key."""


class Cipher(Protocol):
    """An AEAD. `about` is authenticated, not hidden."""

    name: str
    key_bytes: int

    def seal(self, key: bytes, plain: bytes, about: bytes) -> bytes:
        """Under a fresh random nonce."""

    def open(self, key: bytes, sealed: bytes, about: bytes) -> bytes:
        """Raises Tampered."""


class Aes256Gcm:
    name = "aes-256-gcm"
    key_bytes = 32

    def seal(self, key: bytes, plain: bytes, about: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, plain, about)

    def open(self, key: bytes, sealed: bytes, about: bytes) -> bytes:
        try:
            return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
        except (InvalidTag, ValueError) as error:
            raise Tampered("sealed data does not open") from error


class Sm4Gcm:
    name = "sm4-gcm"
    key_bytes = 16

    def seal(self, key: bytes, plain: bytes, about: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        encryptor = Construction(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(about)
        return nonce + encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def open(self, key: bytes, sealed: bytes, about: bytes) -> bytes:
        nonce, body, tag = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:-TAG_BYTES], sealed[-TAG_BYTES:]
        try:
            decryptor = Construction(algorithms.SM4(key), modes.GCM(nonce, tag)).decryptor()
            decryptor.authenticate_additional_data(about)
            return decryptor.update(body) + decryptor.finalize()
        except (InvalidTag, ValueError) as error:
            raise Tampered("sealed data does not open") from error


CIPHERS: Mapping[str, Cipher] = {cipher.name: cipher for cipher in (Aes256Gcm(), Sm4Gcm())}
