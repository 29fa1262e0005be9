"""Every kind of event goes the whole way: stored, folded, told over each door."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from appliance.feed import kinds
from appliance.feed.kind import EventKind
from appliance.feed.kinds.danger import Danger
from appliance.feed.kinds.order import OrderFilled
from appliance.feed.kinds.quality import QualityHint
from appliance.feed.kinds.suggestions import Suggested
from appliance.feed.record import Ledger
from appliance.messages import (
    Alert,
    Attribution,
    CallConfig,
    CallState,
    Emotion,
    EmotionEstimate,
    Ended,
    Event,
    Final,
    Lasting,
    Level,
    NumberedEvent,
    Partial,
    SpeakerTurn,
    SpokenWord,
)

WORD = SpokenWord("您好", 0, 900, 0.9)
EXAMPLES: tuple[Event, ...] = (
    Partial(1, 2, "我家没有", "我家", 100, 900),
    Final(1, 2, "您好", (WORD,), 0, 900, 0.9, 0.1, 0.0, "zh", "cpu", "m 1", False),
    Attribution(0, (SpeakerTurn(0, 0, 900),), 900, True, "m 1", False),
    EmotionEstimate(
        1, 2, 0, 900, Emotion.ANNOYED, Level.HIGH, {Emotion.ANNOYED: 1.0}, (), "m 1", True, 1
    ),
    Alert(1, 2, Emotion.ANNOYED, Level.HIGH, 900, True),
    Ended(CallState.FAILED, "why"),
    OrderFilled(0, {"title": {"text": "路灯", "confidence": 0.9}}, {"missing": ["name"]}),
    Danger("着火", ("119",), "0.1", 900, "着火了", "请先离开"),
    QualityHint("rude_words", "辱骂", "critical", "1.2", 900, "闭嘴", "先停一停"),
    Suggested("0.1", "公积金怎么提取", ({"entry": "k1", "confidence": 0.9},)),
)


def lasting_classes() -> set[str]:
    """All there are in the product, by name: with slots each class is made twice."""
    found, rest = set(), [Lasting]
    while rest:
        known = rest.pop().__subclasses__()
        found.update(each.__name__ for each in known if each.__module__.startswith("appliance"))
        rest += known
    return found


def test_there_is_a_kind_for_each_and_an_example_of_each_kind() -> None:
    assert {type(example) for example in EXAMPLES} == set(kinds.KINDS)
    assert lasting_classes() == {k.event.__name__ for k in kinds.KINDS.values() if k.lasts}
    names = [kind.name for kind in kinds.KINDS.values()]
    assert len(set(names)) == len(names)
    assert all(kind.fold for kind in kinds.KINDS.values() if kind.lasts)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: type(event).__name__)
def test_it_is_told_over_every_door(event: Event) -> None:
    told = NumberedEvent(7, event)
    body = kinds.as_json(told)
    assert json.loads(json.dumps(body)) == body and body["sequence"] == 7
    message = kinds.as_grpc("id", told)
    assert message.sequence == 7 and message.name == "calls/id"
    own = kinds.kind_of(event).as_grpc
    assert message.WhichOneof("event") == (body["kind"] if own else "derived")


@pytest.mark.parametrize(
    "event", [e for e in EXAMPLES if isinstance(e, Lasting)], ids=lambda event: type(event).__name__
)
def test_what_lasts_is_stored_and_folded(event: Lasting) -> None:
    assert kinds.unpack(kinds.pack(event)) == event
    ledger, empty = Ledger(), Ledger()
    ledger.add(event)
    assert ledger != empty
    again = Ledger()
    again.add(event)
    again.add(event)  # told twice
    assert again.alerts == ledger.alerts and again.finals == ledger.finals


def test_journals_of_earlier_releases_are_read() -> None:
    old = b'attribution\n{"leg":0,"turns":[],"until_ms":9,"settled":true,"model":"m","demo":false}'
    assert kinds.unpack(old) == Attribution(0, (), 9, True, "m", False)
    with pytest.raises(ValueError, match="no kind of event is named 'rumour'"):
        kinds.unpack(b"rumour\n{}")


@dataclass(frozen=True, slots=True)
class Rumour(Lasting):
    """Of a kind that has no message of its own in the protocol."""

    what: str


def _fold(ledger: Ledger, event: Rumour) -> None:
    ledger.derived["guess"] = {"what": event.what}


def test_a_kind_without_a_message_of_its_own_is_told_as_over_http(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: EventKind[Any] = EventKind("guess", Rumour, lambda event: {"what": event.what}, _fold)
    monkeypatch.setitem(kinds.KINDS, Rumour, made)
    message = kinds.as_grpc("id", NumberedEvent(1, Rumour("路灯")))
    assert MessageToDict(message.derived) == {"kind": "guess", "data": {"what": "路灯"}}
    ledger = Ledger()
    ledger.add(Rumour("路灯"))
    record = ledger.record("id", CallConfig(), CallState.RUNNING, 0.0, ledger.ending())
    assert record.derived == {"guess": {"what": "路灯"}}


def test_a_class_without_a_kind_fails_loudly() -> None:
    with pytest.raises(KeyError):
        kinds.kind_of(Rumour("?"))
    with pytest.raises(TypeError, match="Partial does not say how it is folded"):
        Ledger().add(EXAMPLES[0])  # type: ignore[arg-type]
