"""One check of `lingting doctor`: what was looked at, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    ok = "ok"
    warn = "warn"  # works, with something less
    fail = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: CheckState
    found: str
    fix: str = ""
