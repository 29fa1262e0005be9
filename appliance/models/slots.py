"""What serves where, in one file that changes whole.

FOLDER/active.json   of a library
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.errors import BundleError
from appliance.files import write_atomic
from inference.bundles import WHISPER

FILE, FORMAT, MODE = "active.json", 1, 0o640
# What may serve where.
SLOTS = {
    "asr": WHISPER,
    "asr_standby": WHISPER,
    "diarization": "pyannote-diarization",
    "emotion": "lingting-emotion",
}


@dataclass(frozen=True, slots=True)
class SlotState:
    """What serves in a slot, and what `rollback` goes back to; "" for what the settings name."""

    active: str = ""
    before: str = ""
    proven: str = ""  # with which the box came up last


class SlotsFile:
    """Written by whoever holds the library's lock."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    @property
    def is_kept(self) -> bool:
        """Whether anything was ever activated."""
        return self._path.is_file()

    def read(self) -> dict[str, SlotState]:
        """Of every slot; raises BundleError if the file is damaged."""
        if not self.is_kept:
            return {slot: SlotState() for slot in SLOTS}
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            if raw["format"] != FORMAT:
                raise ValueError(f"format {raw['format']!r} is not known here")
            return {slot: _slot(raw["slots"].get(slot, {})) for slot in SLOTS}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            hint = f"delete {self._path}: then what the settings name serves"
            raise BundleError("read what serves", f"{self._path}: {error}", hint) from error

    def write(self, slot: str, state: SlotState) -> None:
        """Whole or not at all."""
        slots = {**self.read(), slot: state}
        told = {"format": FORMAT, "slots": {name: asdict(each) for name, each in slots.items()}}
        write_atomic(self._path, (json.dumps(told, indent=1) + "\n").encode(), MODE)


def _slot(told: dict[str, str]) -> SlotState:
    """Before releases told what is proven, whatever was active was."""
    return SlotState(**{"proven": told.get("active", ""), **told})
