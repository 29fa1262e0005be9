"""What one adaptation is to learn, as files: checked, cut and tokenised, ready for training.

A job is a folder: `job.json`, the clips as 16-bit 16 kHz samples, and what training leaves there.
Training needs nothing else, and none of the libraries that made it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inference.adaptation import whole
from inference.adaptation.waveform import Audio

FILE = "job.json"
DONE = "trained.json"  # what training leaves in the end
LOOKS = "look-*.safetensors"  # what was learned up to each look


def look_file(step: int) -> str:
    return LOOKS.replace("*", f"{step:05d}")


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """Somebody says something."""

    file: str  # in the job's folder: .npy, int16, 16 kHz
    tokens: tuple[int, ...]  # of what is said
    speaker: str
    seconds: float
    marked: bool  # whether the text has punctuation; else none is taught


@dataclass(frozen=True, slots=True)
class ClipSource:
    """Clips that are drawn alike."""

    name: str
    weight: float  # share of what is drawn, beside the other sources'
    clips: tuple[TrainingClip, ...]
    joined: tuple[int, int] = (0, 1)  # more clips of one speaker put behind, at least and at most
    followed: bool = False  # heard well already: what the base makes of it is taught, not the text

    @property
    def seconds(self) -> float:
        return sum(clip.seconds for clip in self.clips)


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """Tokens that training puts around a text."""

    start: tuple[int, ...]  # <|startoftranscript|> <|zh|> <|transcribe|> <|notimestamps|>
    previous: int  # <|startofprev|>
    end: int  # <|endoftext|>
    stop: tuple[int, ...]  # 。 at the end of a text without punctuation
    prompt: tuple[int, ...]  # the bundle's own
    marks: tuple[int, ...]  # every token that is punctuation alone


@dataclass(frozen=True, slots=True)
class AdaptationPlan:
    """How to train."""

    steps: int
    rank: int = 32
    scale: float = 2.0
    part: str = ""  # of the network that learns: encoder/, decoder/, or all of it
    peak_rate: float = 1e-3
    frames: int = 7000  # of a batch, 10 ms each
    seed: int = 1
    check_every: int = 50  # steps between looks at what is held out, and checkpoints
    patience: int = 4  # looks without a better one, until it stops
    telephone: float = 0.55  # that come through 8 kHz A-law
    masked: bool = False  # spans of time and pitch are left out of what is learned from
    dropout: float = 0.0  # of what an adapter is given
    following: float = 1.0  # weight of the distance to the base, on sources where it is followed
    threads: int = 0  # 0: torch's choice
    device: str = "cpu"  # as torch names it


@dataclass(frozen=True, slots=True)
class AdaptationJob:
    """All of it."""

    base: str  # folder of the bundle whose weights are adapted
    plan: AdaptationPlan
    vocabulary: PromptTokens
    sources: tuple[ClipSource, ...]
    held_out: tuple[TrainingClip, ...] = field(default=())  # for stopping early

    def save(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False)
        whole.write(folder / FILE, text + "\n")


def load(folder: Path) -> AdaptationJob:
    """The inverse of `save`; raises OSError, ValueError, KeyError or TypeError."""
    raw = json.loads((folder / FILE).read_text(encoding="utf-8"))
    vocabulary = {k: _tuples(v) for k, v in raw["vocabulary"].items()}
    sources = (
        ClipSource(**{**each, "clips": _clips(each["clips"]), "joined": tuple(each["joined"])})
        for each in raw["sources"]
    )
    return AdaptationJob(
        raw["base"],
        AdaptationPlan(**raw["plan"]),
        PromptTokens(**vocabulary),
        tuple(sources),
        _clips(raw["held_out"]),
    )


def _clips(raw: Sequence[dict[str, Any]]) -> tuple[TrainingClip, ...]:
    return tuple(TrainingClip(**{**each, "tokens": tuple(each["tokens"])}) for each in raw)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def read_clip(folder: Path, clip: TrainingClip) -> Audio:
    return read_samples(folder / clip.file)


def read_samples(path: Path) -> Audio:
    """Raises OSError or ValueError."""
    return np.asarray(np.load(path, allow_pickle=False) / 32768, np.float32)


def write_clip(path: Path, audio: Audio) -> None:
    np.save(path, (np.clip(audio, -1, 1) * 32767).astype(np.int16))
