import pytest

from appliance.call.agreement import KEEP_S, Agreement, without_echo
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Word


def heard(text: str, ms_per_word: int = 500) -> Hypothesis:
    words = tuple(Word(c, i * ms_per_word, (i + 1) * ms_per_word, 1.0) for i, c in enumerate(text))
    return Hypothesis(text, "zh", words)


def test_what_two_hypotheses_agree_on_is_stable() -> None:
    agreement = Agreement(window_from=0)
    agreement.update(heard("我要反应"), 1)
    assert (agreement.text, agreement.stable_text) == ("我要反应", "")
    agreement.update(heard("我要反映一个"), 2)
    assert (agreement.text, agreement.stable_text) == ("我要反映一个", "我要反")


def test_stable_words_leave_a_long_window_and_stay_as_text() -> None:
    agreement = Agreement(window_from=1000)
    text = "我要反映一个暖气不热的问题"
    end = 1000 + int(len(text) * 0.5 * SAMPLE_RATE_HZ)
    for _ in range(2):
        agreement.update(heard(text), end)
    agreement.shrink(heard(text).words)
    assert agreement.text == text
    assert agreement.committed and agreement.last == text[len(agreement.committed) :]
    assert (end - agreement.window_from) / SAMPLE_RATE_HZ >= KEEP_S


def test_unstable_words_stay_in_the_window() -> None:
    agreement = Agreement(window_from=0)
    agreement.update(heard("完全不同的一句话说了很久"), 6 * SAMPLE_RATE_HZ)
    agreement.shrink(heard("完全不同的一句话说了很久").words)
    assert agreement.committed == "" and agreement.window_from == 0


def test_giving_up_keeps_what_leaves_as_text_and_the_rest_to_be_heard_again() -> None:
    agreement = Agreement(window_from=0)
    for text in ("我要投诉小区停水", "我要表扬小区停水"):
        agreement.update(heard(text), 8 * SAMPLE_RATE_HZ)
    agreement.give_up(4 * SAMPLE_RATE_HZ)
    assert agreement.committed == "我要表扬" and agreement.window_from == 4 * SAMPLE_RATE_HZ
    agreement.update(heard("小区停水三天"), 10 * SAMPLE_RATE_HZ)
    assert agreement.text == "我要表扬小区停水三天"
    assert agreement.stable_text == "我要表扬小区停水"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("我要反映反映", "我要反映反映"),  # too short to be told from speech
        ("好的，马上到，马上到", "好的，马上到"),
        ("老人孩子都受不了老人孩子都受不了", "老人孩子都受不了"),
        ("号码是一三八一三八", "号码是一三八一三八"),
        ("号码是幺三八，幺三八，", "号码是幺三八，幺三八，"),
        ("13800138001380", "13800138001380"),
        ("A123A123", "A123A123"),
        ("very very", "very very"),
        ("", ""),
    ],
)
def test_last_words_said_twice_are_shown_once(text: str, shown: str) -> None:
    assert without_echo(text) == shown
