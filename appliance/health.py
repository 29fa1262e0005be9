"""How a part of the box is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a part of the box does its work, and why not."""

    ok: bool
    reason: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)  # what each says of itself, for people
    in_use: str = ""  # the part that answers
    live_legs: int | None = None  # that it carries, once that is known
