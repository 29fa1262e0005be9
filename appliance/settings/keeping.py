"""Settings of what is kept and who is told. Every field is described in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    AnyHttpUrl,
    Field,
    IPvAnyNetwork,
)

from appliance.settings.section import PROJECT, MaybePath, Section


class StoreSettings(Section):
    folder: Path = Field(
        PROJECT / ".run" / "store",
        description="where calls, jobs, keys and audio are kept; only the box reads it",
    )
    url: str = Field(
        "", description="database of calls and jobs, e.g. postgresql+psycopg://...; else SQLite"
    )
    audio_folder: MaybePath = Field(
        None,
        description="where audio is kept, if not in the folder; of several gateways on one "
        "database the same for all",
    )
    keys_url: str = Field("", description="database of the calls' keys, apart from the other")
    master_key: MaybePath = Field(
        None, description="32 bytes that wrap the calls' keys; else made in the folder"
    )
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = Field(
        "aes-256-gcm", description="seals what new calls leave behind"
    )
    keep_calls_days: float = Field(
        180, ge=0, description="how long transcripts are kept; 0: only until a call is over, days"
    )
    keep_audio_days: float = Field(
        0, ge=0, description="how long audio is kept after its call; 0: not at all, days"
    )
    keep_orders_days: float = Field(
        1095, ge=0, description="how long orders are kept after they are over; 0: for ever, days"
    )
    reserve_mib: int = Field(
        512, ge=0, description="free disk below which recordings and audio are refused, MiB"
    )


class OrdersSettings(Section):
    push_url: AnyHttpUrl | None = Field(
        None, description="the city's existing order system, which takes each order by POST"
    )
    push_token_file: MaybePath = Field(None, description="file with the token that it asks for")
    push_allow: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks that it may be in, e.g. 192.0.2.0/24; none: it is not spoken to"
    )


class Endpoint(Section):
    """Who is told by webhook."""

    url: AnyHttpUrl
    secret_file: Path
    tenant: str = "*"  # whose calls are told: a hotline system's, or every one's
    events: tuple[str, ...] = ()


class WebhooksSettings(Section):
    endpoints: tuple[Endpoint, ...] = Field(
        (),
        description="who is told: tables of url, secret_file, tenant (none: every one's calls) "
        "and events (none: all)",
    )
    allow: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks that may be spoken to, e.g. 192.0.2.0/24; none: nobody"
    )
