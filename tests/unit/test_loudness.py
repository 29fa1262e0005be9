"""How loud speech is, and rules that go by it."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.assist.quality.cases import dialogue
from appliance.assist.quality.condition import Condition
from appliance.assist.quality.evaluation import evaluate
from appliance.audio.loudness import loudness_db

SINE = np.sin(np.arange(16_000) / 16_000 * 2 * np.pi * 440).astype(np.float32)
SILENCE = np.zeros(16_000, np.float32)


def test_a_sine_at_full_scale_has_three_below() -> None:
    assert loudness_db(SINE) == pytest.approx(-3.0, abs=0.1)
    assert loudness_db(SINE / 10) == pytest.approx(-23.0, abs=0.1)


def test_pauses_do_not_make_speech_quiet() -> None:
    assert loudness_db(np.concatenate([SILENCE, SINE, SILENCE])) == loudness_db(SINE)


@pytest.mark.parametrize("audio", [SILENCE, SILENCE[:0], SINE[:100]])
def test_of_nothing_there_is_no_loudness(audio: np.ndarray) -> None:
    assert loudness_db(audio) is None


LOUD = """
坐席：您好，请讲
市民：家里停水了
坐席：请问您是哪个小区
坐席（响15分贝）：我都说了几遍了
坐席（轻12分贝）：好吧
"""


@pytest.mark.parametrize(
    ("wanted", "turns"),
    [
        ({"louder_db": 12}, (3,)),
        ({"louder_db": 12, "role": "citizen"}, None),
        ({"louder_db": 20}, ()),
        ({"quieter_db": 10, "role": "agent"}, (4,)),
    ],
)
def test_against_what_is_usual_of_the_speaker(
    wanted: dict[str, object], turns: tuple[int, ...] | None
) -> None:
    found = evaluate(Condition.model_validate(wanted), dialogue(LOUD))
    assert found.holds is (None if turns is None else bool(turns)) and found.turns == (turns or ())
