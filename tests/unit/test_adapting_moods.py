"""Moods learned from a city's labelled utterances, near to the base; of speakers left out."""

from __future__ import annotations

import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from appliance.cli.app import app
from appliance.settings.section import PROJECT
from inference.adaptation.mood_report import MoodFigures
from inference.adaptation.moods import CannotLearn, Samples, learn, of_head
from inference.bundles import verify
from inference.emotion.load import load_head
from inference.tensors import EMOTIONS

BASE = PROJECT / "bundles" / "emotion-words"
HEAD = load_head(BASE)
CALM, ANXIOUS = EMOTIONS.index("calm"), EMOTIONS.index("anxious")


def samples(count: int = 120, *, telling: float = 3.0) -> Samples:
    """Calm and anxious utterances of six people, told apart by one feature of the voice."""
    rng = np.random.default_rng(7)
    emotion = rng.choice([CALM, ANXIOUS], count)
    features = rng.normal(size=(count, len(HEAD.weight)))
    features[:, 0] += telling * (emotion == ANXIOUS)
    return Samples(features, np.zeros((count, len(EMOTIONS))), emotion, np.arange(count) % 6)


def test_a_voice_that_tells_is_learned_and_told_of_speakers_left_out() -> None:
    head, told = learn(samples(), HEAD)
    assert told.before.auc_aroused < 0.65 < 0.9 < told.after.auc_aroused
    assert told.after.told_right > 0.8 and told.after.abstain_rate < 0.5
    assert told.after.ece < 0.15
    assert of_head(head).sound.shape == (len(HEAD.weight), len(EMOTIONS))


def test_where_voices_tell_nothing_nothing_is_told() -> None:
    head, told = learn(samples(telling=0.0), HEAD)
    assert abs(told.after.auc_aroused - told.before.auc_aroused) < 0.1
    assert told.after.abstain_rate > 0.9 and head.threshold[0] > 0.9


@pytest.mark.parametrize(
    ("few", "why"),
    [
        (samples(20), "20 utterances"),
        (replace(samples(), speaker=np.zeros(120, int)), "1 speakers"),
        (replace(samples(), emotion=np.zeros(120, int)), "1 moods"),
    ],
)
def test_too_little_is_refused(few: Samples, why: str) -> None:
    with pytest.raises(CannotLearn, match=why):
        learn(few, HEAD)


def test_figures_count_what_was_told() -> None:
    scores = np.full((4, len(EMOTIONS)), -9.0)
    scores[0, CALM] = scores[1, ANXIOUS] = scores[2, ANXIOUS] = 9.0
    scores[3] = 0.0  # sure of nothing
    told = MoodFigures.of(scores, np.array([CALM, ANXIOUS, CALM, ANXIOUS]), np.full(1, 0.5))
    assert told.told_right == pytest.approx(2 / 3, abs=1e-3)
    assert told.abstain_rate == 0.25 and told.false_alarm_rate == 0.5
    assert told.confusion[CALM][ANXIOUS] == 1 and told.confusion[ANXIOUS][-1] == 1


def listed(folder: Path, count: int) -> Path:
    rng, rows = np.random.default_rng(3), ["file\tspeaker\ttext\temotion"]
    for number in range(count):
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((rng.normal(0, 3000, 12_000)).astype("<i2").tobytes())
        mood = EMOTIONS[number % 2]
        rows.append(f"{number}.wav\tp{number % 5}\t您好我想反映个事\t{mood}")
    rows += ["0.wav\tp0\t您好\tmerry", "none.wav\tp0\t您好\tcalm"]
    (folder / "list.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "list.tsv"


def test_the_command_leaves_out_what_it_cannot_use_and_seals_a_bundle(tmp_path: Path) -> None:
    arguments = ["adapt", "emotion", "--data", str(listed(tmp_path, 50))]
    arguments += ["--out", str(tmp_path / "out"), "--name", "moods-here", "--version", "3"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "line 52 is left out" in done.output and "line 53 is left out" in done.output
    manifest = verify(tmp_path / "out" / "bundle")
    assert (manifest.name, manifest.version, manifest.demo) == ("moods-here", "3", False)
    assert load_head(tmp_path / "out" / "bundle").threshold.shape == (1,)
    told = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert told["utterances"] == 50 and told["speakers"] == 5
    assert "<table" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code != 0 and "exists" in str(again.exception)


def test_a_list_without_moods_says_so(tmp_path: Path) -> None:
    (tmp_path / "l.tsv").write_text("file\ttext\na.wav\t您好\n", encoding="utf-8")
    arguments = [
        "adapt",
        "emotion",
        "--data",
        str(tmp_path / "l.tsv"),
        "--out",
        str(tmp_path / "o"),
    ]
    done = CliRunner().invoke(app, arguments)
    assert "no column emotion" in str(done.exception) and not (tmp_path / "o").exists()


def test_too_few_utterances_say_so(tmp_path: Path) -> None:
    arguments = ["adapt", "emotion", "--data", str(listed(tmp_path, 10)), "--out"]
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "out")])
    assert done.exit_code != 0 and "10 utterances" in str(done.exception)
