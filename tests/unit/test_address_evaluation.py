"""Taking written addresses apart: how it is scored, and that it is good enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from appliance.assist.address.files import of_divisions
from appliance.assist.address.gazetteer import Gazetteer
from appliance.errors import SettingsError
from tools.evaluation.address import CHINA, address, evaluate, load, parts

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "hotline" / "address" / "dev.conll.txt"
TAGGED = """\
余 B-district
杭 I-district
区 I-district
五 B-town
常 I-town
街 I-town
道 I-town
西 B-poi
溪 I-poi
花 I-poi
园 I-poi
6 B-houseno
幢 I-houseno
2 B-cellno
501 B-roomno

义 B-district
乌 I-district
市 I-district
"""


@pytest.fixture(scope="module")
def china() -> Gazetteer:
    return of_divisions(CHINA)


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    path = tmp_path / "tagged.txt"
    path.write_text(TAGGED, encoding="utf-8")
    return path


def test_tags_are_read(tagged: Path) -> None:
    first, second = load(tagged)
    assert first.text == "余杭区五常街道西溪花园6幢2 501"  # two numbers were not one
    assert first.parts == {
        ("district", "余杭区"), ("town", "五常街道"), ("house", "6幢"), ("room", "501"),
    }  # fmt: skip
    assert second.parts == {("district", "义乌市")}


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("余 B-district\n\n杭\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="line 3"):
        load(path)
    path.write_text("\n\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="none"):
        load(path)


def test_what_is_missed_and_made_up_is_counted(tagged: Path, china: Gazetteer) -> None:
    report = evaluate(load(tagged), china)
    assert report.figures()["district_recall"] == 1.0
    assert report.recall("room") == 1.0
    assert report.precision() == 1.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("浙江省杭州市江干区九堡镇三卫路7-4-352", {("district", "江干区"), ("town", "九堡镇")}),
        (
            "杭州余杭良渚街道古墩路8号A座1202室",
            {("district", "余杭"), ("house", "A座"), ("room", "1202室")},
        ),
        ("义乌市解放东街5号", {("district", "义乌市")}),  # not 解放区
        (
            "桐乡市濮院镇濮院创新园6幢",
            {("district", "桐乡市"), ("town", "濮院镇"), ("house", "6幢")},
        ),
    ],
)
def test_addresses(text: str, found: set[tuple[str, str]], china: Gazetteer) -> None:
    told = set(parts(text, china))
    assert found <= told
    assert len([kind for kind, _ in told if kind == "district"]) == 1


def test_the_command_prints_one_object(tagged: Path) -> None:
    app = typer.Typer()
    app.command()(address)
    done = CliRunner().invoke(app, ["--data", str(tagged), "--json"])
    assert done.exit_code == 0
    figures = json.loads(done.stdout)
    assert figures.keys() == {
        "n", "district_recall", "town_recall", "house_recall", "room_recall", "precision",
        "addresses_per_s",
    }  # fmt: skip
    assert CliRunner().invoke(app, ["--data", "nowhere.txt"]).exit_code == 2


@pytest.mark.skipif(not DATA.exists(), reason="the tagged addresses are not here")
def test_goals_are_met(china: Gazetteer) -> None:
    figures = evaluate(load(DATA), china).figures()
    assert figures["district_recall"] >= 0.95
    assert figures["town_recall"] >= 0.85
    assert figures["house_recall"] >= 0.90
    assert figures["room_recall"] >= 0.90
    assert figures["precision"] >= 0.90
