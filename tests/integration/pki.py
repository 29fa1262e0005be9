"""Certificates for tests, made by the openssl program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def make_pki(folder: Path) -> Path:
    """ca, server and client (.pem, .key), locked.key (with a password) and garbage.pem."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test ca")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        request, subject = f"{name}.csr", f"/CN={name}"
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", request, "-subj", subject)
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-in", request, *signing, "-out", f"{name}.pem")
    openssl("ec", "-in", "server.key", "-aes256", "-passout", "pass:x", "-out", "locked.key")
    (folder / "garbage.pem").write_text("not a certificate")
    return folder
