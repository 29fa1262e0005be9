"""Who speaks on one leg, over the fake engine: a low sound is one speaker, a high one another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from appliance.call.box import Box
from appliance.call.speakers import Count, Speakers, before, same_names
from appliance.errors import EngineUnavailable
from appliance.messages import Attribution, AudioFormat, CallConfig, Encoding, Final, SpeakerTurn
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.calls import CallPolicy
from appliance.settings.calls import SpeakersSettings as Policy
from inference.tensors import (
    DIARIZATION_MODEL,
    SAMPLE_RATE_HZ,
    Audio,
    Clustering,
    Priority,
    Question,
    VoiceWindow,
)
from tests.fakes import HOP_S, WINDOW_S, FakeEngine

TWO = Count(1, 2)
QUICK = Policy(deadline_s=0.3, provisional_s=0.5)
LOW_HZ, HIGH_HZ = 300.0, 2000.0


def tone(hz: float, seconds: float) -> Audio:
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def silence(seconds: float) -> Audio:
    return np.zeros(int(seconds * SAMPLE_RATE_HZ), np.float32)


def dialogue() -> Audio:
    """Low for 4 s, high for 3, low for 5, a pause of a second after each; 15 s in all."""
    turns = [(LOW_HZ, 4), (HIGH_HZ, 3), (LOW_HZ, 5)]
    return np.concatenate([np.concatenate([tone(hz, s), silence(1)]) for hz, s in turns])


KNOWN = [SpeakerTurn(0, 0, 4000), SpeakerTurn(1, 5000, 8000), SpeakerTurn(0, 9000, 14000)]


async def fed(speakers: Speakers, audio: Audio, piece_s: float = 0.5) -> Speakers:
    step = int(piece_s * SAMPLE_RATE_HZ)
    for at in range(0, len(audio), step):
        await speakers.hear(audio[at : at + step])
        await asyncio.sleep(0)
    return speakers


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("piece_s", [0.02, 0.5, 60.0])
async def test_settled_turns_do_not_depend_on_how_the_audio_came(
    live: bool, piece_s: float
) -> None:
    speakers = await fed(Speakers(FakeEngine(), QUICK, TWO, live=live), dialogue(), piece_s)
    assert await speakers.settle() == KNOWN
    assert not speakers.failed


async def test_a_provisional_answer_tells_what_came_since_the_last() -> None:
    speakers = Speakers(FakeEngine(), QUICK, TWO, live=True)
    audio = dialogue()
    await fed(speakers, audio[: 8 * SAMPLE_RATE_HZ])
    assert await speakers.now(4000) == [SpeakerTurn(0, 0, 4000)]
    assert await speakers.now(8000) == [SpeakerTurn(1, 5000, 8000)]
    await fed(speakers, audio[8 * SAMPLE_RATE_HZ :])
    assert await speakers.now(14_000) == [SpeakerTurn(0, 9000, 14_000)]
    assert await speakers.settle() == KNOWN


async def test_every_window_is_asked_once_and_the_last_is_the_rest() -> None:
    engine = FakeEngine()
    speakers = await fed(Speakers(engine, QUICK, TWO, live=False), dialogue())
    await speakers.settle()
    lengths = [len(q.audio) / SAMPLE_RATE_HZ for q, _ in engine.asked if isinstance(q, VoiceWindow)]
    assert lengths == [10.0, 10.0, 10.0, 9.0]
    (gathering,) = (q for q, _ in engine.asked if isinstance(q, Clustering))
    assert gathering.length_s == 15.0 and (gathering.least, gathering.most) == (1, 2)


async def test_audio_that_fits_its_windows_has_no_rest() -> None:
    engine = FakeEngine()
    speakers = await fed(Speakers(engine, QUICK, TWO, live=False), tone(LOW_HZ, WINDOW_S + HOP_S))
    assert await speakers.settle() == [SpeakerTurn(0, 0, 12_000)]
    assert sum(isinstance(q, VoiceWindow) for q, _ in engine.asked) == 2


async def test_nothing_said_is_nobody() -> None:
    speakers = Speakers(FakeEngine(), QUICK, TWO, live=True)
    assert await speakers.settle() == [] and not speakers.failed
    await fed(speakers, silence(12))
    assert await speakers.settle() == [] and not speakers.failed


async def test_without_an_engine_the_speakers_are_lost_and_nothing_else() -> None:
    engine = FakeEngine()
    speakers = Speakers(engine, QUICK, TWO, live=True)
    engine.gone = True
    await fed(speakers, dialogue())
    assert await speakers.now(4000) == []
    assert await speakers.settle() == []
    assert "gone" in speakers.failed


async def test_an_engine_that_comes_back_in_time_costs_nothing() -> None:
    engine = FakeEngine()
    speakers = Speakers(engine, QUICK.model_copy(update={"deadline_s": 5}), TWO, live=True)
    engine.gone = True
    await fed(speakers, dialogue())
    engine.gone = False
    assert await speakers.settle() == KNOWN


@pytest.mark.slow
async def test_a_full_queue_is_waited_out() -> None:
    engine = FakeEngine(queue=1, delay_s=0.01)
    speakers = await fed(Speakers(engine, QUICK, TWO, live=False), np.tile(dialogue(), 4))
    assert len(await speakers.settle()) > 4


async def test_a_live_call_never_waits_for_its_speakers() -> None:
    engine = FakeEngine(delay_s=3600)
    speakers = Speakers(engine, QUICK, TWO, live=True)
    async with asyncio.timeout(5):
        await fed(speakers, np.tile(dialogue(), 12))  # 3 minutes
    assert "too slow" in speakers.failed
    speakers.close()


def test_speakers_keep_their_numbers_when_the_order_changes() -> None:
    known = [SpeakerTurn(0, 0, 1000), SpeakerTurn(1, 1000, 5000)]
    turns = [SpeakerTurn(1, 200, 1000), SpeakerTurn(0, 1000, 6000), SpeakerTurn(2, 6000, 7000)]
    assert same_names(known, turns) == [
        SpeakerTurn(0, 200, 1000),
        SpeakerTurn(1, 1000, 6000),
        SpeakerTurn(2, 6000, 7000),
    ]


def test_what_was_told_before_the_look_back_stays() -> None:
    known = [SpeakerTurn(0, 0, 1000), SpeakerTurn(1, 1000, 5000)]
    turns = [SpeakerTurn(0, 2000, 6000)]
    assert [*before(known, turns), *same_names(known, turns)] == [
        SpeakerTurn(0, 0, 1000),
        SpeakerTurn(1, 1000, 2000),
        SpeakerTurn(1, 2000, 6000),
    ]


# --- in a call

PCM = AudioFormat(Encoding.PCM_S16LE, SAMPLE_RATE_HZ, 1)


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    policy = CallPolicy(final_deadline_s=1.0)
    made = Box(Settings(call=policy, speakers=QUICK), FakeEngine(), Metrics())
    await made.start()
    yield made
    await made.close()


def speech() -> bytes:
    """The demo call's two legs mixed: voice activity wants real speech."""
    from tests.daemon import DEMO_CALL, read_call

    mono = np.clip(read_call(DEMO_CALL).sum(axis=1)[: 30 * 8000], -1, 1)
    return (mono * 32767).astype("<i2").tobytes()


