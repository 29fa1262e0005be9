"""One contract, every engine that tells speakers apart: the fake, ONNX on the CPU, pyannote."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
import soxr

from appliance.engine.cpu import CpuEngine
from appliance.engine.protocol import ManagedEngine
from appliance.engine.triton import TritonEngine
from appliance.errors import EngineUnavailable, InvalidRequest
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.section import PROJECT
from inference.tensors import (
    DIARIZATION_MODEL,
    MOST_SPEAKERS,
    SAMPLE_RATE_HZ,
    Audio,
    Clustering,
    Priority,
    Turn,
    Voices,
    VoiceWindow,
    Window,
)
from tests.daemon import DEMO_CALL, read_call
from tests.fakes import FakeEngine

# torch on a cold disk takes minutes to load.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

TIMEOUT_S = 150.0  # nothing here is about time, and two cores may be busy
NOTHING = np.zeros(0, np.float32)


@functools.cache
def two_speakers() -> Audio:
    """Two people in one channel: a low and a high voice, taking turns."""
    mono = read_call(DEMO_CALL).sum(axis=1)
    return np.asarray(soxr.resample(mono, 8000, SAMPLE_RATE_HZ)[: 40 * SAMPLE_RATE_HZ], np.float32)


@pytest_asyncio.fixture(
    params=["fake", "cpu", "triton-onnx", "triton-pyannote"], scope="module", loop_scope="module"
)
async def engine(
    request: pytest.FixtureRequest, voices_settings: Settings
) -> AsyncIterator[ManagedEngine]:
    settings, kind = voices_settings, request.param
    if kind == "triton-pyannote":
        settings = request.getfixturevalue("pyannote_settings")
    made: ManagedEngine
    if kind == "fake":
        made = FakeEngine()
    else:
        made = CpuEngine(settings) if kind == "cpu" else TritonEngine(settings, Metrics())
    await made.start()
    yield made
    await made.close()


async def hear(engine: ManagedEngine, audio: Audio) -> list[Voices]:
    """Every window of `audio`, asked together."""
    card = engine.card(DIARIZATION_MODEL)
    hop, length = (int(s * SAMPLE_RATE_HZ) for s in (card.hop_s, card.window_s))
    starts = range(0, max(1, len(audio) - length + hop), hop)
    asks = (VoiceWindow(audio[at : at + length]) for at in starts)
    return list(
        await asyncio.gather(*(engine.ask(ask, Priority.RECORDING, TIMEOUT_S) for ask in asks))
    )


async def gather(engine: ManagedEngine, audio: Audio, **hints: int) -> tuple[Turn, ...]:
    voices = tuple(await hear(engine, audio))
    question = Clustering(NOTHING, voices=voices, length_s=len(audio) / SAMPLE_RATE_HZ, **hints)
    return (await engine.ask(question, Priority.FINAL, TIMEOUT_S)).turns


async def test_a_window_is_heard_as_if_it_came_alone(engine: ManagedEngine) -> None:
    audio = two_speakers()
    together = await hear(engine, audio)
    card = engine.card(DIARIZATION_MODEL)
    at, length = (int(s * SAMPLE_RATE_HZ) for s in (2 * card.hop_s, card.window_s))
    third = VoiceWindow(audio[at : at + length])
    alone = await engine.ask(third, Priority.FINAL, TIMEOUT_S)
    np.testing.assert_array_equal(alone.active, together[2].active)
    np.testing.assert_allclose(alone.embeddings, together[2].embeddings, atol=2e-3)
    assert (
        alone.active.any()
        and alone.demo
        and alone.model.startswith(engine.card("diarization").name)
    )


async def test_two_speakers_take_turns(engine: ManagedEngine) -> None:
    turns = await gather(engine, two_speakers(), least=2, most=2)
    assert {turn.speaker for turn in turns} == {0, 1} and turns[0].speaker == 0
    assert all(0 <= turn.start_s < turn.end_s <= 40 for turn in turns)
    assert [turn.start_s for turn in turns] == sorted(turn.start_s for turn in turns)


async def test_more_speakers_than_can_be_told_apart_are_bounded(engine: ManagedEngine) -> None:
    """Thirty voices: one person's words at thirty heights, two seconds each."""
    said = two_speakers()[SAMPLE_RATE_HZ:][: 4 * SAMPLE_RATE_HZ]
    rates = np.linspace(0.6, 1.8, 30) * SAMPLE_RATE_HZ
    voices = [soxr.resample(said, rate, SAMPLE_RATE_HZ)[: 2 * SAMPLE_RATE_HZ] for rate in rates]
    turns = await gather(engine, np.concatenate(voices).astype(np.float32), most=MOST_SPEAKERS)
    assert 1 <= len({turn.speaker for turn in turns}) <= MOST_SPEAKERS
    assert all(0 <= turn.start_s < turn.end_s <= 60 for turn in turns)


