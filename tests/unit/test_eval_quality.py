"""`lingting eval quality`: what it counts, what it reads, and the voices that speak its cases."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from appliance.assist.city import pack as packs
from appliance.assist.quality.cases import dialogue, dialogues_of
from appliance.assist.quality.rule import Finding, inspect
from appliance.messages import Emotion, Level
from appliance.settings.section import PROJECT
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.training.hotline import dialogues as spoken
from tools.evaluation.command import app
from tools.evaluation.quality import RuledDialogue, call_of, figures

PACK = packs.load(PROJECT / "provisioning" / "city_packs" / "datong")
CASES = {each.name: each for each in dialogues_of(PACK.quality_cases)}
VOICES = ("one", "other")
SLOW = "slow_answer/violated/1"


def heard(name: str, **more: object) -> dict[str, object]:
    """A line as if every word had been heard as it is written."""
    turns = [
        {
            "role": turn.role.value,
            "text": turn.text,
            "start_ms": turn.start_ms,
            "end_ms": turn.end_ms,
            "confidence": 0.9,
        }
        for turn in CASES[name].call().turns
    ]
    return {"case": name, "text": CASES[name].text, "turns": turns, **more}


def run(*options: str) -> tuple[int, str, str]:
    told = CliRunner().invoke(app, ["quality", *options])
    return told.exit_code, told.stdout, told.stderr


def test_the_packs_own_dialogues_are_judged_rightly() -> None:
    code, out, _ = run("--json")
    told = json.loads(out)
    assert code == 0 and told["n"] == len(CASES) >= 120
    assert told["precision"] == told["recall"] == told["recall_安抚"] == 1
    assert told["unsure"] == 0 and told["s_per_1000_calls"] > 0


def test_rates_are_of_what_is_told_and_of_what_is_wrong() -> None:
    found = [
        RuledDialogue("a", "1", True, Finding.VIOLATED),
        RuledDialogue("a", "2", True, Finding.UNSURE),
        RuledDialogue("a", "3", False, Finding.VIOLATED),
        RuledDialogue("b", "4", False, Finding.KEPT),
    ]
    told = figures(found)
    assert (told["precision_a"], told["recall_a"], told["unsure_a"]) == (0.5, 0.5, 0.3333)
    assert (told["precision_b"], told["recall_b"]) == (-1, -1)
    assert (told["n"], told["precision"], told["unsure"]) == (4, 0.5, 0.25)


def test_what_was_heard_is_read(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    lines = [json.dumps(heard(name)) for name in ("greeting/violated/1", "greeting/kept/1")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, out, _ = run("--heard", str(path), "--json")
    told = json.loads(out)
    assert code == 0 and (told["n"], told["precision_规范用语"]) == (2, 1)
    assert (told["same_n"], told["same_recall"]) == (2 * len(PACK.quality), 1)
    code, out, _ = run("--heard", str(path), "--show")
    assert code == 0 and "规范用语" in out and "1,000 in" in out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "holds no dialogue"),
        ("{", "line 1: Expecting"),
        ('{"case": "nothing/kept/1", "turns": []}', "no 'nothing/kept/1'"),
        (json.dumps({"case": SLOW, "turns": [{"role": "agent"}]}), "no 'start_ms'"),
        (json.dumps({"case": SLOW, "text": "坐席：喂", "turns": []}), "written anew"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "heard.jsonl"
    path.write_text(line, encoding="utf-8")
    code, _, error = run("--heard", str(path))
    assert code == 2 and told in error


def test_a_pack_without_rules_is_told(tmp_path: Path) -> None:
    code, _, error = run("--pack", str(tmp_path))
    assert code == 2 and "eval quality: " in error


def test_moods_are_those_that_the_case_states() -> None:
    case = CASES["silent_to_fury/violated/1"]
    row = heard(case.name)
    turn = dict(row["turns"][1], how="愤怒高")  # type: ignore[index]
    call = call_of(case, {**row, "turns": [turn]})
    assert (call.turns[0].emotion, call.turns[0].level) == (Emotion.FURIOUS, Level.HIGH)


# --- the voices


def say(text: str, voice: str, speed: float) -> Audio:
    """A tone of a fifth of a second a character."""
    length = round(len(text) * RATE_HZ / 5 / speed)
    return np.sin(np.arange(length, dtype=np.float32) / 20).astype(np.float32)


def test_voices_speak_the_same_cases() -> None:
    told = dict(spoken.dialogues())
    assert told == {each.name: each.text for each in CASES.values()}
    turns, legs = spoken.perform(told[SLOW], say, VOICES, random.Random(1))
    written = dialogue(told[SLOW]).turns
    assert [(turn.role, turn.text) for turn in turns] == [(t.role.value, t.text) for t in written]
    assert turns[1].start_ms - turns[0].end_ms >= 9000 and turns[0].start_ms == 1000
    agent, citizen = legs
    assert len(agent) == len(citizen) > turns[1].end_ms * RATE_HZ // 1000
    quiet = slice(0, turns[0].start_ms * RATE_HZ // 1000)
    assert np.abs(agent[quiet]).max() < 0.1 < np.abs(citizen).max()


def test_an_interruption_begins_before_the_other_has_ended() -> None:
    text = CASES["interrupts/violated/1"].text
    turns, _ = spoken.perform(text, say, VOICES, random.Random(1))
    assert abs(turns[1].end_ms - turns[2].start_ms - 2000) <= 1


def test_a_pace_is_what_the_case_states() -> None:
    (turn,), _ = spoken.perform(
        "坐席（每分钟400字）：一二三四五六七八九十", say, VOICES, random.Random(1)
    )
    assert (turn.end_ms - turn.start_ms) / 1000 == pytest.approx(1.5, rel=0.02)


def test_digits_are_read_one_by_one() -> None:
    said: list[str] = []

    def noting(text: str, voice: str, speed: float) -> Audio:
        said.append(text)
        return say(text, voice, speed)

    spoken.perform("坐席：12345，请讲", noting, VOICES, random.Random(1))
    assert said == ["幺二三四五，请讲"]


def test_a_line_is_what_the_box_heard() -> None:
    turns = [spoken.VoicedTurn("citizen", "生气中", "停水了", 900, 2000)]
    said = {"leg": 1, "start": 1.0, "end": 2.1, "text": "停水了。", "confidence": 0.8, "words": []}
    told = {"duration": 3.0, "model": "m 1", "utterances": [said, {**said, "leg": 0}]}
    line = spoken.line_of("x/kept/1", "市民（生气中）：停水了", turns, told)
    assert [turn["role"] for turn in line["turns"]] == ["citizen", "agent"]
    assert [turn["how"] for turn in line["turns"]] == ["生气中", ""]
    assert line["duration_ms"] == 3000 and line["turns"][0]["start_ms"] == 1000


def test_it_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def hears(lingting: str, paths: list[Path]) -> dict[str, object]:
        asked.extend(path.stem for path in paths)
        return {path.stem: {"duration": 1.0, "model": "", "utterances": []} for path in paths}

    monkeypatch.setattr(spoken, "heard", hears)
    out = tmp_path / "heard.jsonl"
    command = ["--out", str(out), "--wav", str(tmp_path), "--kokoro", "a", "b", "--batch", "2"]
    for count in ("3", "1"):
        given = spoken.arguments([*command, "--count", count])
        spoken.run(given, spoken.kept_by(tmp_path / "said", say), VOICES)
    names = [json.loads(line)["case"] for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(set(names)) == 4 and [name.replace("/", "-") for name in names] == asked
    assert f"4 of {len(CASES)}" in capsys.readouterr().err


def test_rules_find_in_a_call_what_they_find_in_its_text() -> None:
    for name in ("threat/violated/1", "interrupts/violated/1"):
        call = call_of(CASES[name], heard(name))
        found = {each.rule.id for each in inspect(PACK.quality, call).violated}
        assert CASES[name].rule in found
