"""Dialogues of people who never met, made of their single recordings: who speaks when is known.

Anybody's list of recordings of one person each will do. Twenty dialogues of half a minute to one
minute, the same every time: mostly two people, every fifth three; turns of one to seven seconds,
a third of them begun before the other has ended; levels and line noise as calls have them; all
through 8 kHz A-law.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from appliance.errors import SettingsError
from appliance.messages import SpeakerTurn
from inference.adaptation import augment
from inference.tensors import SAMPLE_RATE_HZ, Audio
from tools.evaluation.diarization import LabelledRecording
from tools.evaluation.speech import Clip

COUNT, LENGTH_S = 20, (35.0, 60.0)
LEAST_S, LONGEST_S = 0.6, 3.5  # of a piece of speech, cut at a person's own pauses
ENOUGH_S = 2.4  # of speech, for a person to take part
OVERLAPPING, OVERLAP_S, GAP_S = 0.3, (0.3, 1.5), (0.05, 1.2)
GOES_ON = 0.15  # chance that who spoke last speaks again
PAUSE_S = 0.5  # a shorter pause is within a turn
CUT_S = 0.25  # of a pause that a recording may be cut at
SPOKEN_DB, ABOVE_NOISE_DB, SURELY_DB = -34.0, 5.0, -12.0
STEP = SAMPLE_RATE_HZ // 100  # samples of 10 ms

Speaks = npt.NDArray[np.bool_]  # [steps]
People = Mapping[str, Sequence[Audio]]


def dialogues(clips: Sequence[Clip]) -> list[LabelledRecording]:
    """Of the people who speak in them; raises SettingsError if there are fewer than three."""
    people: dict[str, list[Audio]] = {}
    for clip in clips:
        people.setdefault(clip.speaker, []).extend(pieces(clip.audio))
    enough = ENOUGH_S * SAMPLE_RATE_HZ
    people = {name: each for name, each in people.items() if sum(map(len, each)) >= enough}
    if len(people) < 3:
        cause = f"the list holds {len(people)} people who speak for {ENOUGH_S:g} s"
        raise SettingsError(
            "make dialogues", cause, "name the speaker of each recording, three or more in all"
        )
    return [_dialogue(number, people) for number in range(COUNT)]


def spoken(audio: Audio, pause_s: float = PAUSE_S) -> Speaks:
    """Where one person's recording, whatever its noise, holds speech; shorter pauses filled."""
    padded = np.pad(audio, (0, -len(audio) % STEP)).reshape(-1, STEP)
    power = np.convolve(np.mean(padded**2, axis=1), np.ones(3) / 3, "same")
    level_db = 10 * np.log10(power + 1e-10)
    quiet_db, loud_db = np.percentile(level_db, (10, 95))
    noise_db = min(quiet_db + ABOVE_NOISE_DB, loud_db + SURELY_DB)
    return _filled(level_db > max(loud_db + SPOKEN_DB, noise_db), pause_s)


def _filled(speaks: Speaks, pause_s: float) -> Speaks:
    filled, at = speaks.copy(), np.flatnonzero(speaks)
    for before, after in itertools.pairwise(at):
        if after - before <= pause_s * 100:
            filled[before:after] = True
    return filled


def _edges(speaks: Speaks) -> list[list[int]]:
    """First step of each stretch, and the one after its last."""
    found: list[list[int]] = (
        np.flatnonzero(np.diff(np.pad(speaks.astype(np.int8), 1))).reshape(-1, 2).tolist()
    )
    return found


def pieces(audio: Audio) -> list[Audio]:
    """A recording cut at the person's pauses."""
    found: list[list[int]] = []
    for begin, end in _edges(spoken(audio, CUT_S)):
        if found and end - found[-1][0] <= LONGEST_S * 100:
            found[-1][1] = end
        else:
            found.append([begin, end])
    long = [(begin, end) for begin, end in found if end - begin >= LEAST_S * 100]
    return [audio[begin * STEP : end * STEP] for begin, end in long]


def _dialogue(number: int, people: People) -> LabelledRecording:
    rng = random.Random(number)
    names = rng.sample(sorted(people), 3 if number % 5 == 0 else 2)
    said = {name: rng.sample(list(people[name]), len(people[name])) for name in names}
    levels_db = {name: rng.uniform(-6, 0) for name in names}
    wanted, now, used = rng.uniform(*LENGTH_S) * SAMPLE_RATE_HZ, rng.randrange(len(names)), 0
    audio, truth, end = np.zeros(0, np.float32), list[SpeakerTurn](), 0
    while end < wanted:
        name = names[now]
        parts = [said[name][(used + i) % len(said[name])] for i in range(rng.choice((1, 1, 2)))]
        used += len(parts)
        turn = augment.at_level(np.concatenate(parts), levels_db[name])
        over = end and rng.random() < OVERLAPPING
        gap_s = -rng.uniform(*OVERLAP_S) if over else rng.uniform(*GAP_S)
        begin = max(0, end + round(gap_s * SAMPLE_RATE_HZ))
        audio = np.pad(audio, (0, max(0, begin + len(turn) - len(audio))))
        audio[begin : begin + len(turn)] += turn
        truth += _turns(now, begin, spoken(turn))
        end = max(end, begin + len(turn))
        if rng.random() >= GOES_ON:
            now = rng.choice([i for i in range(len(names)) if i != now])
    kind = "three" if len(names) == 3 else "two"
    return LabelledRecording(f"{kind}-{number:02d}", _by_telephone(audio, rng), tuple(truth))


def _turns(speaker: int, begin: int, speaks: Speaks) -> list[SpeakerTurn]:
    start_ms = round(begin / SAMPLE_RATE_HZ * 1000)
    return [
        SpeakerTurn(speaker, start_ms + first * 10, start_ms + after * 10)
        for first, after in _edges(speaks)
    ]


def _by_telephone(audio: Audio, rng: random.Random) -> Audio:
    noise = augment.coloured_noise(np.random.default_rng(rng.getrandbits(32)), len(audio), 1.0)
    level = augment.at_level(audio, rng.uniform(-15, -2))
    return augment.alaw_round_trip(augment.add_noise(level, noise, rng.uniform(18, 35)))
