"""Server credentials from PEM files, checked before a server sees them.

gRPC itself says only "Failed to bind" of a bad file, so OpenSSL is asked first.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import grpc

from appliance.errors import SettingsError
from appliance.settings.doors import DoorSettings, GrpcSettings

DOING = "set up TLS"


def server_credentials(settings: GrpcSettings) -> tuple[Any | None, Any | None]:
    """Of the port for keys and of the port for certificates; None: plain text, or no such port.

    gRPC cannot ask for a certificate and do without: where there is no second port, the first
    demands one as soon as authorities are named. Raises SettingsError naming the file at fault.
    """
    check_tls("grpc", settings)
    if settings.tls_certificate is None or settings.tls_key is None:
        return None, None
    pair = [(_read(settings.tls_key), _read(settings.tls_certificate))]
    if settings.tls_client_ca is None:
        return grpc.ssl_server_credentials(pair), None
    demanding = grpc.ssl_server_credentials(
        pair, _read(settings.tls_client_ca), require_client_auth=True
    )
    if settings.mtls_port is None:
        return demanding, None
    return grpc.ssl_server_credentials(pair), demanding


def check_tls(kind: str, door: DoorSettings) -> None:
    """Raises SettingsError if `door` ("grpc", "http") asks for TLS that cannot be."""
    if door.tls_certificate is None:
        for name in ("tls_key", "tls_client_ca"):
            if getattr(door, name) is not None:
                cause = f"{kind}.{name} is set, but no {kind}.tls_certificate"
                raise SettingsError(DOING, cause, f"set {kind}.tls_certificate, or neither")
        return
    if door.tls_key is None:
        cause = f"{kind}.tls_certificate is set, but no {kind}.tls_key"
        raise SettingsError(DOING, cause, f"set {kind}.tls_key")
    for path in (door.tls_certificate, door.tls_key):
        _read(path)
    _check_pair(door.tls_certificate, door.tls_key)
    if isinstance(door, GrpcSettings) and door.mtls_port is not None and door.tls_client_ca is None:
        cause = "grpc.mtls_port is set, but no grpc.tls_client_ca"
        raise SettingsError(DOING, cause, "set grpc.tls_client_ca")
    if door.tls_client_ca is not None:
        _read(door.tls_client_ca)
        _check_authorities(door.tls_client_ca)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "correct the path, or who may read it"
        raise SettingsError(DOING, f"{path}: {error.strerror}", hint) from error


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
