"""Silero across many legs: alone, together or in one run, a leg hears the same."""

import asyncio

import numpy as np
import pytest
import soxr

from appliance.audio.vad import FRAME, LONG_RUN, MOST_TOGETHER, Vad, VadState
from appliance.errors import BundleError
from appliance.metrics import Metrics
from tests.daemon import NATURAL_CALL, read_call
from tests.unit.audio_files import speech


@pytest.fixture
async def vad():
    vad = Vad()
    yield vad
    await vad.close()


@pytest.fixture(scope="module")
def spoken():
    audio = np.concatenate([np.zeros(8000, np.float32), speech(), np.zeros(12000, np.float32)])
    return audio[: len(audio) // FRAME * FRAME]


def noise(seed, frames=40, level=0.1):
    return np.random.default_rng(seed).standard_normal(frames * FRAME).astype(np.float32) * level


async def by_frames(vad, audio, step=1):
    state, heard = None, []
    for at in range(0, len(audio), step * FRAME):
        part, state = await vad.judge(audio[at : at + step * FRAME], state)
        heard.append(part)
    return np.concatenate(heard), state


async def test_speech_is_heard_and_its_pauses(vad, spoken):
    heard, _ = await vad.judge(spoken, None)
    assert heard.dtype == np.float32
    assert heard.shape == (len(spoken) // FRAME,)
    assert heard[:13].max() < 0.2
    assert heard[-15:].max() < 0.2
    assert (heard[20:-30] > 0.5).mean() > 0.9


@pytest.mark.parametrize("frame", [112, 540, 788])
async def test_who_speaks_at_once_is_heard_at_once(vad, frame):
    """In the middle of a word of the demo call."""
    call = soxr.resample(read_call(NATURAL_CALL)[:, 0], 8000, 16000).astype(np.float32)
    begun = call[frame * FRAME : (frame + 20) * FRAME]
    cold, _ = await vad.judge(begun, VadState())
    assert cold[1:6].mean() < 0.3
    heard, _ = await vad.judge(begun, None)
    assert heard[1:6].min() > 0.5


@pytest.mark.parametrize("sound", ["silence", "noise", "tone", "hum"])
async def test_no_speech_is_heard_in(vad, sound):
    t = np.arange(100 * FRAME) / 16000
    audio = {
        "silence": np.zeros_like(t),
        "noise": noise(0, 100),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * t),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * t),
    }[sound]
    heard, _ = await vad.judge(audio.astype(np.float32), None)
    assert heard.max() < 0.3


@pytest.mark.parametrize("step", [1, 3, LONG_RUN])
async def test_any_number_of_frames_at_a_time(vad, spoken, step):
    whole, end = await vad.judge(spoken, None)
    parts, state = await by_frames(vad, spoken, step)
    assert np.abs(parts - whole).max() < 1e-4
    assert np.abs(state.memory - end.memory).max() < 1e-3
    assert np.array_equal(state.context, end.context)


async def test_legs_together_hear_what_each_hears_alone(spoken):
    metrics = Metrics()
    vad = Vad(metrics)
    legs = [spoken[: 60 * FRAME], *(noise(seed, 60) for seed in range(20))]
    alone = [await by_frames(vad, leg) for leg in legs]
    together = await asyncio.gather(*(by_frames(vad, leg, 1 + k % 3) for k, leg in enumerate(legs)))
    for (one, _), (other, _) in zip(alone, together, strict=True):
        assert np.abs(one - other).max() < 1e-5
    most = metrics.registry.get_sample_value("lingting_vad_batch_frames_sum")
    runs = metrics.registry.get_sample_value("lingting_vad_batch_frames_count")
    assert most == 2 * 60 * len(legs)
    assert runs < 1.5 * 60 * len(legs)  # they did share runs
    await vad.close()


async def test_a_batch_is_bounded():
    metrics = Metrics()
    vad = Vad(metrics)
    await vad.warm()
    before = metrics.registry.get_sample_value("lingting_vad_batch_frames_count")
    count = 2 * MOST_TOGETHER + 5
    states = await asyncio.gather(*(vad.judge(noise(k, 1), None) for k in range(count)))
    assert len({state.memory.tobytes() for _, state in states}) == count
    assert metrics.registry.get_sample_value("lingting_vad_batch_frames_count") == before + 3
    await vad.close()


async def test_a_state_cannot_be_changed(vad):
    fresh = VadState()
    _, state = await vad.judge(noise(1, 1), fresh)
    again, _ = await vad.judge(noise(1, 1), fresh)
    assert again == pytest.approx((await vad.judge(noise(1, 1), VadState()))[0])
    for array in (fresh.memory, state.memory, state.context):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1


async def test_a_caller_that_leaves_disturbs_nobody(vad):
    stay = [asyncio.create_task(vad.judge(noise(k, 2), None)) for k in range(5)]
    leave = [asyncio.create_task(vad.judge(noise(k, 2), None)) for k in range(5)]
    await asyncio.sleep(0)
    for task in leave:
        task.cancel()
    assert len(await asyncio.gather(*stay)) == 5
    assert len((await vad.judge(noise(9, 1), None))[0]) == 1


@pytest.mark.parametrize("samples", [0, 1, FRAME + 1])
async def test_only_whole_frames(vad, samples):
    with pytest.raises(ValueError, match="whole frames"):
        await vad.judge(np.zeros(samples, np.float32), None)


def test_missing_models_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BundleError, match="silero-vad"):
        Vad()


async def test_warm_loads_both(vad):
    await vad.warm()
    assert {"_across", "_along"} <= set(vars(vad._models))
