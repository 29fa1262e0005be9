"""Settings of how calls are heard, and how many. Every field is described in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
)

from appliance.settings.section import PROJECT, Section
from inference.tensors import MOST_SPEAKERS


class CallPolicy(Section):
    language: str = Field(
        "zh",
        description="language of calls that name none, ISO 639-1; auto: heard from the first "
        "seconds of each leg",
    )
    partial_interval_ms: int = Field(400, ge=50, description="time between partials, ms")
    partial_interval_max_ms: int = Field(
        3000, ge=50, description="what the interval widens to under load, ms"
    )
    partial_window_s: float = Field(
        8, ge=2, le=28, description="audio a partial looks back on at most, s"
    )
    partial_timeout_s: float = Field(3, gt=0, description="a partial later than this is dropped, s")
    finals_late_s: float = Field(
        1.2,
        gt=0,
        description="when live finals take an engine longer, partials are given up until they are "
        "quick again, s",
    )
    final_deadline_s: float = Field(
        60,
        gt=0,
        description="how long a final is tried again, while no engine answers, before its "
        "call is failed, s",
    )
    final_beam: int = Field(1, ge=1, le=16, description="beam of the final pass")
    stop_history_ms: int = Field(
        800, ge=64, description="silence that ends a young utterance, ms; shrinks as it grows"
    )
    stop_history_min_ms: int = Field(
        350, ge=64, description="silence that ends an utterance of 15 s or more, ms"
    )
    max_utterance_s: float = Field(
        20, ge=5, le=28, description="an utterance is cut at its quietest place before this, s"
    )
    speech_threshold: float = Field(
        0.5, gt=0, lt=1, description="speech probability from which a frame counts as speech"
    )


class SpeakersSettings(Section):
    always: bool = Field(
        False, description="tell speakers apart on every one-leg call, asked for or not"
    )
    most: int = Field(
        2, ge=1, le=MOST_SPEAKERS, description="speakers of one leg, where the caller names none"
    )
    provisional_s: float = Field(
        1.5, gt=0, description="a live utterance whose speaker takes longer is told at hang-up, s"
    )
    deadline_s: float = Field(
        120,
        gt=0,
        description="a window is tried again for so long, then the call loses its speakers, s",
    )


class CitySettings(Section):
    pack: Path = Field(
        PROJECT / "provisioning" / "city_packs" / "datong",
        description="folder of the city pack, or a link to one; sealed anew, it is taken at once",
    )
    cache: Path = Field(
        PROJECT / ".run" / "city",
        description="folder for what takes seconds to make of a pack; may be emptied",
    )


class EmotionsSettings(Section):
    enabled: bool = Field(True, description="tell moods, where a bundle is set")
    agent: bool = Field(False, description="tell the agent's moods too")
    alert_level: Literal["low", "medium", "high"] = Field(
        "high", description="level of a citizen's negative mood that raises an alert"
    )
    timeout_s: float = Field(10, gt=0, description="one engine's time for a mood, s")


class LimitsSettings(Section):
    live_legs: int = Field(
        0,
        ge=0,
        description="live legs served at once; 0: as the engine was measured to carry",
    )
    idle_streams: int = Field(1000, ge=1, description="open calls at most, talking or not")
    recordings: int = Field(8, ge=1, description="recordings worked on at once")
    recordings_waiting: int = Field(64, ge=0, description="recordings that may wait for their turn")
    decoders: int = Field(
        0,
        ge=0,
        description="processes that decode compressed audio at once; 0: as the memory allows",
    )
    recordings_queued: int = Field(
        10_000, ge=1, description="accepted recordings that may wait in the store"
    )
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="shares of hotline systems, by tenant; 1 where none is named",
    )
    recording_hours: float = Field(5, gt=0, description="longest recording by decoded duration, h")
    drain_s: float = Field(
        20, ge=0, description="on SIGTERM, how long running calls may take to finish, s"
    )
