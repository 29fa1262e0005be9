"""What all legs of the box hear with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.audio.tagging import SoundTagger
from appliance.audio.vad import Vad
from appliance.call.lexicon import Lexicon
from appliance.call.pace import Pace
from appliance.engine.protocol import SpeechEngine
from appliance.errors import EngineUnavailable
from appliance.metrics import Metrics
from appliance.settings.calls import CallPolicy, EmotionsSettings, SpeakersSettings
from appliance.terms.correction import Terms


@dataclass(frozen=True, slots=True)
class Ear:
    """One per box."""

    engine: SpeechEngine
    vad: Vad
    tagger: SoundTagger
    policy: CallPolicy
    metrics: Metrics
    pace: Pace
    speakers: SpeakersSettings
    emotions: EmotionsSettings
    lexicon: Lexicon
    terms: Callable[[str], tuple[Terms, ...]]  # of a hotline system and the city, as they are now
    language: str | None = "zh"  # of calls that name none; None: heard from their first seconds

    def joined_s(self) -> float:
        """Of neighbouring utterances of a recording that the model hears best together, s."""
        try:
            return self.engine.card().joined_s
        except EngineUnavailable:
            return 0.0
