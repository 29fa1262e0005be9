"""Transcripts as txt, json, srt and vtt."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from appliance.api.render import FORMATS, plain_text, to_json, to_srt, to_txt, to_vtt, wrap
from appliance.messages import Final, SpokenWord, Transcript


def final(text: str, start_ms: int, end_ms: int, leg: int = 0) -> Final:
    words = (SpokenWord(text[:1], start_ms, end_ms, 0.5),) if text else ()
    return Final(
        leg, 0, text, words, start_ms, end_ms, 0.9, 0.0, 0.0, "zh", "cpu", "demo 1", demo=True
    )


def transcript(*finals: Final, legs: int = 1, demo: bool = True) -> Transcript:
    return Transcript(finals, 10_000, legs, "zh", "demo 1", demo)


def test_srt_is_numbered_from_one_with_comma_times() -> None:
    made = to_srt(transcript(final("您好", 0, 1_500), final("再见", 3_661_005, 3_662_000)))
    assert made == (
        "1\n00:00:00,000 --> 00:00:01,500\n您好\n\n2\n01:01:01,005 --> 01:01:02,000\n再见\n"
    )


def test_vtt_has_its_header_point_times_and_the_demo_note() -> None:
    made = to_vtt(transcript(final("您好", 0, 1_500)))
    assert made.startswith("WEBVTT\n\nNOTE 演示权重")
    assert "demo 1" in made
    assert made.endswith("\n00:00:00.000 --> 00:00:01.500\n您好\n")


def test_vtt_of_real_weights_has_no_note() -> None:
    assert "NOTE" not in to_vtt(transcript(final("您好", 0, 1), demo=False))


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_said_is_still_a_valid_file(name: str) -> None:
    made = FORMATS[name](transcript())
    assert made == {"txt": "", "srt": ""}.get(name, made)
    assert "-->" not in made


def test_blank_finals_make_no_cue() -> None:
    assert to_srt(transcript(final(" ", 0, 100))) == ""


def test_a_long_utterance_becomes_cues_of_two_lines_in_order() -> None:
    text = "您好我要反映一个问题，" * 12
    made = to_srt(transcript(final(text, 1_000, 21_000)))
    blocks = made.strip().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["1", "2", "3", "4"]
    assert all(len(block.split("\n")) <= 4 for block in blocks)
    times = re.findall(r"(\S+) --> (\S+)", made)
    assert times[0][0] == "00:00:01,000"
    assert times[-1][1] == "00:00:21,000"
    assert all(left[1] == right[0] for left, right in itertools.pairwise(times))
    assert "".join(line for block in blocks for line in block.split("\n")[2:]) == text


def test_lines_break_neither_in_a_word_nor_before_a_comma() -> None:
    assert wrap("请拨打12345热线", 10) == ["请拨打", "12345热线"]
    assert wrap("一二三四五，六", 10) == ["一二三四", "五，六"]
    assert wrap("please call again", 11) == ["please call", "again"]
    assert wrap("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]
    assert wrap("", 10) == []


def test_line_breaks_in_the_text_do_not_break_the_file() -> None:
    made = to_srt(transcript(final("一\n\n二 --> 三", 0, 100)))
    assert made.split("\n")[2] == "一 二 → 三"
    assert "一 二 --&gt; 三 &lt;b&gt;" in to_vtt(transcript(final("一\n\n二 --> 三 <b>", 0, 100)))


def test_an_utterance_of_no_length_still_shows() -> None:
    assert "00:00:00,500 --> 00:00:00,501" in to_srt(transcript(final("好", 500, 500)))


def test_legs_are_marked_only_when_there_are_several() -> None:
    both = transcript(final("您好", 0, 1), final("你好", 1, 2, leg=1), legs=2)
    assert to_txt(both) == "声道1：您好\n声道2：你好\n"
    assert "声道2：你好" in to_srt(both)
    assert "<v 声道2>你好" in to_vtt(both)
    assert to_txt(transcript(final("您好", 0, 1))) == "您好\n"


def test_json_carries_model_times_and_words() -> None:
    made = json.loads(to_json(transcript(final("您好", 0, 1_500))))
    assert made["demo"] is True
    assert made["notice"]
    assert made["model"] == "demo 1"
    assert made["utterances"][0]["words"] == [
        {"word": "您", "start": 0.0, "end": 1.5, "confidence": 0.5}
    ]


def test_words_of_other_scripts_are_kept_apart() -> None:
    assert spoken("您好。", "你好") == "您好。你好"
    assert spoken("hello", "world", "您好", "ok") == "hello world您好ok"


def spoken(*texts: str) -> str:
    return plain_text(transcript(*(final(text, i, i + 1) for i, text in enumerate(texts))))


def test_who_speaks_next_begins_a_line() -> None:
    turns = transcript(final("您好", 0, 1), final("请讲", 1, 2), final("你好", 2, 3, leg=1), legs=2)
    assert plain_text(turns) == "您好请讲\n你好"


def test_cues_of_two_legs_come_in_the_order_of_time() -> None:
    long = final("好" * 120, 0, 30_000)
    made = to_srt(transcript(long, final("对", 12_000, 12_500, leg=1), legs=2))
    starts = re.findall(r"^(\S+) -->", made, re.MULTILINE)
    assert starts == sorted(starts) and "声道2" in made.split("\n\n")[2]
