"""Live calls as rows: everything at first, then what is new, whoever missed what."""

from __future__ import annotations

import re

import pytest

from appliance.console import board
from appliance.console.board import Board, BoardNews, Line, Lines
from appliance.console.page import renderer
from appliance.feed.kept import KeptCall
from appliance.messages import (
    CallConfig,
    Emotion,
    EmotionEstimate,
    Final,
    Lasting,
    LegRole,
    Level,
    NumberedEvent,
    Partial,
)
from appliance.metrics import Metrics

METRICS = Metrics()


def line(number: int, **config: object) -> Line:
    """Of a call that nobody follows but the test."""
    named = CallConfig(call_id=f"n-{number}", **config)  # type: ignore[arg-type]
    made = Lines().listen(KeptCall(f"id{number}", named, METRICS))
    assert isinstance(made, Line)
    return made


async def tell(to: Line, event: Lasting | Partial) -> None:
    log = to.call.log
    if isinstance(event, Partial):
        log.show(event)
    else:
        await log.put(event)
    await to.hear(NumberedEvent(log.sequence, event))


def partial(text: str, leg: int = 0, utterance: int = 0) -> Partial:
    return Partial(leg, utterance, text, "", 0, 1000)


def final(text: str, leg: int = 0, utterance: int = 0) -> Final:
    return Final(leg, utterance, text, (), 0, 1000, 1.0, 0.0, 0.0, "zh", "cpu", "m 1", True)


class BoardRoom:
    """Calls that a test begins and ends, and a board over them with a clock of its own."""

    def __init__(self) -> None:
        self.live: list[Line] = []
        self.now = 0.0
        self.board = Board(lambda: self.live, renderer("zh").row, lambda: self.now)

    def news(self, version: int) -> BoardNews:
        self.now += 1
        return self.board.since(version)


@pytest.fixture
def room() -> BoardRoom:
    return BoardRoom()


def ids(news: BoardNews) -> list[str]:
    return [re.search(r'id="call-(\w+)"', html)[1] for _, html in news.rows]  # type: ignore[index]


async def test_everything_at_first_then_what_is_new(room: BoardRoom) -> None:
    room.live += [line(1), line(2)]
    first = room.news(0)
    assert first.everything and ids(first) == ["id2", "id1"]  # the newest first
    again = room.news(first.version)
    assert again.version == first.version and not again.rows
    await tell(room.live[0], partial("你好"))
    changed = room.news(first.version)
    assert ids(changed) == ["id1"] and not changed.rows[0][0] and "你好" in changed.rows[0][1]
    room.live.append(line(3))
    del room.live[0]
    later = room.news(changed.version)
    assert ids(later) == ["id3"] and later.rows[0][0] and later.gone == ("id1",)


async def test_who_missed_much_catches_up(room: BoardRoom) -> None:
    """By one look: changes in between are folded, ends are not forgotten."""
    room.live += [line(1), line(2)]
    version = room.news(0).version
    for number in range(3, 6):
        room.live.append(line(number))
        room.news(version)
    room.live.pop(0)
    caught_up = room.news(version)
    assert ids(caught_up) == ["id5", "id4", "id3"] and caught_up.gone == ("id1",)


async def test_who_missed_too_much_gets_everything(
    room: BoardRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "MOST_GONE", 3)
    room.live.append(line(0))
    version = room.news(0).version
    for number in range(1, 7):
        room.live = [line(number)]
        room.news(version)
    assert room.news(version).everything
    assert room.news(10**9).everything  # of another box, before a restart


async def test_ten_thousand_calls_are_a_few_rows(room: BoardRoom) -> None:
    room.live = [line(number) for number in range(10_000)]
    news = room.news(0)
    assert len(news.rows) == board.MOST_ROWS == news.count
    assert news.hidden == 10_000 - board.MOST_ROWS
    assert ids(news)[0] == "id9999"
    assert "9800" in renderer("zh").calls(news)


async def test_a_row_that_comes_back_is_there_once(
    room: BoardRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that a newer call had pushed out of the list: everybody gets all rows anew."""
    monkeypatch.setattr(board, "MOST_ROWS", 2)
    room.live = [line(1), line(2)]
    early = room.news(0).version
    room.live.append(line(3))
    late = room.news(early).version
    room.live.pop()
    for version in (early, late):
        news = room.news(version)
        assert news.everything and ids(news) == ["id2", "id1"]


UNSURE = EmotionEstimate(1, 1, 1000, 2000, None, None, {}, (), "m 1", True)


async def test_a_row_tells_who_said_what_in_what_mood() -> None:
    call = line(1, tenant="a", leg_roles=(LegRole.AGENT, LegRole.CITIZEN))
    await tell(call, final("您好。"))
    await tell(call, partial("我家没有暖", leg=1))
    row = call.row()
    assert (row.text, row.is_final, row.role, row.system) == (
        "我家没有暖",
        False,
        LegRole.CITIZEN,
        "a",
    )
    await tell(call, final("我家没有暖气。", leg=1))
    mood = EmotionEstimate(1, 0, 0, 1000, Emotion.ANNOYED, Level.HIGH, {}, (), "m 1", True)
    await tell(call, mood)
    row = call.row()
    assert (row.text, row.is_final) == ("我家没有暖气。", True)
    assert (row.emotion, row.level) == (Emotion.ANNOYED, Level.HIGH)
    html = renderer("zh").row(row)
    assert "市民" in html and "生气 高" in html
    assert "citizen" in renderer("en").row(row)
    await tell(call, UNSURE)  # of the next utterance
    assert "此前 市民 <b" in renderer("zh").row(call.row())


async def test_a_mood_that_cannot_be_told_is_shown_as_such() -> None:
    call = line(1)
    assert "未判定" not in renderer("zh").row(call.row())
    await tell(call, UNSURE)
    assert "情绪未判定" in renderer("zh").row(call.row())
    assert "mood unsure" in renderer("en").row(call.row())


async def test_what_is_said_is_never_a_program() -> None:
    call = line(1, tenant="<b>t</b>")
    await tell(call, final('<script>alert(1)</script><img src=x onerror="x">'))
    html = renderer("zh").row(call.row())
    assert "<script" not in html and "<img" not in html and "<b>t" not in html
    assert "&lt;script&gt;" in html
