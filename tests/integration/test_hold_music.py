"""Hold music on a leg: no words of it, and people around it are heard all the same."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.audio.keys import is_keys
from appliance.audio.tagging import SoundTagger
from appliance.call.box import Box
from appliance.messages import AudioFormat, CallConfig, EmotionEstimate, Encoding, Final
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.adaptation import augment
from inference.tensors import SAMPLE_RATE_HZ, Audio
from tests.daemon import DEMO_CALL, read_call
from tests.fakes import FakeEngine

pytestmark = pytest.mark.asyncio


def sounds(name: str, seconds: float, seed: int = 1) -> Audio:
    made = getattr(augment, name)(np.random.default_rng(seed), int(seconds * SAMPLE_RATE_HZ))
    return augment.alaw_round_trip(augment.at_level(made, -6))


def citizen() -> Audio:
    """Somebody speaks for some seconds, by telephone."""
    leg = read_call(DEMO_CALL)[:, 1]
    return augment.resample(np.asarray(leg, np.float32), 2.0)[: 14 * SAMPLE_RATE_HZ]


async def test_music_is_told_from_people() -> None:
    tagger = SoundTagger()
    told = [await tagger.is_music(sounds("music", 5, seed)) for seed in range(8)]
    assert sum(told) >= 4
    assert not await tagger.is_music(citizen())
    for name in ("ring_back", "hum", "clicks"):
        mixed = citizen() + 0.05 * sounds(name, 14)[: len(citizen())]
        assert not await tagger.is_music(mixed)
    assert not await tagger.is_music(sounds("music", 0.3))
    await tagger.close()


@pytest.mark.parametrize("seconds", [0.3, 2.0, 6.0])
async def test_keys_are_told_from_people(seconds: float) -> None:
    for seed in range(8):
        pressed = sounds("dtmf", seconds, seed)
        assert is_keys(pressed) and is_keys(0.01 * pressed)
        assert not is_keys(sounds("music", seconds, seed))
    speech = citizen()
    step = int(seconds * SAMPLE_RATE_HZ)
    assert not any(is_keys(speech[at : at + step]) for at in range(0, len(speech), step))
    soft = 0.2 * speech[-6 * SAMPLE_RATE_HZ :]  # who speaks after a key is heard
    assert not is_keys(np.concatenate([sounds("dtmf", seconds), soft]))
    assert not is_keys(np.zeros(step, np.float32))


async def test_people_over_music_are_heard() -> None:
    tagger = SoundTagger()
    speech = citizen()
    quiet = 0.1 * sounds("music", 14)[: len(speech)]
    assert not await tagger.is_music(speech + quiet)
    await tagger.close()


@pytest.mark.parametrize("kind", ["music", "ring_back", "dtmf", "clicks"])
async def test_a_call_on_hold_has_no_words_and_no_mood(tiny_settings: Settings, kind: str) -> None:
    """Whatever the recogniser would make of it, and speech detection takes it for."""
    box = Box(tiny_settings, FakeEngine(), Metrics())
    await box.start()
    data = (np.clip(sounds(kind, 6, 1), -1, 1) * 32767).astype("<i2").tobytes()
    found: list[Final | EmotionEstimate] = []
    for live in (True, False):
        pcm = AudioFormat(Encoding.PCM_S16LE, SAMPLE_RATE_HZ, 1)
        config = CallConfig(audio=pcm, live=live, interim=False, moods=True)
        async with box.open_call(config) as call:
            await call.accept(data)
            await call.force_endpoint()
            await call.finish()
            async for event in call.events():
                if isinstance(event, EmotionEstimate) or (isinstance(event, Final) and event.text):
                    found.append(event)
    await box.close()
    assert found == []
