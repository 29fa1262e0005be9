"""One contract, every engine that tells moods: the fake, the CPU workers, a real Triton."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
import soxr

from appliance.engine.cpu import CpuEngine
from appliance.engine.protocol import ManagedEngine
from appliance.engine.triton import TritonEngine
from appliance.errors import InvalidRequest
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import (
    EMOTION_MODEL,
    EMOTIONS,
    LEVELS,
    SAMPLE_RATE_HZ,
    Audio,
    EmotionScores,
    EmotionWindow,
    Priority,
)
from tests.daemon import DEMO_CALL, read_call
from tests.fakes import FakeEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 60.0
ANNOYED = tuple(4.0 if emotion == "annoyed" else 0.0 for emotion in EMOTIONS)


def utterance(start_s: float, end_s: float, leg: int = 1) -> Audio:
    """Some speech of the demo call."""
    narrow = read_call(DEMO_CALL)[int(start_s * 8000) : int(end_s * 8000), leg]
    return np.asarray(soxr.resample(narrow, 8000, SAMPLE_RATE_HZ), np.float32)


@pytest_asyncio.fixture(params=["fake", "cpu", "triton"], scope="module", loop_scope="module")
async def engine(
    request: pytest.FixtureRequest, tiny_settings: Settings, voices_settings: Settings
) -> AsyncIterator[ManagedEngine]:
    models = tiny_settings.models.model_copy(update={"emotion": voices_settings.models.emotion})
    settings = tiny_settings.model_copy(update={"models": models})
    made: ManagedEngine
    if request.param == "fake":
        made = FakeEngine()
    else:
        made = CpuEngine(settings) if request.param == "cpu" else TritonEngine(settings, Metrics())
    await made.start()
    yield made
    await made.close()


async def feel(engine: ManagedEngine, question: EmotionWindow) -> EmotionScores:
    return await engine.ask(question, Priority.FINAL, TIMEOUT_S)


async def test_an_utterance_feels_as_if_it_came_alone(engine: ManagedEngine) -> None:
    asks = [EmotionWindow(utterance(6.4 + i, 9.4 + 2 * i)) for i in range(5)]
    alone = [await feel(engine, ask) for ask in asks]
    together = await asyncio.gather(*(feel(engine, ask) for ask in asks))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-3)
        assert one.emotion == other.emotion and one.prosody == other.prosody
    assert len({felt.prosody for felt in alone}) == len(alone), "different sounds, other prosody"


async def test_an_answer_is_whole(engine: ManagedEngine) -> None:
    felt = await feel(engine, EmotionWindow(utterance(6.4, 11.2), ANNOYED))
    assert abs(sum(felt.probabilities) - 1) < 0.01 and len(felt.probabilities) == len(EMOTIONS)
    assert felt.emotion in ("", *EMOTIONS) and felt.level in ("", *LEVELS)
    assert 0 <= felt.words_share <= 1 and all(0 < share <= 1 for _, share in felt.sounds)
    assert felt.demo and felt.model.startswith(engine.card(EMOTION_MODEL).name)


async def test_words_count(engine: ManagedEngine) -> None:
    sound = utterance(6.4, 11.2)
    plain, angry = [
        await feel(engine, EmotionWindow(sound, words)) for words in ((0.0,) * 7, ANNOYED)
    ]
    at = EMOTIONS.index("annoyed")
    assert angry.probabilities[at] > 2 * plain.probabilities[at]
    assert angry.emotion in ("annoyed", ""), "a calm voice may leave the model unsure"
    assert angry.words_share > plain.words_share == 0


async def test_a_baseline_counts_and_is_the_prosody_of_before(engine: ManagedEngine) -> None:
    if isinstance(engine, FakeEngine):
        return  # it only listens to words
    sound = utterance(6.4, 11.2)
    without = await feel(engine, EmotionWindow(sound))
    usual = await feel(engine, EmotionWindow(sound, baseline=without.prosody))
    lower = tuple(value - 6 if i == 0 else value for i, value in enumerate(without.prosody))
    raised = await feel(engine, EmotionWindow(sound, baseline=lower))
    assert raised.probabilities != usual.probabilities


@pytest.mark.parametrize("seconds", [0.05, 0.3, 60.0])
async def test_silence_and_odd_lengths_are_answered(engine: ManagedEngine, seconds: float) -> None:
    silence = np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)
    felt = await feel(engine, EmotionWindow(silence))
    assert isinstance(engine, FakeEngine) or felt.emotion == "", "unsure of what has no voice"


async def test_a_bad_question_costs_its_neighbours_nothing(engine: ManagedEngine) -> None:
    broken = utterance(6.4, 8.4).copy()
    broken[7] = np.inf
    good = EmotionWindow(utterance(6.4, 8.4))
    asks = (good, EmotionWindow(broken), EmotionWindow(good.audio, (1.0, 2.0)), good)
    answers = await asyncio.gather(*(feel(engine, ask) for ask in asks), return_exceptions=True)
    assert isinstance(answers[0], EmotionScores) and isinstance(answers[3], EmotionScores)
    assert all(isinstance(answer, InvalidRequest) for answer in answers[1:3])


async def test_nothing_to_hear_is_refused(engine: ManagedEngine) -> None:
    with pytest.raises(InvalidRequest):
        await feel(engine, EmotionWindow(np.zeros(0, np.float32)))
