"""What is learned from, how much of it, and what an adaptation says of itself."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from appliance.audio.listed import decode
from appliance.audio.trimming import pieces
from appliance.audio.vad import Vad
from appliance.cli import adapt
from appliance.cli.app import app
from appliance.settings.section import PROJECT
from inference.adaptation import curriculum, request
from inference.adaptation.clips import (
    SetAside,
    SpeechClip,
    heard_right,
    looked_at,
    split,
    usable,
)
from inference.adaptation.notes import (
    CHOSEN,
    FEW_SPEAKERS,
    FORGOTTEN,
    NO_GENERAL,
    NOTHING_GAINED,
    notes,
)
from inference.adaptation.report import AdaptationReport, Cost, CurvePoint, page
from inference.adaptation.request import AdaptationRequest, SpokenRecording
from inference.adaptation.spent import Spent
from inference.adaptation.spread import spread
from inference.adaptation.trial import (
    Choice,
    HeardFigures,
    smallest_margin,
    strongest_that_spoils_nothing,
)
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Window

SAID = ("小区暖气三天没有热", "路灯坏了没有人修", "楼上半夜施工太吵了", "垃圾堆了一个星期")


def spoken(
    name: str, text: str = SAID[0], speaker: str = "甲", seconds: float = 3.0, level: float = 0.1
) -> SpeechClip:
    audio = np.full(int(seconds * 16_000), level, np.float32)
    return SpeechClip(name, audio, text, speaker, f"{name}.npy")


class Ears:
    """Hears what it is told to, and lays texts along it by whether they are that."""

    def __init__(self, truth: Sequence[str], heard: Sequence[str]) -> None:
        self._truth, self._heard = list(truth), list(heard)
        self._levels = [0.1 * (i + 1) for i in range(len(truth))]

    def listen(self, windows: Sequence[Window]) -> list[Hypothesis]:
        return [Hypothesis(self._heard[self._which(w)], "zh") for w in windows]

    def fit(self, window: Window, texts: Sequence[str]) -> list[float]:
        truth = self._truth[self._which(window)]
        return [-0.5 if text == truth else -3.0 - 0.01 * len(text) for text in texts]

    def _which(self, window: Window) -> int:
        return int(np.argmin([abs(level - window.audio[0]) for level in self._levels]))


def quiet(done: int, of: int) -> None:
    pass


@pytest.mark.parametrize(
    ("clip", "why"),
    [
        (spoken("a", ""), "no text"),
        (spoken("a", "hello there"), "no Chinese text"),
        (spoken("a", "你\x00好"), "holds"),
        (spoken("a", seconds=0.2), "0.2 s of speech"),
        (spoken("a", seconds=30), "without a pause"),
        (spoken("a", level=0.0), "silence"),
        (spoken("a", "您好" * 40), "more text than was said"),
    ],
)
def test_what_cannot_be_learned_from_is_told_before_it_is_heard(clip: SpeechClip, why: str) -> None:
    assert why in looked_at(clip)


def test_a_wrong_text_is_set_aside_and_a_strong_accent_is_not() -> None:
    clips = [spoken(f"c{i}", text, level=0.1 * (i + 1)) for i, text in enumerate(SAID)]
    clips[1] = replace(clips[1], text=SAID[1] + "吗")  # says something else than is heard
    swapped = replace(clips[2], text=SAID[0])
    garbled = "嗯嗯啊啊哦哦哦呀"  # all that is heard of a strong accent
    ears = Ears([SAID[0], SAID[1] + "吗", SAID[2], SAID[3]], [SAID[0], garbled, SAID[2], SAID[3]])
    kept, aside = heard_right([clips[0], clips[1], swapped, clips[3]], ears, "zh", quiet)  # type: ignore[arg-type]
    assert [clip.name for clip in kept] == ["c0", "c1", "c3"]
    assert kept[1].heard == garbled
    assert [each.name for each in aside] == ["c2"] and SAID[2] in aside[0].reason


def test_whole_speakers_are_held_out_where_there_are_enough() -> None:
    clips = [spoken(f"{who}{i}", speaker=who) for who in "甲乙丙丁戊" for i in range(4)]
    learned, held = split(clips)
    assert held and not {c.speaker for c in learned} & {c.speaker for c in held}
    one = [spoken(f"x{i}") for i in range(10)]
    learned, held = split(one)
    assert len(held) == 1 and learned + held == one


def test_a_curves_points_are_parts_of_one_another_and_of_everybody() -> None:
    clips = [spoken(f"{who}{i}", speaker=who, seconds=6) for who in "甲乙丙" for i in range(20)]
    little, more = (curriculum.nested(clips, minutes) for minutes in (1, 3))
    assert more[: len(little)] == little
    assert {clip.speaker for clip in little} == set("甲乙丙")
    assert sum(clip.seconds for clip in little) == pytest.approx(60, abs=6)
    assert curriculum.points(6 * 60, 20) == [1, 2, 6]
    assert curriculum.points(90 * 60, 20) == [1, 2, 5, 10, 20]
    assert curriculum.points(40, 20) == [pytest.approx(0.67)]


def test_more_speech_is_learned_for_longer() -> None:
    counts = [curriculum.steps(minutes) for minutes in (0.5, 1, 2, 5, 10, 20, 120)]
    assert counts == sorted(counts) and counts[0] > 10 and counts[-1] == curriculum.MOST_STEPS


def test_what_forgets_is_not_chosen_however_well_it_hears() -> None:
    strengths = ((0.25, 0.30, 0.20), (0.5, 0.25, 0.209), (1.0, 0.10, 0.35))
    tried = [Choice("look", *each) for each in strengths]
    assert strongest_that_spoils_nothing(tried, 0.20).strength == 0.5
    assert strongest_that_spoils_nothing(tried, None).strength == 1.0
    # Where all forget more than is accepted, the one that forgets least.
    assert strongest_that_spoils_nothing(tried, 0.10).strength == 0.25


def heard(cer: float) -> HeardFigures:
    return HeardFigures(cer, None, None, 30, 3, 120.0)


@pytest.mark.parametrize(
    ("local", "general", "by_speaker", "told"),
    [
        (0.2, None, True, [CHOSEN, NO_GENERAL]),
        (0.2, 0.109, True, [CHOSEN]),
        (0.2, 0.12, True, [CHOSEN, FORGOTTEN.format(points=2.0, most=1.0)]),
        (0.4, 0.09, False, [CHOSEN, FEW_SPEAKERS, NOTHING_GAINED]),
    ],
)
def test_what_an_adaptation_did_not_bring_is_said(
    local: float, general: float | None, by_speaker: bool, told: list[str]
) -> None:
    before, after = {"local": heard(0.4)}, {"local": heard(local)}
    if general is not None:
        before["general"], after["general"] = heard(0.1), heard(general)
    assert notes(before, after, by_speaker) == told


def test_a_margin_shrinks_only_as_far_as_it_costs_nothing() -> None:
    assert smallest_margin({1.28: 0.20, 2.5: 0.151, 5.0: 0.15}) == 2.5
    assert smallest_margin({1.28: 0.14, 2.5: 0.151, 5.0: 0.15}) == 1.28


def told() -> AdaptationReport:
    before = HeardFigures(0.4, 0.35, 0.45, 30, 3, 120.0)
    figures = {"local": before, "local_alaw": before}
    after = {name: replace(before, cer=0.2) for name in figures}
    points = (CurvePoint(1.0, 50, 0.5, 0.3, None, 100.0, 0.05),)
    margins = {"before": {1.28: 0.5, 5.0: 0.4}, "after": {1.28: 0.2, 5.0: 0.2}}
    return AdaptationReport(
        base="whisper-base",
        bundle="<b>@1",
        device="cpu",
        learned_s=60.0,
        learned_speakers=4,
        general_learned_s=0.0,
        held_out="speakers",
        before=figures,
        after=after,
        curve=points,
        margins=margins,
        margin_s=1.28,
        cost=Cost(200.0, 0.1, 0.0, 900.0),
        set_aside=(SetAside("a&b.wav", "no text"),),
        notes=("note",),
    )


def test_the_report_stands_by_itself(tmp_path: Path) -> None:
    told().save(tmp_path)
    shown = page(told())
    assert "20.0% (35.0%–45.0%)" in shown and "40.0%" in shown and "<svg" in shown
    assert "&lt;b&gt;@1" in shown and "a&amp;b.wav" in shown and "<script" not in shown
    assert "http" not in shown  # nothing is fetched
    assert json.loads((tmp_path / "report.json").read_text())["after"]["local"]["cer"] == 0.2


def asked(base: str = "b") -> AdaptationRequest:
    recording = SpokenRecording("clips/local-00000.npy", "a.wav", "您好", "甲")
    return AdaptationRequest(
        base, "n", "1", "zh", 5.0, 0, True, "cpu", "python", (recording,), (recording,)
    )


def test_what_a_start_that_was_cut_off_took_is_counted(tmp_path: Path) -> None:
    (tmp_path / "spent.json").write_text('{"wall_s": 100.0, "core_s": 50.0}')
    spent = Spent(tmp_path)
    assert 100 <= spent.wall_s < 160 and spent.core_s > 50
    spent.keep()
    again = Spent(tmp_path)
    assert again.wall_s >= spent.wall_s - 1 and again.core_s > spent.core_s


def test_a_request_is_read_as_it_was_written(tmp_path: Path) -> None:
    asked().save(tmp_path)
    assert request.load(tmp_path) == asked()


# --- the command


@pytest.fixture
def torch(tmp_path: Path) -> Path:
    """A Python that says it has torch."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    return python


