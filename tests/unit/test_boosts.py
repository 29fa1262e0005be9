"""Boosts of phrases, as Riva's clients and NIM's sessions give them."""

from __future__ import annotations

import pytest

from appliance.api.boosts import MOST_NATS, boosted
from appliance.api.ws.dialects import Nim
from inference.tensors import ModelCard


def test_each_phrase_counts_once_with_its_highest_boost() -> None:
    told = boosted([(["平城区", " 云冈 "], 20.0), (["平城区", ""], 40.0), (["阳高县"], -1.0)])
    assert told == {"平城区": 2.0, "云冈": 1.0}
    assert boosted([(["平城区"], 1000.0)]) == {"平城区": MOST_NATS}


def test_a_sessions_boosts_are_taken() -> None:
    card = ModelCard("whisper-base", "2", "MIT", ("zh",), ("transcribe",))
    lists = [{"phrases": ["平城区"], "boost": 20}, {"phrases": ["云冈街道"]}]
    session = {"word_boosting": {"enable_word_boosting": True, "word_boosting_list": lists}}
    config = Nim().config(session, card)
    assert config["hotwords"] == ("平城区", "云冈街道") and config["boosts"] == (1.0, 0.0)
    with pytest.raises((TypeError, ValueError)):
        Nim().config({"word_boosting": {"word_boosting_list": [{"boost": "much"}]}}, card)
