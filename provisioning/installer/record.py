"""What the installer has done and is doing, on the disk before it does it: a power cut may come."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field

from installer import layout
from installer.system import write

PATH = layout.STATE / "state.json"
HISTORY = layout.STATE / "history.jsonl"

PREPARING = "preparing"  # what serves is untouched
SWITCHED = "switched"  # the new release serves, on trial
COMMITTED = "committed"
REVERTING = "reverting"  # the older release is on its way back
REVERTED = "reverted"


@dataclass(slots=True)
class InstallRecord:
    """One operation, from its first step to its end."""

    operation: str = "install"
    version: str = ""
    previous: str = ""  # version that served before; empty: none
    phase: str = COMMITTED
    step: str = ""
    done: list[str] = field(default_factory=list)
    schema: dict[str, str] = field(default_factory=dict)  # revision by branch, before
    begun_at: float = 0.0  # s since 1970

    def save(self) -> None:
        write(PATH, json.dumps(asdict(self), indent=2) + "\n", 0o600)

    def end(self, phase: str) -> None:
        self.phase, self.step = phase, ""
        self.save()
        with HISTORY.open("a", encoding="utf-8") as file:
            told = {**asdict(self), "ended_at": time.time()}
            file.write(json.dumps(told) + "\n")


def load() -> InstallRecord:
    """The last operation; a fresh record if there was none."""
    try:
        return InstallRecord(**json.loads(PATH.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return InstallRecord()