def run(*arguments: object) -> str:
    outcome = CliRunner().invoke(app, ["adapt", *map(str, arguments)])
    assert outcome.exit_code != 0
    return str(outcome.exception)


def test_without_torch_it_says_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "l.tsv").write_text("file\ttext\na.wav\t您好\n")
    there = ("--data", tmp_path / "l.tsv", "--out", tmp_path)
    assert "make pyannote" in run(*there, "--torch", tmp_path / "none")
    mistyped = run("--data", tmp_path / "k.tsv", "--out", tmp_path, "--torch", tmp_path / "none")
    assert "k.tsv" in mistyped and "learning takes torch" not in mistyped
    poor = tmp_path / "poor"
    poor.write_text("#!/bin/sh\necho No module named torch >&2\nexit 1\n")
    poor.chmod(0o755)
    assert "No module named torch" in run(*there, "--torch", poor)


def test_a_list_that_is_none_is_named(tmp_path: Path, torch: Path) -> None:
    told = run("--data", tmp_path / "none.tsv", "--out", tmp_path / "o", "--torch", torch)
    assert "none.tsv" in told
    (tmp_path / "l.tsv").write_text("path\ttext\na\tb\n")
    told = run("--data", tmp_path / "l.tsv", "--out", tmp_path / "o", "--torch", torch)
    assert "no column file" in told


