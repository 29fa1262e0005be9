"""Who vouches for a bundle: Ed25519 signatures over its manifest, which names every file's hash.

A city signs what it built or tried with a key of its own; the project's key stands beside it. What
nobody vouches for is not taken.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from appliance.errors import BundleError, Conflict, SettingsError
from appliance.files import write_atomic, write_new
from inference.bundles import MANIFEST, SIGNATURE

FORMAT = 1
SIGNED = b"lingting bundle manifest 1\n"  # before what is signed: good for nothing else
PUBLIC = ".pub"
TRUSTING, SIGNING = "check who signed a bundle", "sign a bundle"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that may vouch for bundles."""

    name: str  # of its file
    id: str  # first half of the SHA-256 of the key
    key: Ed25519PublicKey


def create_key(path: Path) -> str:
    """A new private key, and its public half beside it as .pub; returns its id.

    Raises Conflict if a file is in the way.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        write_new(path, private)
    except FileExistsError:
        hint = "name another, or use that one"
        raise Conflict("make a signing key", f"{path} exists", hint) from None
    write_atomic(path.with_suffix(PUBLIC), public)
    return _id(key.public_key())


def sign(folder: Path, key_path: Path) -> str:
    """Sign the manifest of a bundle, beside the signatures that hold; returns the key's id.

    Raises BundleError or SettingsError.
    """
    key = _private(key_path)
    manifest = (folder / MANIFEST).read_bytes()
    mine = {
        "key": _id(key.public_key()),
        "signature": base64.b64encode(key.sign(SIGNED + manifest)).decode(),
    }
    others = [each for each in _signatures(folder) if each["key"] != mine["key"]]
    text = json.dumps({"format": FORMAT, "signatures": [*others, mine]}, indent=1)
    write_atomic(folder / SIGNATURE, (text + "\n").encode())
    return mine["key"]


class TrustedKeys:
    """The public keys in a folder, as .pub files; whoever may write there decides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[TrustedKey]:
        """Raises SettingsError, naming a file that is no key."""
        paths = sorted(self._folder.glob(f"*{PUBLIC}")) if self._folder.is_dir() else []
        return [_signer(path) for path in paths]

    def add(self, path: Path, name: str) -> TrustedKey:
        """Trust a key from now on; raises SettingsError or Conflict."""
        signer = _signer(path)
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{name}{PUBLIC}"
        if target.exists() and _signer(target).id != signer.id:
            raise Conflict("trust a key", f"another key is called {name}", "name it otherwise")
        write_atomic(target, path.read_bytes())
        return TrustedKey(name, signer.id, signer.key)

    def who_signed(self, folder: Path) -> TrustedKey:
        """The first trusted key whose signature of the bundle holds; raises BundleError."""
        signatures = {each["key"]: each["signature"] for each in _signatures(folder)}
        if not signatures:
            hint = "sign it: lingting models sign FOLDER --key KEY"
            raise BundleError(TRUSTING, f"{folder / SIGNATURE} is missing", hint)
        manifest = (folder / MANIFEST).read_bytes()
        known = [signer for signer in self.all() if signer.id in signatures]
        for signer in known:
            if _holds(signer, signatures[signer.id], manifest):
                return signer
        if known:
            cause = f"{folder / MANIFEST} is not what {known[0].name} signed"
            raise BundleError(TRUSTING, cause, "fetch the bundle again")
        names = ", ".join(sorted(signatures))
        cause = f"{folder.name} is signed by {names}, whom this box does not trust"
        hint = "trust the key, if it is the right one: lingting models trust FILE.pub"
        raise BundleError(TRUSTING, cause, hint)


def _holds(signer: TrustedKey, signature: str, manifest: bytes) -> bool:
    try:
        signer.key.verify(base64.b64decode(signature, validate=True), SIGNED + manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signatures(folder: Path) -> list[dict[str, str]]:
    path = folder / SIGNATURE
    if not path.is_file():
        return []
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']!r} is not known here")
        return [{"key": str(e["key"]), "signature": str(e["signature"])} for e in raw["signatures"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(TRUSTING, f"{path} is no signature: {error}", "sign it anew") from error


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(SIGNING, f"{path} is no private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(SIGNING, f"{path} is no Ed25519 key", "lingting models key makes one")
    return key


def _signer(path: Path) -> TrustedKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(TRUSTING, f"{path} is no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(TRUSTING, f"{path} is no Ed25519 key", "lingting models key makes one")
    return TrustedKey(path.stem, _id(key), key)


def _id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:32]
