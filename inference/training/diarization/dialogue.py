"""Dialogues with their truth: who speaks when, to 10 ms."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, Audio, as_audio

STEP_S = 0.01
FLOOR_DB = -40.0  # below an utterance's peak nobody speaks
CLOSED_S = 0.25  # shorter pauses belong to the speech around them


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """One utterance of a dialogue."""

    speaker: int
    audio: Audio
    gap_s: float  # from the end of the turn before; negative: spoken over it


@dataclass(slots=True)
class Dialogue:
    """Audio, and `active` [speakers, steps of 10 ms], true where that speaker speaks."""

    audio: Audio
    active: npt.NDArray[np.bool_] = field(repr=False)


def activity(audio: Audio) -> npt.NDArray[np.bool_]:
    """[steps]: where there is speech in a clean utterance."""
    step = int(STEP_S * RATE_HZ)
    whole = np.pad(audio, (0, -len(audio) % step)).reshape(-1, step)
    level = np.abs(whole).max(axis=1)
    loud = level > level.max(initial=0.0) * 10 ** (FLOOR_DB / 20)
    return close(loud, round(CLOSED_S / STEP_S))


def close(active: npt.NDArray[np.bool_], longest: int) -> npt.NDArray[np.bool_]:
    """Fill pauses of at most `longest` steps between speech."""
    closed = active.copy()
    spoken = np.flatnonzero(active)
    for before, after in itertools.pairwise(spoken):
        if 1 < after - before <= longest + 1:
            closed[before:after] = True
    return closed


def lay_out(turns: Sequence[DialogueTurn], speakers: int, tail_s: float = 0.5) -> Dialogue:
    """The turns one after another, over each other where their gap is negative."""
    placed, cursor, last_begin = list[tuple[int, DialogueTurn]](), 0, 0
    for turn in turns:
        begin = max(last_begin, 0, cursor + round(turn.gap_s * RATE_HZ))
        placed.append((begin, turn))
        cursor, last_begin = max(cursor, begin + len(turn.audio)), begin
    step = int(STEP_S * RATE_HZ)
    steps = -(-(cursor + round(tail_s * RATE_HZ)) // step)
    audio = np.zeros(steps * step, np.float32)
    active = np.zeros((speakers, steps), np.bool_)
    for begin, turn in placed:
        audio[begin : begin + len(turn.audio)] += turn.audio
        spoken = activity(turn.audio)
        at = round(begin / step)
        spoken = spoken[: steps - at]
        active[turn.speaker, at : at + len(spoken)] |= spoken
    for row in active:
        row[:] = close(row, round(CLOSED_S / STEP_S))
    return Dialogue(as_audio(audio), active)


def draw_gap(rng: random.Random) -> float:
    """Mostly a breath, sometimes a thought, now and then an interruption."""
    if rng.random() < 0.33:
        return -rng.uniform(0.2, 2.0)
    return rng.uniform(0.05, 0.8) if rng.random() < 0.8 else rng.uniform(0.8, 3.0)


def by_telephone(dialogue: Dialogue, rng: random.Random, narrow: float, noisy: float) -> Dialogue:
    """The same, as a line brings it; `narrow` and `noisy` are chances."""
    audio = augment.at_level(dialogue.audio, rng.uniform(-20, -1))
    if rng.random() < noisy:
        noises = np.random.default_rng(rng.getrandbits(32))
        noise = augment.coloured_noise(noises, len(audio), rng.uniform(0, 2))
        audio = augment.add_noise(audio, noise, rng.uniform(10, 35))
    if rng.random() < narrow:
        audio = augment.alaw_round_trip(audio)
    return Dialogue(audio, dialogue.active)
