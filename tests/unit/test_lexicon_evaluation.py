"""What `lingting eval lexicon` and `lingting eval emotion` count."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from appliance.audio.listed import read_rows
from appliance.errors import SettingsError
from appliance.messages import Emotion, EmotionEstimate
from appliance.settings.section import PROJECT
from appliance.terms.files import parse_terms, read_terms
from appliance.terms.term import LONGEST_TERM, MOST_TERMS, Term
from inference.tensors import Hypothesis, Word
from tools.evaluation.emotion import EmotionReport, LabelledMood, load_labelled
from tools.evaluation.lexicon import SPOKEN, HeardRecording, measure
from tools.evaluation.names import names


def heard(said: str, text: str, confidence: float = 0.5) -> HeardRecording:
    words = tuple(Word(c, i, i + 1, confidence) for i, c in enumerate(text))
    return HeardRecording(said, (Hypothesis(text, "zh", words),))


def test_recall_insertions_and_errors_are_counted() -> None:
    told = [
        heard("我住紫金名苑", "我住紫金明院"),
        heard("我住时代先锋", "我住时代先锋"),
        heard("天气很好", "街方小区"),
    ]
    wanted = [Term("紫金名苑"), Term("时代先锋"), Term("洁芳小区")]
    none, some = (measure(told, wanted, size, {}) for size in (0, 100))
    assert (none.terms, none.recall, none.cer) == (0, 0.5, none.cer_without)
    assert (some.terms, some.recall, some.recall_without) == (100, 1.0, 0.5)
    assert some.false_insertions == round(1 / 3, 4)  # 洁芳小区 was not said
    assert some.cer < some.cer_without


def test_what_is_built_in_says_the_first_made_names() -> None:
    rows = read_rows(SPOKEN)
    said = list(islice(names(), len(rows)))
    assert all(name in row["text"] for name, row in zip(said, rows, strict=True))
    assert all((SPOKEN.parent / row["file"]).is_file() for row in rows)
    assert len(set(islice(names(), 10_000))) == 10_000


def test_lists_of_terms_are_lines_or_csv(tmp_path: Path) -> None:
    assert parse_terms("平城区 # 区\n\n平城区\n云冈区", "x") == [Term("平城区"), Term("云冈区")]
    csv = "text,weight,category\n一网通办,1.5,政策\n公积金,,\n"
    assert parse_terms(csv, "x") == [Term("一网通办", 1.5, "政策"), Term("公积金")]
    (tmp_path / "gb.txt").write_bytes("平城区".encode("gb18030"))
    for text, words in (
        ("text,weight\n一,heavy\n", "line 2: weight 'heavy'"),
        ("text,weight\n一,9\n", "line 2: weight '9'"),
        ("长" * (LONGEST_TERM + 1), f"{LONGEST_TERM + 1} characters"),
        ("\n".join(islice(names(), MOST_TERMS + 1)), f"more than {MOST_TERMS}"),
    ):
        with pytest.raises(SettingsError, match=words):
            parse_terms(text, "list.txt")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_terms(tmp_path / "gb.txt")


async def test_moods_may_be_listed_with_tabs_and_without_levels(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "tests" / "espeak_call" / "call.wav", tmp_path / "a.wav")
    (tmp_path / "list.tsv").write_text("file\tspeaker\ttext\temotion\na.wav\t1\t好\thappy\n")
    (mood,) = await load_labelled(tmp_path)
    assert mood.emotion is Emotion.HAPPY and mood.level is None and len(mood.audio) > 16_000
    (tmp_path / "list.tsv").write_text("file\tspeaker\ttext\temotion\na.wav\t1\t好\tbored\n")
    with pytest.raises(SettingsError, match="line 2"):
        await load_labelled(tmp_path)


def test_aroused_against_the_rest_counts_what_was_not_told_too() -> None:
    def one(true: Emotion, furious: float) -> tuple[LabelledMood, EmotionEstimate]:
        chances = dict.fromkeys(Emotion, (1 - furious) / 6) | {Emotion.FURIOUS: furious}
        told = Emotion.FURIOUS if furious > 0.5 else None
        mood = EmotionEstimate(0, 0, 0, 1, told, None, chances, (), "m", True)
        return LabelledMood("s", "", true, None, np.zeros(1, np.float32)), mood

    pairs = [one(Emotion.ANNOYED, 0.9), one(Emotion.FURIOUS, 0.4), one(Emotion.HAPPY, 0.3)]
    pairs.append(one(Emotion.SAD, 0.6))
    figures = EmotionReport([t for t, _ in pairs], [m for _, m in pairs]).flat()
    assert figures["auc_aroused"] == 0.75  # of four pairs one is the wrong way round
    assert figures["told_right"] == 0.0 and figures["abstain_rate"] == 0.5
