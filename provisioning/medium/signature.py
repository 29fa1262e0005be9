"""Who made a medium: an OpenPGP signature over its checksums, which any Debian can check (gpgv)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SUMS, SIGNATURE, KEYRING = "SHA256SUMS", "SHA256SUMS.sig", "release-key.gpg"


class SigningFailed(RuntimeError):
    """gpg's own words."""


class Signer:
    """A GnuPG home with one secret key.

    Args:
        home: a folder of its own, mode 700. Without a key in it one is made, for trying out: real
            releases are signed with a key that is kept offline.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._gpg("--list-secret-keys", "--with-colons"):
            name = "Lingting trial build (not a release key)"
            self._gpg("--quick-generate-key", name, "ed25519", "sign", "never")

    def sign(self, folder: Path, epoch: int) -> None:
        """Write the key and the signature beside the checksums; the same bytes for the same key."""
        (folder / KEYRING).write_bytes(self._gpg("--export"))
        (folder / SIGNATURE).write_bytes(
            self._gpg(
                *("--faked-system-time", f"{max(epoch, self._born())}!"),
                *("--digest-algo", "SHA512", "--detach-sign", "--output", "-", str(folder / SUMS)),
            )
        )

    def fingerprint(self) -> str:
        """Of the key, to be told to whoever installs by another way than the medium."""
        return self._colons("fpr", 9)

    def _born(self) -> int:
        """A key cannot sign before it was made, s since 1970."""
        return int(self._colons("sec", 5))

    def _colons(self, record: str, column: int) -> str:
        listed = self._gpg("--list-secret-keys", "--with-colons").decode().splitlines()
        return next(line.split(":")[column] for line in listed if line.partition(":")[0] == record)

    def _gpg(self, *arguments: str) -> bytes:
        base = ["gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback"]
        base += ["--passphrase", ""]
        done = subprocess.run(
            [*base, *arguments],
            env={**os.environ, "GNUPGHOME": str(self._home), "LC_ALL": "C"},
            capture_output=True,
        )
        if done.returncode:
            raise SigningFailed(done.stderr.decode(errors="replace").strip())
        return done.stdout
