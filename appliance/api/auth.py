"""What both doors hold of who is asking."""

from __future__ import annotations

from appliance.errors import SettingsError, Unauthenticated
from appliance.settings import Settings
from appliance.settings.doors import DoorSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HINT = "send `authorization: Bearer KEY`"


def asks_for_keys(settings: Settings, host: str) -> bool:
    """Whether a door on `host` does."""
    return settings.access.keys == "always" or host not in LOOPBACK


def bearer(header: str) -> str:
    """The key in an authorization header; raises Unauthenticated for another scheme."""
    if not header:
        return ""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("let you in", "the authorization header holds no key", HINT)
    return key.strip()


def check_closed(kind: str, door: DoorSettings) -> None:
    """Off loopback nothing goes in the clear; raises SettingsError."""
    if door.host not in LOOPBACK and door.tls_certificate is None:
        raise SettingsError(
            f"open the {kind} door",
            f"{kind}.host {door.host} is not loopback, and there is no {kind}.tls_certificate",
            "make one with `lingting pki server`, or keep to 127.0.0.1",
        )
