from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.assist.slots.summary import (
    CONTENT_CHARACTERS,
    TITLE_CHARACTERS,
    cleaned,
    summary,
)
from tests.unit.test_slots_dialogues import CALLS, talk


def is_within(part: str, whole: str) -> bool:
    """Whether `part` is left of `whole` when characters are left out."""
    rest = iter(whole)
    return all(char in rest for char in part)


def test_nothing_said() -> None:
    assert summary([]) is None
    assert summary(talk("A:您好，请问有什么可以帮您？\nC:喂，你好。")) is None


def test_nothing_is_added() -> None:
    for call in CALLS:
        value = summary(call.said)
        texts = [each.text for each in call.said if each.role != "agent"]
        for sentence in value.parts["sentences"] if value else ():
            assert any(is_within(sentence, text) for text in texts), (call.id, sentence)
        if value:
            assert any(is_within(value.parts["title"], text) for text in texts), call.id
            assert 0 < len(value.parts["title"]) <= TITLE_CHARACTERS
            assert len(value.text) <= CONTENT_CHARACTERS + 1


def test_every_call_has_a_matter() -> None:
    silent = [call.id for call in CALLS if summary(call.said) is None]
    assert silent == ["d129"]  # the line broke


def test_what_carries_nothing_is_left_out() -> None:
    assert cleaned("嗯，那个，我们家，我们家这个暖气不热啊，然后呢，物业也不管") == (
        "我们家这个暖气不热，物业也不管"
    )
    assert cleaned("物业说找热力，热力说找物业") == "物业说找热力，热力说找物业"
    assert cleaned("我在，哎你别吵，我打电话呢，我在广灵县") == "我在广灵县"


def test_names_and_numbers_are_no_content() -> None:
    call = """
    A:您好，请讲。
    C:我想反映一下，我们小区三号楼的电梯坏了一个星期了，物业不给修。
    A:您贵姓？
    C:姓王，三横王。
    A:电话？
    C:一三八三五二零一二三四。
    A:好的，您的诉求？
    C:希望尽快给修好。谢谢啊。
    """
    value = summary(talk(call))
    assert value
    assert value.text == (
        "我想反映一下，我们小区三号楼的电梯坏了一个星期了，物业不给修。希望尽快给修好。"
    )
    assert value.parts["title"].startswith("我们小区三号楼的电梯坏了")
    assert value.parts["asked"] == ("希望尽快给修好",)
    assert len(value.parts["happened"]) == len(value.parts["since"]) == 1


def test_a_long_story_is_cut_to_what_tells_most() -> None:
    lines = "\n".join(f"C:他家的狗第{at}次把楼道弄得又脏又臭，物业从来不管不问" for at in range(40))
    value = summary(talk(lines))
    assert value and len(value.text) <= CONTENT_CHARACTERS + 1


@given(st.text("嗯啊那个就是说我们家暖气不热，。 物业物业然后呢转了3三", max_size=60))
def test_cleaning_only_leaves_out(text: str) -> None:
    assert is_within(cleaned(text), text)
    assert cleaned(cleaned(text)) == cleaned(text)
