"""Settings of the doors, and of who may come in. Every field is described in docs/settings.md."""

from __future__ import annotations

from typing import Literal

from pydantic import (
    Field,
)

from appliance.settings.section import MaybePath, Section


class DoorSettings(Section):
    """What both servers have in common."""

    host: str = Field("127.0.0.1", description="address it listens on")
    tls_certificate: MaybePath = Field(None, description="PEM chain; set it to serve TLS")
    tls_key: MaybePath = Field(None, description="PEM key of the certificate")
    tls_client_ca: MaybePath = Field(
        None, description="PEM authorities of client certificates (mTLS), see docs/security.md"
    )


class GrpcSettings(DoorSettings):
    port: int = Field(50051, ge=0, le=65535, description="its port; 0 picks a free one")
    mtls_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="second port, for callers with client certificates; then `port` demands none",
    )
    max_message_mib: int = Field(64, ge=1, le=1024, description="largest single message, MiB")
    idle_timeout_s: float = Field(60, gt=0, description="a stream that sends nothing is ended, s")
    reflection: bool = Field(True, description="answer gRPC server reflection")


class HttpSettings(DoorSettings):
    port: int = Field(9000, ge=0, le=65535, description="its port; 0 picks a free one")
    max_upload_mib: int = Field(1024, ge=1, description="largest upload, MiB")
    share: MaybePath = Field(
        None, description="folder whose recordings /api/v1/recordings takes by path"
    )


class LocalSettings(Section):
    """Doors for this machine's own programs, which the file system guards."""

    folder: MaybePath = Field(
        None, description="folder for the Unix sockets grpc.sock and http.sock; empty: none"
    )


class AccessSettings(Section):
    keys: Literal["auto", "always"] = Field(
        "auto",
        description="auto: a door on loopback asks for no key; always: every door does",
    )
    requests_per_minute: int = Field(
        600, ge=1, description="of one credential, unless it has a number of its own"
    )
    admin_two_factors: bool = Field(
        False, description="an admin's key counts only together with its client certificate"
    )


class AuditSettings(Section):
    folder: MaybePath = Field(None, description="where the audit log is; else in the store's")
    hash: Literal["sm3", "sha256"] = Field("sm3", description="what chains its records")
    key: MaybePath = Field(
        None, description="32 bytes of Ed25519 that sign its heads; else made in the folder"
    )