def test_an_unknown_base_is_named_with_what_there_is(tmp_path: Path, torch: Path) -> None:
    told = run("--data", "l", "--out", tmp_path, "--torch", torch, "--base", "nothing@9")
    assert "there is no nothing@9" in told


def test_another_adaptations_folder_is_left_alone(tmp_path: Path, torch: Path) -> None:
    asked().save(tmp_path)
    told = run("--data", "l", "--out", tmp_path, "--torch", torch)
    assert "holds another adaptation" in told and "new folder" in told
    (tmp_path / "request.json").write_text("{}")
    assert "new folder" in run("--data", "l", "--out", tmp_path, "--torch", torch)


SPOKEN = PROJECT / "tools" / "evaluation" / "spoken_names"


@pytest.mark.timeout(120)
def test_three_clips_are_too_few_and_it_says_so(tmp_path: Path, torch: Path) -> None:
    rows = (SPOKEN / "list.tsv").read_text(encoding="utf-8").splitlines()[1:4]
    cells = [row.split("\t") for row in rows]
    names = (SPOKEN / "list.tsv").read_text(encoding="utf-8").splitlines()[0].split("\t")
    listed = ["file\ttext\tspeaker"]
    for each in (dict(zip(names, row, strict=True)) for row in cells):
        listed.append(f"{SPOKEN / each['file']}\t{each['text']}\t甲")
    (tmp_path / "l.tsv").write_text("\n".join(listed) + "\n", encoding="utf-8")
    told = run("--data", tmp_path / "l.tsv", "--out", tmp_path / "o", "--torch", torch)
    assert "s of speech to learn from, 30 s are the least" in told and "more recordings" in told


