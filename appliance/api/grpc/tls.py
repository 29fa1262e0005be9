"""Server credentials from PEM files, checked before gRPC sees them.

gRPC itself says only "Failed to bind" of a bad file, so OpenSSL is asked first.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc

from appliance.errors import SettingsError
from appliance.settings import Grpc

DOING = "set up TLS of the gRPC door"


def server_credentials(settings: Grpc) -> Any | None:
    """Credentials, or None for plain text; raises SettingsError naming the file at fault."""
    if settings.tls_certificate is None:
        for name in ("tls_key", "tls_client_ca"):
            if getattr(settings, name) is not None:
                raise SettingsError(DOING, f"grpc.{name} is set, but no grpc.tls_certificate")
        return None
    if settings.tls_key is None:
        raise SettingsError(DOING, "grpc.tls_certificate is set, but no grpc.tls_key")
    chain, key = _read(settings.tls_certificate), _read(settings.tls_key)
    _check_pair(settings.tls_certificate, settings.tls_key)
    authorities = None
    if settings.tls_client_ca is not None:
        authorities = _read(settings.tls_client_ca)
        _check_authorities(settings.tls_client_ca)
    return grpc.ssl_server_credentials(
        [(key, chain)], authorities, require_client_auth=authorities is not None
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(DOING, f"{path}: {error.strerror}") from error


def _check_pair(certificate: Path, key: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # The empty password keeps OpenSSL from asking at the terminal for an encrypted key's.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            DOING, f"{certificate} with {key}: {error}", "both must be PEM and belong together"
        ) from error


def _check_authorities(path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except ssl.SSLError as error:
        raise SettingsError(DOING, f"{path}: {error}", "it must hold PEM certificates") from error
