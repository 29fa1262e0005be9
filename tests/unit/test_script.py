import pytest

from inference.asr.quality import echoes, recites
from inference.asr.script import mandarin

PROMPT = "以下是普通话的句子。"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("我家暖氣從上週三開始就不熱", "我家暖气从上周三开始就不热"),
        ("屋里温度只有13度,很冷.", "屋里温度只有13度，很冷。"),
        ("一共12,000元,對嗎?", "一共12,000元，对吗？"),
        ("他说:你好!", "他说：你好！"),
        ("今天10:30来,3.5度", "今天10:30来，3.5度"),
        ("Hello, world.", "Hello, world."),
        ("乾隆皇帝很著名", "乾隆皇帝很著名"),  # right in simplified text, too
        ("请您不要著急，慢慢说著", "请您不要着急，慢慢说着"),
        ("效果显著", "效果显著"),
        ("", ""),
    ],
)
def test_chinese_is_written_as_on_the_mainland(written: str, expected: str) -> None:
    assert mandarin(written, "zh") == expected
    assert len(mandarin(written, "zh")) == len(written), "words keep their places"


def test_other_languages_are_left_alone() -> None:
    assert mandarin("東京, 大阪.", "ja") == "東京, 大阪."


def test_an_echo_of_the_prompt_is_known() -> None:
    assert echoes("那是普通话的句子。首先，", PROMPT) and echoes(PROMPT, PROMPT)
    assert not echoes("以下是我的诉求，请记录一下", PROMPT) and not echoes("您好", PROMPT)
    assert not echoes("您好", "") and not echoes("", PROMPT)
    assert echoes("以下", PROMPT) and echoes("是普通话的句子", PROMPT)


def test_reciting_what_the_caller_told_is_known() -> None:
    prompt = "您好，这里是12345热线，请问有什么可以帮您？"
    assert recites("请问有什么可以帮您。", prompt) and recites("您好这里是12345热线", prompt)
    assert not recites("我家在阳光花园三号楼，请问有什么可以帮您", prompt)
    assert not recites("您好", prompt) and not recites("暖气不热", "")
