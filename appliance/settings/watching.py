"""Settings of how the box is watched. Every field is described in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
)

from appliance.settings.section import Section


def _on_loopback(address: str) -> str:
    host, _, port = address.rpartition(":")
    if address and not (host in ("127.0.0.1", "[::1]", "localhost") and port.isdecimal()):
        raise ValueError(f"{address!r} is not HOST:PORT on loopback, such as 127.0.0.1:4317")
    return address


class WatchSettings(Section):
    firewall: Path = Field(
        Path("/run/lingting-firewall/counters.json"),
        description="where root writes down what the firewall has dropped",
    )
    quiet_call_minutes: float = Field(
        10,
        ge=0,
        description="without a live call for so long the box places one of its own; 0: never, min",
    )


class TracesSettings(Section):
    collector: Annotated[str, AfterValidator(_on_loopback)] = Field(
        "",
        description="OTLP gRPC address of a collector on this machine, e.g. 127.0.0.1:4317; "
        "empty: no traces",
    )
    share: float = Field(0.1, gt=0, le=1, description="share of calls that are traced, 0..1")


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level")
    format: Literal["text", "json", "journal"] = Field(
        "text", description="one line per event, as text or JSON; journal: into systemd's"
    )