async def test_the_hint_bounds_the_speakers(engine: ManagedEngine) -> None:
    if isinstance(engine, FakeEngine):
        return  # it takes no hints
    turns = await gather(engine, two_speakers(), least=1, most=1)
    assert {turn.speaker for turn in turns} == {0}


async def test_silence_has_no_speakers(engine: ManagedEngine) -> None:
    silence = np.zeros(15 * SAMPLE_RATE_HZ, np.float32)
    assert await gather(engine, silence) == ()
    nothing = Clustering(NOTHING)
    assert (await engine.ask(nothing, Priority.FINAL, TIMEOUT_S)).turns == ()


async def test_a_moment_of_speech_is_enough(engine: ManagedEngine) -> None:
    await gather(engine, two_speakers()[: SAMPLE_RATE_HZ // 4])


@pytest.mark.parametrize("seconds", [0, 10.1])
async def test_windows_of_the_wrong_length_are_refused(
    engine: ManagedEngine, seconds: float
) -> None:
    audio = np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)
    with pytest.raises(InvalidRequest, match=r"empty|long"):
        await engine.ask(VoiceWindow(audio), Priority.FINAL, TIMEOUT_S)


async def test_a_bad_window_costs_its_neighbours_nothing(engine: ManagedEngine) -> None:
    broken = two_speakers()[: 5 * SAMPLE_RATE_HZ].copy()
    broken[100] = np.nan
    good = VoiceWindow(two_speakers()[: 10 * SAMPLE_RATE_HZ])
    asks = (good, VoiceWindow(broken), Window(good.audio, language="zh"), good)
    answers = await asyncio.gather(
        *(engine.ask(ask, Priority.RECORDING, TIMEOUT_S) for ask in asks), return_exceptions=True
    )
    assert isinstance(answers[1], InvalidRequest) and "NaN" in str(answers[1])
    assert isinstance(answers[0], Voices) and isinstance(answers[3], Voices)


async def test_without_a_bundle_there_is_no_such_model(voices_settings: Settings) -> None:
    models = voices_settings.models.model_copy(update={"diarization": None})
    made = CpuEngine(voices_settings.model_copy(update={"models": models}))
    await made.start()
    with pytest.raises(EngineUnavailable, match="diarization"):
        await made.ask(VoiceWindow(two_speakers()[:16000]), Priority.FINAL, TIMEOUT_S)
    await made.close()


@pytest.mark.parametrize("bundle", ["diarization-demo", "pyannote-campplus"])
async def test_both_paths_find_the_same_turns(pyannote_settings: Settings, bundle: str) -> None:
    found = []
    models = {"diarization": PROJECT / "bundles" / bundle}
    models = {"models": pyannote_settings.models.model_copy(update=models)}
    settings = pyannote_settings.model_copy(update=models)
    for made in (CpuEngine(settings), TritonEngine(settings, Metrics())):
        await made.start()
        found.append(await gather(made, two_speakers(), least=2, most=2))
        await made.close()
    ours, theirs = (
        [(round(t.start_s, 1), round(t.end_s, 1), t.speaker) for t in turns] for turns in found
    )
    same = len(set(ours) & set(theirs))
    assert same >= 0.9 * max(len(ours), len(theirs)), (ours, theirs)