async def test_an_hour_in_one_file_is_refused_and_stereo_is_mixed(tmp_path: Path) -> None:
    def recorded(name: str, seconds: int, channels: int) -> dict[str, str]:
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((channels, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(2 * channels * 8000 * seconds))
        return {"file": name, "text": "您好"}

    hour, stereo = recorded("hour.wav", 3600, 1), recorded("stereo.wav", 2, 2)
    vad = Vad()
    ((each, _),) = await adapt.one(tmp_path / "l.tsv", hour, "f", vad)
    assert "900" in each.refused, each.refused
    ((each, _),) = await adapt.one(tmp_path / "l.tsv", stereo, "f", vad)
    assert each.refused == "nobody speaks"  # it was read
    await vad.close()
    assert len(await decode(tmp_path / "stereo.wav")) == 2 * SAMPLE_RATE_HZ


async def test_a_recording_that_cannot_be_read_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"RIFF nothing")

    async def reason(row: dict[str, str]) -> str:
        made = await adapt.one(tmp_path / "l.tsv", row, "f", None)  # type: ignore[arg-type]
        ((each, audio),) = made
        assert not len(audio)
        return each.refused

    assert await reason({"file": "a.wav", "text": " "}) == "no text"
    assert "No such file" in await reason({"file": "a.wav", "text": "您好"})
    assert await reason({"file": "x.wav", "text": "您好"})


async def test_a_long_recording_is_cut_at_its_pauses(tmp_path: Path) -> None:
    """The demo call, both legs in one."""
    call = PROJECT / "bundles" / "demo-call" / "call.wav"
    audio = (await decode(call))[: 40 * SAMPLE_RATE_HZ]
    vad = Vad()
    cut = await pieces(audio, vad, 12.0)
    whole = await pieces(audio, vad, 1000.0)
    nothing = await pieces(np.zeros(SAMPLE_RATE_HZ, np.float32), vad, 8.0)
    await vad.close()
    assert len(cut) > 3 and all(len(piece) <= 12.6 * SAMPLE_RATE_HZ for piece in cut)
    assert len(whole) == 1 and not nothing
    assert sum(map(len, cut)) < len(whole[0]) + len(cut) * 0.5 * SAMPLE_RATE_HZ


@pytest.mark.parametrize(
    ("text", "heard", "parts"),
    [
        ("暖气不热。三天了！", ["暖器不热", "三天了"], ["暖气不热。", "三天了！"]),
        ("暖气不热，已经三天了。路灯也坏了。", ["暖气不热", "已经三天", "路灯坏了"], None),
        ("我家暖气不热", ["", "我家暖气不热"], ["", "我家暖气不热"]),
        ("一二三四", ["一二", "三四"], ["一二", "三四"]),
        ("一二三四", ["", ""], None),
    ],
)
def test_a_text_is_spread_over_the_pieces_it_was_said_in(
    text: str, heard: list[str], parts: list[str] | None
) -> None:
    found = spread(text, heard)
    assert "".join(found) == text and len(found) == len(heard)
    if parts:
        assert found == parts


def test_marks_tell_where_a_piece_ends() -> None:
    text = "暖气不热，已经三天了。路灯也坏了。"
    found = spread(text, ["暖气不热", "已经三天", "路灯坏了"])
    assert found == ["暖气不热，", "已经三天了。", "路灯也坏了。"]


def test_pieces_are_judged_by_their_own_part_of_the_text() -> None:
    clips = [
        replace(spoken("a", SAID[0] + "，" + SAID[1], level=0.1), whole="long.wav"),
        replace(spoken("b", SAID[0] + "，" + SAID[1], level=0.2), whole="long.wav"),
        spoken("c", SAID[2], level=0.3),
    ]
    ears = Ears(SAID[:3], SAID[:3])
    found, aside = usable(clips, ears, "zh", quiet)  # type: ignore[arg-type]
    kept, wrong = heard_right(found, ears, "zh", quiet)  # type: ignore[arg-type]
    assert not wrong
    assert [clip.text for clip in kept] == [SAID[0] + "，", SAID[1], SAID[2]] and not aside