async def events_of(box: Box, **config: object) -> list[object]:
    pcm = AudioFormat(Encoding.PCM_S16LE, 8000, 1)
    async with box.open_call(CallConfig(audio=pcm, **config)) as call:
        reading = asyncio.create_task(collect(call.events()))
        data = speech()
        for at in range(0, len(data), 3200):
            await call.accept(data[at : at + 3200])
            await asyncio.sleep(0)
        await call.finish()
        return await reading


async def collect(events: AsyncIterator[object]) -> list[object]:
    return [event async for event in events]


async def test_a_live_call_tells_speakers_after_each_final_and_settles_once(box: Box) -> None:
    events = await events_of(box, diarize=True)
    told = [event for event in events if isinstance(event, Attribution)]
    assert [event.settled for event in told] == [*([False] * (len(told) - 1)), True]
    assert len(told) > 2 and events.index(told[0]) > next(
        i for i, event in enumerate(events) if isinstance(event, Final)
    )
    assert told[-1].demo and told[-1].turns


async def test_a_recording_is_only_told_the_settled_speakers(box: Box) -> None:
    live = [e for e in await events_of(box, diarize=True) if isinstance(e, Attribution)]
    told = [e for e in await events_of(box, diarize=True, live=False) if isinstance(e, Attribution)]
    (settled,) = told
    spans = {(turn.start_ms, turn.end_ms) for turn in settled.turns}
    assert settled.settled and spans == {(turn.start_ms, turn.end_ms) for turn in live[-1].turns}


async def test_nobody_asked_for_speakers(box: Box) -> None:
    assert not [e for e in await events_of(box) if isinstance(e, Attribution)]


class Deaf(FakeEngine):
    """Has no diarization model."""

    async def ask(self, question: Question, priority: Priority, timeout_s: float):  # type: ignore[no-untyped-def, type-arg]
        if question.MODEL == DIARIZATION_MODEL:
            raise EngineUnavailable("ask", "no such model")
        return await super().ask(question, priority, timeout_s)


async def test_a_call_without_a_diarization_model_keeps_its_words() -> None:
    made = Box(Settings(speakers=QUICK), Deaf(), Metrics())
    await made.start()
    events = await events_of(made, diarize=True)
    assert [e for e in events if isinstance(e, Final)]
    told = [e for e in events if isinstance(e, Attribution)]
    assert not [e for e in told if e.turns or e.settled]
    await made.close()


def test_names_of_a_long_call_are_found_by_searching() -> None:
    """Each turn beside each would be 400 million comparisons: minutes."""
    known = [SpeakerTurn(n % 3, 700 * n, 700 * n + 690) for n in range(20_000)]
    turns = [SpeakerTurn((n + 1) % 3, 700 * n + 5, 700 * n + 695) for n in range(20_000)]
    assert same_names(known, turns) == [
        SpeakerTurn(n % 3, 700 * n + 5, 700 * n + 695) for n in range(20_000)
    ]
