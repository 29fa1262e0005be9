"""A call over the fake engine: what was said is published once, in order, whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
import pytest

from appliance.call import pace as pace_module
from appliance.call.box import UNMEASURED_LEGS, Box
from appliance.call.conversation import transcribe
from appliance.call.pace import Pace
from appliance.call.track import Track
from appliance.errors import (
    EngineUnavailable,
    InvalidAudio,
    LingtingError,
    Overloaded,
    TooLarge,
)
from appliance.health import Health
from appliance.messages import (
    AudioFormat,
    AudioProgress,
    CallConfig,
    Encoding,
    Endpointing,
    Event,
    Final,
    Partial,
)
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.calls import CallPolicy, LimitsSettings
from appliance.settings.section import PROJECT
from appliance.terms.correction import Terms
from appliance.terms.term import Term
from inference.tensors import Answer, Hypothesis, Question
from tests.fakes import FakeEngine

CALL = PROJECT / "tests" / "espeak_call"
BYTES_PER_S = 16_000  # two legs of A-law
POLICY = CallPolicy(final_deadline_s=1.0)


@pytest.fixture(scope="module")
def audio() -> bytes:
    return (CALL / "call.wav").read_bytes()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def box(engine: FakeEngine) -> AsyncIterator[Box]:
    made = Box(Settings(call=POLICY), engine, Metrics())
    await made.start()
    yield made
    await made.close()


async def pieces(data: bytes, size: int = 4000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def run(box: Box, data: bytes, size: int = 1600, **config: object) -> list[Event]:
    """All events of a call that is fed `data` at once."""
    async with box.open_call(CallConfig(**config)) as call:
        reading = asyncio.create_task(collect(call.events()))
        try:
            async for piece in pieces(data, size):
                await call.accept(piece)
                await asyncio.sleep(0)
            await call.finish()
        finally:
            await asyncio.gather(reading, return_exceptions=True)  # an error is told once
        return await reading


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def finals(events: list[Event]) -> list[Final]:
    return [event for event in events if isinstance(event, Final)]


async def test_every_sentence_becomes_a_final_of_its_leg(box: Box, audio: bytes) -> None:
    transcript = await transcribe(box, CallConfig(live=False), pieces(audio))
    known = json.loads((CALL / "call.json").read_text())
    for sentence in known:
        leg = {"agent": 0, "citizen": 1}[sentence["leg"]]
        middle = (sentence["start_ms"] + sentence["end_ms"]) / 2
        covering = [f for f in transcript.finals if f.leg == leg and f.start_ms < middle < f.end_ms]
        assert len(covering) == 1, sentence["text"]
    assert transcript.legs == 2 and transcript.demo
    assert abs(transcript.duration_ms - len(audio) * 1000 / BYTES_PER_S) < 50


async def test_a_recording_is_the_same_call_run_faster(box: Box, audio: bytes) -> None:
    live = finals(await run(box, audio))
    recorded = (await transcribe(box, CallConfig(live=False), pieces(audio, 65_536))).finals
    said = {(f.leg, f.utterance, f.text, f.start_ms) for f in live}
    assert said == {(f.leg, f.utterance, f.text, f.start_ms) for f in recorded}


async def test_finals_come_in_order_once_each_after_their_partials(box: Box, audio: bytes) -> None:
    events = await run(box, audio[: 30 * BYTES_PER_S])
    for leg in (0, 1):
        numbers = [f.utterance for f in finals(events) if f.leg == leg]
        assert numbers == sorted(set(numbers))
        done = -1
        for event in events:
            if isinstance(event, Final) and event.leg == leg:
                done = event.utterance
            elif isinstance(event, Partial) and event.leg == leg:
                assert event.utterance > done


async def test_partials_only_on_request(box: Box, audio: bytes) -> None:
    events = await run(box, audio[: 10 * BYTES_PER_S], interim=False)
    assert not any(isinstance(event, Partial) for event in events)
    assert any(isinstance(event, AudioProgress) for event in events)


async def test_stable_text_begins_the_partial(box: Box, audio: bytes) -> None:
    events = await run(box, audio[: 12 * BYTES_PER_S])
    partials = [event for event in events if isinstance(event, Partial)]
    assert partials and all(p.text.startswith(p.stable) for p in partials)


async def test_the_last_word_survives_a_hang_up_in_mid_speech(box: Box, audio: bytes) -> None:
    cut = int(4.5 * BYTES_PER_S)  # the agent is speaking
    (final,) = finals(await run(box, audio[:cut]))
    assert final.end_ms > 4000


async def test_forced_endpoints_end_the_utterance(box: Box, audio: bytes) -> None:
    async with box.open_call(CallConfig()) as call:
        await call.accept(audio[: 3 * BYTES_PER_S])
        await call.force_endpoint()
        await call.accept(audio[3 * BYTES_PER_S : 7 * BYTES_PER_S])
        reading = asyncio.create_task(collect(call.events()))
        await call.finish()
        assert len([f for f in finals(await reading) if f.leg == 0]) == 2


async def test_endpointing_of_the_caller_is_obeyed(box: Box, audio: bytes) -> None:
    patient = Endpointing(stop_history_ms=5000)
    few = finals(await run(box, audio, endpointing=patient))
    assert len(few) < len(finals(await run(box, audio)))


async def test_one_leg_only_if_asked(box: Box, audio: bytes) -> None:
    events = await run(box, audio[: 20 * BYTES_PER_S], separate_legs=False)
    assert {f.leg for f in finals(events)} == {0}


async def test_an_engine_that_comes_back_costs_no_final(
    box: Box, engine: FakeEngine, audio: bytes
) -> None:
    async def outage() -> None:
        await asyncio.sleep(0.05)
        engine.gone = True
        await asyncio.sleep(0.4)
        engine.gone = False

    whole = {(f.leg, f.utterance, f.text) for f in finals(await run(box, audio))}
    breaking = asyncio.create_task(outage())
    during = {(f.leg, f.utterance, f.text) for f in finals(await run(box, audio))}
    await breaking
    assert engine.failed, "the outage met no window"
    assert during == whole


async def test_a_long_outage_fails_the_call_and_says_so(
    box: Box, engine: FakeEngine, audio: bytes
) -> None:
    engine.gone = True
    with pytest.raises(LingtingError):
        await run(box, audio)


GROWTH_MB = 24  # in half an hour: its finals and their words are kept, its audio is not
ROUNDS = 30  # of the call, which takes a minute


async def test_half_an_hour_takes_no_more_memory_than_a_minute(
    box: Box, engine: FakeEngine, audio: bytes
) -> None:
    here = psutil.Process()
    sizes_mb: list[float] = []

    async def rounds() -> AsyncIterator[bytes]:
        for _ in range(ROUNDS):
            async for piece in pieces(audio[58:], 65_536):
                yield piece
            sizes_mb.append(here.memory_info().rss / 1e6)
            engine.asked.clear()  # the fake remembers what it heard

    config = CallConfig(audio=AudioFormat(Encoding.ALAW, 8000, 2), live=False)
    transcript = await transcribe(box, config, rounds())
    assert len(transcript.finals) > 10 * ROUNDS
    assert sizes_mb[-1] - sizes_mb[1] < GROWTH_MB, sizes_mb


async def test_what_is_not_finished_is_given_up_cleanly(box: Box, audio: bytes) -> None:
    before = len(asyncio.all_tasks())
    async with box.open_call(CallConfig()) as call:
        await call.accept(audio[: 5 * BYTES_PER_S])
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) <= before + 1
    assert box.admission.calls == 0 and box.admission.live_legs == 0


async def test_bad_audio_fails_its_call_alone(box: Box, audio: bytes) -> None:
    good = asyncio.create_task(run(box, audio[: 10 * BYTES_PER_S]))
    with pytest.raises(InvalidAudio):
        await run(box, b"RIFF\x00\x00\x00\x00WAVEfmt nonsense" * 10)
    assert finals(await good)


async def test_silence_says_nothing(box: Box) -> None:
    silence = AudioFormat(Encoding.PCM_S16LE, 16_000, 1)
    assert finals(await run(box, bytes(16_000 * 2 * 5), audio=silence)) == []


async def test_noise_of_every_kind_breaks_nothing(box: Box) -> None:
    loud = np.random.default_rng(1).integers(-32768, 32767, 16_000 * 5, dtype=np.int16)
    raw = AudioFormat(Encoding.PCM_S16LE, 16_000, 1)
    await run(box, loud.tobytes(), size=333, audio=raw)


async def test_too_long_a_recording_is_refused(engine: FakeEngine, audio: bytes) -> None:
    small = Box(Settings(limits=LimitsSettings(recording_hours=0.005)), engine, Metrics())
    with pytest.raises(TooLarge):
        await transcribe(small, CallConfig(live=False), pieces(audio))
    await small.close()


async def test_a_full_box_refuses_with_a_hint_and_recovers(
    engine: FakeEngine, audio: bytes
) -> None:
    small = Box(Settings(limits=LimitsSettings(live_legs=2, idle_streams=3)), engine, Metrics())
    async with small.open_call(CallConfig()) as first, small.open_call(CallConfig()) as second:
        await first.accept(audio[:8000])
        with pytest.raises(Overloaded) as caught:
            await second.accept(audio[:8000])
        assert caught.value.retry_after_s > 0 and caught.value.retryable
        async with small.open_call(CallConfig()):
            with pytest.raises(Overloaded):
                async with small.open_call(CallConfig()):
                    pass
    async with small.open_call(CallConfig()) as third:
        await third.accept(audio[:8000])
    await small.close()


async def test_nobody_is_let_in_while_nothing_could_answer(engine: FakeEngine) -> None:
    box = Box(Settings(), engine, metrics := Metrics())

    def capacity() -> float | None:
        return metrics.registry.get_sample_value("lingting_live_legs_capacity")

    assert capacity() == UNMEASURED_LEGS
    engine.health = lambda: Health(True, live_legs=7)  # type: ignore[method-assign]
    assert capacity() == 7
    engine.health = lambda: Health(False, "gone")  # type: ignore[method-assign]
    assert capacity() == 0
    config = CallConfig(audio=AudioFormat(Encoding.ALAW, 8000, 1), door="riva")
    async with box.open_call(config) as call:
        with pytest.raises(EngineUnavailable, match="no engine answers"):
            await call.accept(bytes(8000))
    with pytest.raises(EngineUnavailable):
        async with box.open_call(
            CallConfig(audio=AudioFormat(Encoding.ALAW, 8000, 1), tenant="a", door="riva")
        ) as call:
            await call.accept(bytes(8000))
    await box.close()
    refused = {"door": "riva", "reason": "engine"}
    failed = {"door": "riva", "reason": "engine_unavailable"}
    value = metrics.registry.get_sample_value
    assert value("lingting_calls_refused_total", refused) == 2
    assert value("lingting_calls_failed_total", failed) == 0  # it is one loss, not two
    assert value("lingting_system_calls_refused_total", {"system": "a"}) == 1


async def test_a_bug_counts_as_a_call_that_the_box_has_failed(engine: FakeEngine) -> None:
    box = Box(Settings(), engine, metrics := Metrics())
    with pytest.raises(ZeroDivisionError):
        async with box.open_call(CallConfig(door="riva")):
            _ = 1 / 0
    await box.close()
    labels = {"door": "riva", "reason": "internal"}
    assert metrics.registry.get_sample_value("lingting_calls_failed_total", labels) == 1


async def test_drain_finishes_what_is_being_said(box: Box, audio: bytes) -> None:
    async with box.open_call(CallConfig()) as call:
        reading = asyncio.create_task(collect(call.events()))
        await call.accept(audio[: 4 * BYTES_PER_S])
        await box.drain(0.1)
        assert len(finals(await reading)) == 1
        with pytest.raises(Overloaded):
            async with box.open_call(CallConfig()):
                pass


async def test_drain_never_passes_half_a_recording_for_the_whole(box: Box, audio: bytes) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        async for piece in pieces(audio, 16_000):
            yield piece
            await asyncio.sleep(0.02)

    transcribing = asyncio.create_task(transcribe(box, CallConfig(live=False), slowly()))
    await asyncio.sleep(0.3)
    await box.drain(0.1)
    with pytest.raises(Overloaded, match="shutting down"):
        await transcribing


async def test_a_forced_cut_near_the_start_of_speech_breaks_nothing(audio: bytes) -> None:
    policy = CallPolicy(max_utterance_s=5)
    small = Box(Settings(call=policy), FakeEngine(), Metrics())
    await small.start()
    said = finals(await run(small, audio[: 30 * BYTES_PER_S]))
    assert all(f.end_ms - f.start_ms <= 5_400 for f in said) and len(said) > 4
    await small.close()


def test_partials_widen_under_load_and_narrow_again() -> None:
    pace = Pace(CallPolicy(), Metrics())
    relaxed = pace.interval_s
    for _ in range(50):
        pace.partial_took(1.0)
    assert pace.interval_s > 3 * relaxed and not pace.relaxed
    for _ in range(50):
        pace.partial_took(0.01)
    assert pace.interval_s == relaxed and pace.relaxed


def test_late_finals_stop_partials_until_they_are_quick_again() -> None:
    metrics = Metrics()
    pace = Pace(CallPolicy(), metrics)
    paused = "lingting_partials_paused"
    for _ in range(20):
        pace.final_took(3.0)
    assert pace.finals_only and metrics.registry.get_sample_value(paused) == 1
    pace.final_took(0.1)
    assert pace.finals_only, "one quick final is not enough"
    for _ in range(20):
        pace.final_took(0.1)
    assert not pace.finals_only and metrics.registry.get_sample_value(paused) == 0
    assert pace.interval_s == CallPolicy().partial_interval_max_ms / 1000, "slowly at first"


def test_finals_are_late_only_while_they_come() -> None:
    pace, now = Pace(CallPolicy(), Metrics()), 100.0
    with patch.object(pace_module.time, "monotonic", lambda: now):
        pace.final_took(100.0)
        assert pace.late_s > CallPolicy().finals_late_s
        now += pace_module.FRESH_S + 1
        assert not pace.late_s, "of calls that are over"
        for _ in range(30):
            pace.final_took(0.1)
        assert not pace.late_s


def test_a_track_forgets_only_what_it_may() -> None:
    track = Track()
    for i in range(10):
        track.append(np.full(100, i, np.float32))
    track.forget(350)
    assert track.begin == 300
    np.testing.assert_array_equal(track.read(390, 410), [3] * 10 + [4] * 10)
    with pytest.raises(ValueError, match="forgotten"):
        track.read(299, 400)


@pytest.mark.parametrize(
    ("hints", "words"),
    [
        ({"hotwords": ("平城区",) * 10_001}, "10001 hotwords"),
        ({"hotwords": ("平" * 101,)}, "a hotword of 101 characters"),
        ({"hotwords": tuple("平" * 40 + str(n) for n in range(5000))}, "characters in all"),
        ({"prompt": "平" * 2001}, "a prompt of 2001 characters"),
    ],
)
async def test_what_to_listen_for_is_bounded(box: Box, hints: dict[str, Any], words: str) -> None:
    with pytest.raises(TooLarge, match=words):
        async with box.open_call(CallConfig(**hints)):
            pass


class Mumbling(FakeEngine):
    """Unsure of every word."""

    def _answer(self, question: Question[Any]) -> Answer:
        answer = super()._answer(question)
        if isinstance(answer, Hypothesis):
            words = tuple(replace(word, confidence=0.4) for word in answer.words)
            return replace(answer, words=words)
        return answer


async def test_a_callers_and_the_citys_terms_are_put_right(audio: bytes) -> None:
    """The words are told with them, though nobody asked for the times of words."""
    made = Box(Settings(call=POLICY), Mumbling(), Metrics())
    await made.start()
    called = finals(await run(made, audio, hotwords=("好沃药",), boosts=(3.0,), word_times=False))
    made.take_terms(Terms([Term("好卧要", weight=3.0)]))
    of_city = finals(await run(made, audio))
    plain = finals(await run(made, audio, task="translate"))
    await made.close()
    assert called[0].text.startswith("您好沃药") and not called[0].words
    told = called[0].corrections[0]
    assert (told.heard, told.term) == ("好我要", "好沃药")
    assert called[0].start_ms <= told.start_ms < told.end_ms <= called[0].end_ms
    assert of_city[0].text.startswith("您好卧要") and of_city[0].words[2].text == "卧"
    assert plain[0].text.startswith("您好我要") and not plain[0].corrections


async def test_a_lexicon_that_is_swapped_in_a_call_counts_from_then_on(audio: bytes) -> None:
    """What was final stays as it was told; the call goes on."""
    made = Box(Settings(call=POLICY), Mumbling(), Metrics())
    await made.start()
    heard: list[Final] = []
    async with made.open_call(CallConfig()) as call:

        async def listen() -> None:
            async for event in call.events():
                if isinstance(event, Final):
                    heard.append(event)
                    first = len(heard) == 1
                    made.take_terms(Terms([Term("好卧要" if first else "好沃药", weight=3.0)]))

        listening = asyncio.create_task(listen())
        async for piece in pieces(audio, 1600):
            await call.accept(piece)
            await asyncio.sleep(0)
        await call.finish()
        await listening
    await made.close()
    texts = [final.text[1:4] for final in heard]
    assert len(texts) > 3 and texts[0] == "好我要"
    assert {"好卧要", "好沃药"} >= set(texts[2:]) and texts[-1] == "好沃药"
    assert [bool(final.corrections) for final in heard[2:]] == [True] * len(heard[2:])
