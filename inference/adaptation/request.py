"""What somebody wants adapted, as whoever decoded the recordings wrote it down."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from inference.adaptation import whole

FILE = "request.json"


@dataclass(frozen=True, slots=True)
class SpokenRecording:
    """Speech of one person, cut to where somebody speaks."""

    file: str  # in the work folder: .npy, int16, 16 kHz; empty if it could not be read
    source: str  # the recording, as its list names it
    text: str
    speaker: str
    refused: str = ""  # why it cannot be used
    pieces: int = 1  # that the recording was cut into; each has the text of the whole


@dataclass(frozen=True, slots=True)
class AdaptationRequest:
    """Everything but the sound."""

    base: str  # folder of the bundle to adapt
    name: str  # of the new one
    version: str
    language: str
    minutes: float  # of local speech to learn from, at most
    steps: int  # of learning; 0: by the minutes
    curve: bool  # whether smaller amounts are learned from, too
    device: str  # cpu or cuda
    torch: str  # the Python that has it
    local: tuple[SpokenRecording, ...]
    general: tuple[SpokenRecording, ...] = field(default=())  # not to be forgotten

    def save(self, folder: Path) -> None:
        """Whole or not at all: a folder with it is one that can be gone on with."""
        whole.write(folder / FILE, json.dumps(asdict(self), ensure_ascii=False))


def load(folder: Path) -> AdaptationRequest:
    """The inverse of `save`; raises OSError, ValueError, KeyError or TypeError."""
    raw = json.loads((folder / FILE).read_text(encoding="utf-8"))
    for part in ("local", "general"):
        raw[part] = tuple(SpokenRecording(**each) for each in raw[part])
    return AdaptationRequest(**raw)
