"""The bench's arithmetic: quantiles, searches, sentences, ratios, goals; and the peer's engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from appliance.cli.app import app
from appliance.errors import EngineUnavailable, InvalidRequest
from appliance.load import live as bench_live
from appliance.load.client import HeardCall, Plan, SimulatedCaller
from appliance.load.probe import ProcessWatch, Scrape, batches, quantile, use_by_group
from appliance.messages import DEMO_NOTICE
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.engines import ModelsSettings
from inference.tensors import Priority, Window
from tests.daemon import read_call
from tools.bench import recordings as bench_recordings
from tools.bench import report as bench_report
from tools.peers.naive import NaiveEngine

BEFORE = """
# TYPE wait histogram
wait_bucket{engine="a",le="0.25"} 10
wait_bucket{engine="a",le="0.5"} 10
wait_bucket{engine="a",le="+Inf"} 10
"""
AFTER = """
# TYPE wait histogram
wait_bucket{engine="a",le="0.25"} 20
wait_bucket{engine="a",le="0.5"} 30
wait_bucket{engine="a",le="+Inf"} 30
wait_bucket{engine="b",le="0.25"} 0
wait_bucket{engine="b",le="0.5"} 0
wait_bucket{engine="b",le="+Inf"} 0
"""
TRITON = """
# TYPE nv_inference_count counter
nv_inference_count{{model="asr",version="1"}} {windows}
# TYPE nv_inference_exec_count counter
nv_inference_exec_count{{model="asr",version="1"}} {runs}
"""


def test_a_quantile_is_of_what_came_between_two_readings() -> None:
    assert quantile(Scrape(BEFORE), Scrape(AFTER), "wait", 0.5) == pytest.approx(0.25)
    assert quantile(Scrape(BEFORE), Scrape(AFTER), "wait", 0.75) == pytest.approx(0.375)
    assert quantile(Scrape(AFTER), Scrape(AFTER), "wait", 0.5) is None
    assert quantile(Scrape(), Scrape(), "wait", 0.5) is None


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    page = 'wait_bucket{le="1.0"} 0\nwait_bucket{le="+Inf"} 5\n'
    assert quantile(Scrape(), Scrape("# TYPE wait histogram\n" + page), "wait", 0.95) == 1.0


def test_triton_counts_its_batches() -> None:
    before, after = (Scrape(TRITON.format(windows=w, runs=r)) for w, r in ((10, 10), (40, 20)))
    assert batches(before, after) == {"triton_windows": 30, "triton_batch_mean": 3.0}
    assert batches(after, after)["triton_batch_mean"] is None


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 7, 16, 37, 64, 200])
def test_the_search_finds_the_limit(limit: int) -> None:
    tried: list[int] = []

    def holds(calls: int) -> bool:
        tried.append(calls)
        return calls <= limit

    found = bench_live.largest(holds, most=64)
    assert found <= limit
    assert min(limit, 64) - found <= max(1, found // 8)
    assert len(tried) == len(set(tried)) <= 12


def test_the_recording_is_the_call_without_its_header() -> None:
    with bench_live.recording() as audio:
        sizes = {key: path.stat().st_size for key, path in audio.files.items()}
        assert sizes[2] == sizes[1] + sizes[-1] == round(audio.duration_s * 16_000)
        assert {s.leg for s in audio.sentences} == {1, 2}
        assert any(s.clear_before for s in audio.sentences)
        assert not all(s.clear_before for s in audio.sentences)
    assert not audio.files[2].exists()


def test_calls_begin_at_different_places_and_hold_whole_sentences() -> None:
    with bench_live.recording() as audio:
        plans = bench_live.make_plans(6, 2, 30.0, audio, start_at=100.0)
        assert len({plan.offset for plan in plans}) == 6
        assert all(plan.offset % 2 == 0 for plan in plans)
        assert plans[0].start_at == 100.0 < plans[-1].start_at < 100.0 + bench_live.STAGGER_S
        for plan in plans:
            said = list(bench_live.said_in(plan, audio))
            assert said
            assert all(0 <= s.start_s < s.end_s <= 30.0 for s in said)


def test_a_call_longer_than_the_recording_says_it_again() -> None:
    with bench_live.recording() as audio:
        (plan,) = bench_live.make_plans(1, 2, 2 * audio.duration_s, audio, 0.0)
        assert len(list(bench_live.said_in(plan, audio))) == 2 * len(audio.sentences)


def test_calls_of_one_leg_take_turns() -> None:
    with bench_live.recording() as audio:
        plans = bench_live.make_plans(2, 1, 61.0, audio, 0.0)
        assert [Path(plan.audio).name for plan in plans] == ["agent", "citizen"]
        assert {s.leg for plan in plans for s in bench_live.said_in(plan, audio)} == {1}


def test_the_audio_goes_round() -> None:
    caller = SimulatedCaller(Plan(0, "a", 1, 0, 0.0, 1.0), b"abcdef")
    assert caller._piece(4, 4) == b"efab"
    assert caller._piece(12, 3) == b"abc"


def test_waits_belong_to_their_sentence() -> None:
    sentence = bench_live.ScriptedSentence(1, 10.0, 14.0, clear_before=True, clear_after=True)
    heard = HeardCall(0, partials=[(1, 9.9), (2, 10.1), (1, 10.4)])
    heard.finals = [(1, 14.2, 9.0), (2, 14.3, 14.0), (1, 14.9, 13.9)]
    assert bench_live._first_partial(sentence, heard) == pytest.approx(0.4)
    assert bench_live._final_wait(sentence, heard) == pytest.approx(0.9)
    assert bench_live._final_wait(sentence, HeardCall(0)) is None


def test_sustained_means_in_time_and_without_a_flaw() -> None:
    counts = ("refused", "errors", "sentences_unheard")
    good = {"endpoint_to_final_p95_s": 0.6, **dict.fromkeys(counts, 0)}
    assert bench_live.sustained(good, 0.6)
    for flaw in ({"endpoint_to_final_p95_s": 0.61}, *({count: 1} for count in counts)):
        assert not bench_live.sustained(good | flaw, 0.6)
    assert not bench_live.sustained(good | {"endpoint_to_final_p95_s": None}, 0.6)


def test_medians_keep_the_worst_of_failures() -> None:
    runs = [{"wall_s": w, "errors": e, "none": None} for w, e in ((3.0, 0), (1.0, 2), (2.0, 0))]
    assert bench_report.medians(runs) == {"wall_s": 2.0, "errors": 2, "none": None}


def test_ratios_and_goals() -> None:
    both = bench_report.against({"sustained_calls": 9}, {"sustained_calls": 4}, ["sustained_calls"])
    assert both == {
        "sustained_calls": 9,
        "naive_sustained_calls": 4,
        "ratio_sustained_calls": 2.25,
    }
    assert bench_report.CALLS["wyoming"].met(both) is True
    assert bench_report.CALLS["naive"].met(both) is False
    assert bench_report.LATENCY.met(both) is None
    assert "missed by 0.15" in bench_report.LATENCY.sentence({"endpoint_to_final_p95_s": 1.15})
    nothing = bench_report.against({"n": 3}, {"n": 0}, ["n"])
    assert nothing["ratio_n"] == 3.0


def test_json_is_one_flat_object(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"calls": 4, "endpoint_to_final_p95_s": 0.3, "demo_weights": True}
    bench_report.tell("Live calls", figures, [bench_report.LATENCY], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told == figures | {"goal_endpoint_to_final": True}


def test_the_table_has_a_column_for_the_peer(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"calls": 4, "naive_calls": 2, "demo_weights": True}
    bench_report.tell("Live calls", figures, [bench_report.LATENCY], as_json=False)
    told = capsys.readouterr().out
    assert "naive" in told and "not measured" in told and DEMO_NOTICE[:4] in told


def test_a_process_and_its_children_are_watched() -> None:
    spin = "import time; t = time.time()\nwhile time.time() < t + 0.5: pass"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with ProcessWatch(os.getpid()) as watch:
            subprocess.run([sys.executable, "-c", spin], check=True)
            time.sleep(0.1)
        assert watch.clients_cores > 0.1
        assert watch.rss_mb["gateway"] >= use_by_group(child.pid)["gateway"].rss_mb > 1
    finally:
        child.communicate()


def test_a_recordings_length_is_read_from_its_header() -> None:
    legs, seconds = bench_recordings.legs_and_seconds(bench_recordings.FILE.read_bytes())
    assert legs == 2
    assert seconds == pytest.approx(len(read_call(bench_recordings.FILE)) / 8000, abs=0.01)


@pytest.mark.parametrize("calls", ["none", "0", "-1", "1.5"])
def test_wrong_counts_are_refused_before_anything_starts(calls: str) -> None:
    result = CliRunner().invoke(app, ["bench", "live", "--calls", calls])
    assert isinstance(result.exception, InvalidRequest) or result.exit_code == 2


async def test_the_peer_answers_windows(tiny_bundle: Path) -> None:
    engine = NaiveEngine(Settings(models=ModelsSettings(asr=tiny_bundle)), Metrics())
    with pytest.raises(EngineUnavailable):
        engine.card()
    await engine.start()
    try:
        noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
        window = Window(noise, language="zh", retries=False, word_times=True)
        heard = await engine.ask(window, Priority.FINAL, 60.0)
        assert heard.engine == "naive" and heard.demo
        assert engine.health().ok and engine.card().name == "tiny"
        with pytest.raises(InvalidRequest):
            await engine.ask(Window(noise[:0]), Priority.FINAL, 1.0)
        with pytest.raises(InvalidRequest):
            await engine.ask(Window(noise, language="xx"), Priority.FINAL, 1.0)
    finally:
        await engine.close()
