import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.call.itn import written, written_words
from appliance.messages import SpokenWord

WRITTEN = {
    "我住在平城区阳光花园三号楼二单元五零一。": "我住在平城区阳光花园3号楼2单元501。",
    "我的手机号是幺三九三五二六八零七四": "我的手机号是13935268074",
    "二零二四年十一月二十三日": "2024年11月23日",
    "一共三百二十五块": "一共325块",
    "百分之八十五点五的人": "85.5%的人",
    "一万两千元": "12000元",
    "三点五公里": "3.5公里",
    "幺二三四五热线": "12345热线",
    "两小时之内": "2小时之内",
    "三分之一的住户": "1/3的住户",
    "百分之百": "100%",
    "一个月三千一年三万": "一个月3000一年3万",  # a rate, not 3001 years
    "停车一百一天": "停车100一天",
    "三十万三十万地给": "30万30万地给",
    "一百五一天": "150一天",
    "三千五一个月": "3500一个月",
    "菜三块五一斤": "菜3块5一斤",
    "只有零点五": "只有0.5",
    "八百块一个月": "800块一个月",
    "住一号楼一单元": "住1号楼1单元",
    "三十一号": "31号",
    "一百零一天": "101天",
    "欠了一万二": "欠了12000",
    "三万五，还没给": "35000，还没给",
    "工资三千五的活": "工资3500的活",
    "圆周率是三点一四": "圆周率是3.14",
    "两块二毛五": "2块2毛5",
    "九点五十到十点": "9点50到10点",
    "百分之三十到四十": "30%到40%",
    "下午三点二十来": "下午3点20来",
    "三点五分": "3点5分",
}
UNTOUCHED = [
    "一下子就好了，一点都不热",
    "三心二意，万一呢",
    "等了一天",
    "七八个人",
    "第一个，一个人",
    "几十万元",
    "三十多户",
    "两三天",
    "四五月份",
    "十七八岁",
    "五六千元",
    "三五天就坏",
    "三四点钟",
    "一百七八十块",
    "七七八八",
    "三三两两的人",
    "九九归一",
    "一年一次，一斤也不少",
    "他就是个二百五",
    "成千上万",
    "三千多万",
    "",
]


@pytest.mark.parametrize(("spoken", "expected"), WRITTEN.items())
def test_numbers_are_written(spoken: str, expected: str) -> None:
    assert written(spoken) == expected


@pytest.mark.parametrize("phrase", UNTOUCHED)
def test_phrases_stay(phrase: str) -> None:
    assert written(phrase) == phrase


@pytest.mark.parametrize("spoken", [*WRITTEN, *UNTOUCHED])
def test_words_say_the_same_as_the_text(spoken: str) -> None:
    words = [SpokenWord(c, i * 100, i * 100 + 100, 0.8) for i, c in enumerate(spoken)]
    made = written_words(words)
    assert "".join(w.text for w in made) == written(spoken)
    times = [t for w in made for t in (w.start_ms, w.end_ms)]
    assert times == sorted(times)
    if words:
        assert (times[0], times[-1]) == (0, words[-1].end_ms)


def test_punctuation_that_hangs_on_a_number_stays() -> None:
    words = [SpokenWord(t, i * 100, i * 100 + 100, 1.0) for i, t in enumerate(["五", "零", "一。"])]
    (word,) = written_words(words)
    assert (word.text, word.start_ms, word.end_ms) == ("501。", 0, 300)


SPOKEN = "零〇一二两三四五六七八九幺十百千万亿点百分之年月日号楼元块路个半几，"


@given(st.lists(st.text(SPOKEN, min_size=1, max_size=4), max_size=12))
def test_no_nonsense_breaks_it_however_words_are_cut(nonsense: list[str]) -> None:
    words = [SpokenWord(c, i * 100, i * 100 + 100, 1.0) for i, c in enumerate(nonsense)]
    made = written_words(words)
    assert "".join(w.text for w in made) == written("".join(nonsense))
    times = [t for w in made for t in (w.start_ms, w.end_ms)]
    assert times == sorted(times)


def test_a_number_that_begins_inside_a_word() -> None:
    words = [SpokenWord(t, i * 100, i * 100 + 100, 1.0) for i, t in enumerate(["有二十", "块"])]
    assert [w.text for w in written_words(words)] == ["有", "20", "块"]
