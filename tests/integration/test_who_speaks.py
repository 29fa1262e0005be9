"""Real weights for who speaks: two natural voices in one channel, by telephone; people, where the
public recordings lie beside the project."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import soxr

from appliance.messages import SpeakerTurn
from appliance.settings.section import PROJECT
from inference.diarization.load import load_diarization
from inference.diarization.model import DiarizationModel
from inference.tensors import (
    MOST_SPEAKERS,
    SAMPLE_RATE_HZ,
    Audio,
    Clustering,
    Turn,
    Turns,
    Voices,
    VoiceWindow,
)
from tests.daemon import read_call
from tools.evaluation.dialogues import dialogues
from tools.evaluation.diarization import Scores
from tools.evaluation.speech import read_list

CALL = PROJECT / "bundles" / "demo-call"
PEOPLE = PROJECT.parent / "shared" / "data" / "speech" / "dev" / "list.tsv"
HOP, LENGTH = 2 * SAMPLE_RATE_HZ, 10 * SAMPLE_RATE_HZ
NOTHING = np.zeros(0, np.float32)


@pytest.fixture(scope="module")
def model() -> DiarizationModel:
    bundle = PROJECT / "bundles" / "pyannote-campplus"
    return load_diarization({"bundle": str(bundle), "threads": "2"})


def turns(model: DiarizationModel, audio: Audio, least: int, most: int) -> tuple[Turn, ...]:
    count = max(1, -(-(len(audio) - LENGTH) // HOP) + 1)
    heard = model.hear([VoiceWindow(audio[i * HOP : i * HOP + LENGTH]) for i in range(count)])
    voices = tuple(each for each in heard if isinstance(each, Voices))
    assert len(voices) == count
    length_s = len(audio) / SAMPLE_RATE_HZ
    found = model.gather(Clustering(NOTHING, voices, length_s, least, most))
    assert isinstance(found, Turns)
    return found.turns


@pytest.mark.parametrize(("least", "most"), [(2, 2), (1, MOST_SPEAKERS)])
def test_two_voices_of_a_call_are_told_apart(
    model: DiarizationModel, least: int, most: int
) -> None:
    mono = read_call(CALL / "call.wav").sum(axis=1)
    audio = np.asarray(soxr.resample(mono, 8000, SAMPLE_RATE_HZ), np.float32)
    told = turns(model, audio, least, most)
    assert len({turn.speaker for turn in told}) == 2
    right = spoken = 0.0
    names: dict[str, int] = {}
    for sentence in json.loads((CALL / "call.json").read_text(encoding="utf-8")):
        begin, end = sentence["start_ms"] / 1000, sentence["end_ms"] / 1000
        shares = np.zeros(2)
        for turn in told:
            shares[turn.speaker] += max(0.0, min(end, turn.end_s) - max(begin, turn.start_s))
        speaker = names.setdefault(sentence["leg"], int(shares.argmax()))
        right, spoken = right + shares[speaker], spoken + shares.sum()
    assert len(set(names.values())) == 2 and right > 0.95 * spoken


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not PEOPLE.exists(), reason="the public recordings are not here")
def test_people_are_told_apart(model: DiarizationModel) -> None:
    recordings = dialogues(asyncio.run(read_list(PEOPLE, lambda said: None)))
    given, auto = Scores(), Scores()
    for recording in recordings:
        for scores, least, most in (
            (given, recording.speakers, recording.speakers),
            (auto, 1, MOST_SPEAKERS),
        ):
            told = turns(model, recording.audio, least, most)
            scores.add(recording, [in_ms(turn) for turn in told])
    assert given.der <= 0.12 and auto.der <= 0.18


def in_ms(turn: Turn) -> SpeakerTurn:
    return SpeakerTurn(turn.speaker, round(turn.start_s * 1000), round(turn.end_s * 1000))
