"""The box's own certificate and the authority that made it; its key is sealed to this machine."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from installer import data, layout
from installer.system import run, write
from installer.words import Text

OWN_NAMES = ("localhost", "127.0.0.1")  # in every certificate: admins call from the box itself


def make_authority(release: Path, name: str) -> None:
    """Once: callers trust it for as long as the box stands."""
    layout.PKI.mkdir(parents=True, exist_ok=True)
    if not (layout.PKI / "ca.pem").exists():
        run(
            *(layout.lingting(release), "pki", "init"),
            *("--folder", str(layout.PKI), "--name", f"Lingting {name}"),
        )


def is_good() -> bool:
    """Whether the box's certificate and its sealed key are there and belong together."""
    shown = layout.SERVER.with_suffix(".pem")
    if not (shown.exists() and data.credential("tls-key").exists()):
        return False
    with tempfile.NamedTemporaryFile(dir="/run") as key:  # in memory
        key.write(data.opened("tls-key"))
        key.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(shown, key.name)
        except (ssl.SSLError, OSError):
            return False
    return True


def make(release: Path, names: list[str]) -> None:
    """The box's own, by its authority; the key is sealed to this machine."""
    with tempfile.TemporaryDirectory(dir="/run") as memory:  # only the sealed key is on a disk
        new = Path(memory) / "new"
        run(
            *(layout.lingting(release), "pki", "server", *dict.fromkeys([*names, *OWN_NAMES])),
            *("--folder", str(layout.PKI), "--output", str(new)),
            doing=Text("签发证书", "make a certificate"),
        )
        data.seal("tls-key", new.with_suffix(".key").read_bytes())
        write(layout.SERVER.with_suffix(".pem"), new.with_suffix(".pem").read_bytes())
    for path, mode in ((layout.PKI, 0o755), *((p, 0o644) for p in layout.PKI.glob("*.pem"))):
        path.chmod(mode)
