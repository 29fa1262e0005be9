"""Stock Riva programs against the real daemon: a real Triton, the CPU behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.cer import cer
from tests.daemon import DEMO_CALL, Daemon, as_pcm, daemon

LIVE_S = 32.5  # of the call, between two sentences; the stock client plays stereo at half speed
WORST_CER = 0.3  # of the demo call: speech and words at all, not accuracy; that is `lingting eval`


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("box")) as running:
        running.until_in_use("triton")
        yield running


@pytest.fixture(scope="module")
def pcm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_pcm(DEMO_CALL, tmp_path_factory.mktemp("audio") / "call.wav", LIVE_S)


def reference(leg: str | None = None, until_s: float = 99.0) -> str:
    sentences = json.loads((DEMO_CALL.parent / "call.json").read_text())
    said = (s for s in sentences if leg in (None, s["leg"]) and s["end_ms"] < until_s * 1000)
    return "".join(s["text"] for s in said)


def said(lines: list[dict], channel: int | None = None) -> str:
    finals = [x for x in lines if x["event"] == "result" and x.get("is_final", True)]
    return "".join(x["text"] for x in finals if channel in (None, x["channel"]))


@pytest.mark.quick
def test_a_live_stereo_call_is_written_down_leg_by_leg(box: Daemon, pcm: Path) -> None:
    lines = box.run_client(
        "stream", "--file", str(pcm), "--separate-channels", "--simulate-realtime",
        "--word-time-offsets", "--automatic-punctuation",
    )  # fmt: skip
    assert lines[-1]["event"] == "end"
    assert cer(reference("agent", LIVE_S), said(lines, 1)) < WORST_CER
    assert cer(reference("citizen", LIVE_S), said(lines, 2)) < WORST_CER
    results = [x for x in lines if x["event"] == "result"]
    assert any(not x["is_final"] and 0 < x["stability"] < 1 for x in results)
    for final in (x for x in results if x["is_final"] and x["text"]):
        times = [t for w in final["words"] for t in (w["start_ms"], w["end_ms"])]
        assert times and times == sorted(times) and times[-1] <= 61_200
    assert box.metric("lingting_finals_total", engine="triton") > 0


@pytest.mark.parametrize("flags", [(), ("--no-verbatim-transcripts",)], ids=["verbatim", "itn"])
def test_a_recording_is_written_down_at_once(box: Daemon, flags: tuple[str, ...]) -> None:
    lines = box.run_client("offline", "--file", str(DEMO_CALL), "--separate-channels", *flags)
    text = said(lines)
    assert cer(reference(), "".join(sorted_by_time(lines))) < WORST_CER
    assert any(c.isdigit() for c in text) is bool(flags)


def sorted_by_time(lines: list[dict]) -> list[str]:
    finals = [x for x in lines if x["event"] == "result"]
    return [
        x["text"]
        for x in sorted(finals, key=lambda x: x["words"][0]["start_ms"] if x["words"] else 0)
    ]


def test_several_clients_at_once(box: Daemon) -> None:
    lines = box.run_client(
        "stream", "--file", str(DEMO_CALL), "--num-clients", "4", "--separate-channels"
    )
    texts = [
        "".join(
            x["text"]
            for x in lines
            if x["event"] == "result" and x["is_final"] and x["client"] == i
        )
        for i in range(4)
    ]
    assert all(texts) and len(set(map(len, texts))) == 1


def test_models_are_listed_as_demo(box: Daemon) -> None:
    lines = box.run_client("list_models")
    assert "asr-demo" in json.dumps(lines)


def test_hotwords_and_endpointing_flags_pass(box: Daemon, pcm: Path) -> None:
    lines = box.run_client(
        "stream", "--file", str(pcm), "--boosted-lm-words", "平城区", "--start-history", "200",
        "--stop-history", "1200", "--stop-history-eou", "400", "--stop-threshold", "0.9",
    )  # fmt: skip
    assert lines[-1]["event"] == "end" and said(lines)


def test_an_unknown_language_gets_rivas_words(box: Daemon, pcm: Path) -> None:
    lines = box.run_client("stream", "--file", str(pcm), "--language-code", "tlh")
    assert lines[-1]["code"] == "INVALID_ARGUMENT"
    assert str(lines[-1]["details"]).startswith("Error: Unavailable model requested")
