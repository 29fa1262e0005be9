"""A probe with a known answer. A server that says READY may still be lying."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from appliance.errors import BundleError, EngineTimeout, LingtingError
from inference.bundles import BundleInvalid, load_manifest, read_canary
from inference.tensors import SAMPLE_RATE_HZ, Audio, Hypothesis, Priority, Window

if TYPE_CHECKING:
    from appliance.engine.protocol import SpeechEngine

# Another device rounds differently: an answer this close to the known one is right.
MAX_DISTANCE = 0.34  # share of characters
TONE_HZ, TONE_S = 440.0, 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a probe ended."""

    ok: bool
    reason: str = ""
    seconds: float = 0.0
    late: bool = False  # no answer in time, which may only mean a busy engine
    heard: Hypothesis | None = None  # what it answered, right or wrong


@dataclass(frozen=True, slots=True)
class Canary:
    """Known audio and, where the bundle tells it, known text."""

    audio: Audio
    text: str | None
    variant: str = ""  # of the speech model that is asked

    @property
    def window(self) -> Window:
        return Window(self.audio, word_times=False, retries=False, variant=self.variant)

    async def probe(self, engine: SpeechEngine, timeout_s: float) -> Verdict:
        """Ask `engine`; never raises."""
        window = self.window
        begun = time.monotonic()
        try:
            heard = await engine.ask(window, Priority.PROBE, timeout_s)
        except LingtingError as error:
            return Verdict(False, str(error), late=isinstance(error, EngineTimeout))
        seconds = time.monotonic() - begun
        if self.text is not None and not is_close(heard.text, self.text):
            return Verdict(False, f"the canary answered {heard.text!r}", seconds, heard=heard)
        return Verdict(True, seconds=seconds, heard=heard)


def is_close(heard: str, known: str) -> bool:
    return Levenshtein.distance(heard, known) <= MAX_DISTANCE * len(known)


def load_canary(bundle: Path) -> Canary:
    """The bundle's own canary; a tone with no known text for bundles that bring none."""
    try:
        manifest = load_manifest(bundle)
        audio = read_canary(bundle, manifest)
    except BundleInvalid as error:
        raise BundleError(
            "load the speech model",
            str(error),
            "make weights builds the default; or set models.asr to another bundle's folder",
        ) from error
    if audio is None or manifest.canary is None:
        return Canary(_tone(), None)
    return Canary(audio, manifest.canary.text)


def _tone() -> Audio:
    t = np.arange(int(TONE_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.1 * np.sin(2 * np.pi * TONE_HZ * t)).astype(np.float32)
