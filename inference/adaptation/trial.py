"""How well weights hear clips: as a wire brings them, and as a telephone does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference.adaptation import augment, release
from inference.adaptation.adapters import Adapters
from inference.adaptation.clips import Look, SpeechClip, listened
from inference.asr.whisper import WhisperModel
from inference.cer import interval, score

# Of what was learned, that are tried. What is held out of general speech is of voices like those
# that were followed: it does not show all that others would lose by more.
STRENGTHS = (0.4, 0.5, 0.6)
LATEST = 1  # looks that are tried, the one of the least loss besides
MARGINS_S = (1.28, 2.5, 5.0)
MOST_FORGOTTEN = 0.01  # of the error rate on general speech
NO_WORSE = 0.002  # error rate that a smaller margin may cost
LAST_MARGIN_S = MARGINS_S[-1]


@dataclass(frozen=True, slots=True)
class HeardFigures:
    """Error rate of some clips, with the bounds of its 95 % interval."""

    cer: float
    low: float | None
    high: float | None
    clips: int
    speakers: int
    seconds: float


def figures(
    model: WhisperModel,
    clips: Sequence[SpeechClip],
    language: str,
    look: Look,
    *,
    telephone: bool = False,
    margin_s: float | None = None,
) -> HeardFigures:
    """Of at least one clip; `telephone` brings them through 8 kHz A-law."""
    brought = [
        replace(c, audio=augment.alaw_round_trip(c.audio)) if telephone else c for c in clips
    ]
    heard = listened(brought, model, language, look, margin_s)
    pairs = [(clip.text, text) for clip, text in zip(clips, heard, strict=True)]
    speakers = [clip.speaker for clip in clips]
    low, high = interval(pairs, speakers) or (None, None)
    seconds = sum(clip.seconds for clip in clips)
    return HeardFigures(score(pairs).rate, low, high, len(clips), len(set(speakers)), seconds)


@dataclass(frozen=True, slots=True)
class Choice:
    """A strength, and how well it hears."""

    file: str  # of what was learned up to some look
    strength: float
    local: float  # error rate
    general: float | None


def strongest_that_spoils_nothing(tried: Iterable[Choice], general_before: float | None) -> Choice:
    """The one that hears local speech best, of those that forget next to nothing; if all forget
    more than that, the one that forgets least."""
    choices = list(tried)
    bound = None if general_before is None else general_before + MOST_FORGOTTEN
    kept = [c for c in choices if bound is None or c.general is None or c.general <= bound]
    if not kept:
        return min(choices, key=lambda c: (c.general or 0.0, c.local))
    return min(kept, key=lambda c: (c.local, c.strength))


def smallest_margin(by_margin: dict[float, float]) -> float:
    """That hears about as well as the largest."""
    bound = by_margin[LAST_MARGIN_S] + NO_WORSE
    return min(margin for margin, rate in by_margin.items() if rate <= bound)


def weakened(learned: Adapters, strength: float) -> Adapters:
    return replace(learned, scale=learned.scale * strength)


def model_of(
    base: Path, learned: Adapters, folder: Path, threads: int, facts: Mapping[str, Any]
) -> WhisperModel:
    """The adapted weights, written into an empty folder that may go once they are loaded.

    Args:
        facts: of its manifest, where they are not the base's.
    """
    release.fill(base, learned, folder, facts)
    return WhisperModel(folder, threads=threads, compute_type="int8")
