"""How weights run best: measured once, written down, measured again where anything changed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from inference.asr import tuning
from inference.asr.load import load_asr
from inference.asr.tuning import Tuning, candidates, tuned

SLOW, QUICK = Tuning("slow"), Tuning("quick", lanes=2)


def load(wanted: Tuning) -> Tuning:
    return wanted


def listen(model: Tuning) -> None:
    time.sleep(0.02 if model is SLOW else 0.001)


@pytest.fixture(autouse=True)
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


def test_the_fastest_is_taken_and_written_down(bundle: Path) -> None:
    path = bundle / "cache" / "tuning.json"
    assert tuned(bundle, [SLOW, QUICK], load, listen, path) is QUICK
    asked: list[Tuning] = []

    def remember(wanted: Tuning) -> Tuning:
        asked.append(wanted)
        return wanted

    assert tuned(bundle, [SLOW, QUICK], remember, listen, path) == QUICK
    assert asked == [QUICK], "what is written down is not measured again"
    (bundle / "manifest.json").write_text('{"other": 1}')
    tuned(bundle, [SLOW, QUICK], remember, listen, path)
    assert len(asked) == 4 and len(json.loads(path.read_text())) == 2


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_cannot_be_read_costs_a_measurement(bundle: Path, content: str) -> None:
    path = bundle / "tuning.json"
    path.write_text(content)
    assert tuned(bundle, [SLOW, QUICK], load, listen, path) is QUICK


def test_a_folder_that_is_closed_costs_a_measurement(bundle: Path) -> None:
    assert tuned(bundle, [SLOW, QUICK], load, listen, Path("/proc/no/tuning.json")) is QUICK


def test_a_cpu_is_never_given_float32_where_it_has_int8() -> None:
    kinds = {t.compute_type for t in candidates("cpu", 0, tuning.AUTO, 2)}
    assert "int8" in kinds and not kinds & {"float32", "default"}
    assert {(t.lanes, t.threads) for t in candidates("cpu", 0, "int8", 2)} == {(2, 1), (1, 2)}
    assert len(candidates("cpu", 0, "int8", 1)) == 1, "one way is not measured"


def test_a_model_is_loaded_so(tiny_bundle: Path, tmp_path: Path) -> None:
    parameters = {"bundle": str(tiny_bundle), "cores": "2", "tuning": str(tmp_path / "t.json")}
    model = load_asr(parameters)
    assert model.card.compute_type.startswith("int8") and model.card.lanes in (1, 2)
    assert load_asr(parameters).card.lanes == model.card.lanes
