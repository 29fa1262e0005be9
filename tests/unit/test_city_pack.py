"""City packs: read, checked, sealed, made anew, compared."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from appliance.assist.city import diff, new, pack, schema, seal
from appliance.assist.city.divisions import DivisionLevel, level_of, up_to
from appliance.assist.city.pack import CityPack
from appliance.assist.city.reader import PackError
from appliance.assist.city.tiers import CHINA
from appliance.assist.quality.cases import judged
from appliance.errors import Conflict, NotFound
from appliance.settings.section import PROJECT

PACKS = PROJECT / "provisioning" / "city_packs"
DATONG = PACKS / "datong"
CHINA_2022 = PROJECT / "provisioning" / "divisions" / "china_2022.csv"


@pytest.fixture(scope="module")
def datong() -> CityPack:
    return pack.load(DATONG)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "city"
    shutil.copytree(DATONG, folder)
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(PackError) as caught:
        pack.load(folder, sealed=False)
    return [str(problem) for problem in caught.value.problems]


def test_datong_is_whole(datong: CityPack) -> None:
    """Sealed as it is, and as large as it is said to be."""
    of_level = datong.divisions.of_level
    assert len(of_level(DivisionLevel.COUNTY)) == 12
    assert len(of_level(DivisionLevel.TOWN)) == 127
    assert len(of_level(DivisionLevel.VILLAGE)) == 1826
    assert len(datong.units) >= 125 and len(datong.taxonomy.leaves) >= 150
    assert len(datong.places) >= 400
    assert {unit.level for unit in datong.units} == set(DivisionLevel)
    assert all(unit.sample for unit in datong.units)


def test_every_leaf_has_a_unit_in_every_county(datong: CityPack) -> None:
    for leaf in datong.taxonomy.leaves:
        entry = datong.catalogue.entry(leaf.code)
        assert entry, leaf
        for county in datong.divisions.of_level(DivisionLevel.COUNTY):
            unit = datong.units.responsible(
                entry.main, county.code, datong.catalogue.level(entry)
            ) or datong.units.fallback(county.code)
            assert unit, (leaf, county)


def test_nothing_of_a_department_goes_to_a_community(datong: CityPack) -> None:
    """国办函〔2025〕66号."""
    assert all(entry.main != "community" for entry in datong.catalogue)
    assert all(rule.main != "community" for rule in datong.rules)


def test_a_changed_file_is_refused_until_it_is_sealed(copy: Path) -> None:
    with (copy / "hotwords.csv").open("a") as file:
        file.write("新词,1.5,政策\n")
    with pytest.raises(PackError, match=r"hotwords\.csv: it was changed since"):
        pack.load(copy)
    seal.write(copy)
    assert pack.load(copy).hotwords[-1].text == "新词"


def test_what_is_added_or_gone_is_found(copy: Path) -> None:
    (copy / "more.csv").write_text("x\n")
    (copy / "hotwords.csv").unlink()
    found = dict(seal.broken(copy))
    assert "came after" in found["more.csv"] and "gone" in found["hotwords.csv"]


def test_an_unsealed_pack_is_not_used(copy: Path) -> None:
    (copy / seal.FILE).unlink()
    with pytest.raises(PackError, match="not sealed"):
        pack.load(copy)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_cycle_is_named_with_its_line(copy: Path) -> None:
    edit(copy / "units.csv", "1402-government,", "1402-government,")
    lines = (copy / "units.csv").read_text(encoding="utf-8").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("1402-government,"))
    cells = lines[at].split(",")
    cells[3] = "140213-government"
    lines[at] = ",".join(cells)
    (copy / "units.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert f"units.csv:{at + 1}: 1402-government is above itself: a cycle" in problems(copy)


def test_an_unknown_code_is_named_with_its_line(copy: Path) -> None:
    with (copy / "catalogue.csv").open("a", encoding="utf-8") as file:
        file.write("9999,nobody,,county,\n")
    found = problems(copy)
    assert any("there is no category 9999" in each and "catalogue.csv:" in each for each in found)
    assert any("there is no function nobody" in each for each in found)


def test_a_county_without_a_fallback_is_named(copy: Path) -> None:
    lines = (copy / "units.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("140213-government,")]
    (copy / "units.csv").write_text("".join(kept), encoding="utf-8")
    assert any(
        "平城区 has no unit with the function 'government'" in each for each in problems(copy)
    )


def test_several_faults_are_told_at_once(copy: Path) -> None:
    (copy / "tiers.toml").write_text("[[tier]]\ncode = 'x'\n", encoding="utf-8")
    edit(copy / "divisions.csv", "code,name", "kode,name")
    (copy / "rules.toml").write_text("[[rule]\n", encoding="utf-8")
    found = "\n".join(problems(copy))
    assert "tiers.toml:1: name: Field required" in found
    assert "divisions.csv:1: there is no column kode" in found
    assert "rules.toml:1:" in found


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("rules.toml", f"x = {'[' * 5000}{']' * 5000}", "too deep"),
        ("tiers.toml", f"x = {'9' * 6000}", "tiers.toml"),
        ("pack.toml", 'office = []\nname = "x"', "office"),
        ("pack.toml", 'office = [["12:00", "09:00"]]\nname = "x"', "follow each other"),
        ("units.csv", "code\0,name\n", "units.csv"),
    ],
)
def test_what_no_parser_bears_is_a_problem_like_any(
    copy: Path, file: str, text: str, told: str
) -> None:
    (copy / file).write_text(text, encoding="utf-8")
    assert any(each.startswith(file) and told in each for each in problems(copy))


def test_what_is_no_file_is_not_waited_for(copy: Path) -> None:
    (copy / "rules.toml").unlink()
    os.mkfifo(copy / "rules.toml")
    assert "rules.toml: it is no file" in problems(copy)


@pytest.mark.parametrize("text", ["[]", '{"files": [1]}', '{"files": 7}', "{" * 3])
def test_an_odd_seal_is_no_seal(copy: Path, text: str) -> None:
    (copy / "SEAL.json").write_text(text)
    with pytest.raises(PackError, match=r"SEAL\.json: it cannot be read"):
        pack.load(copy)


def test_a_rule_that_would_always_hold_is_refused(copy: Path) -> None:
    with (copy / "rules.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[rule]]\nname = "always"\nmain = "housing"\n')
    assert any("it would always hold" in each for each in problems(copy))


def test_another_city_is_made_of_a_code(tmp_path: Path) -> None:
    """Nothing of 大同 is in the code: 阳泉 is another folder."""
    folder = tmp_path / "yangquan"
    new.make(PACKS / "template", CHINA_2022, "1403", folder, name="yangquan", area_code="0353")
    seal.write(folder)
    made = pack.load(folder)
    assert made.identity.title == "阳泉市" and made.identity.division == "140300"
    counties = {each.name for each in made.divisions.of_level(DivisionLevel.COUNTY)}
    assert "平定县" in counties and "平城区" not in counties
    assert made.units.responsible("urban_management", "140321000000", DivisionLevel.COUNTY)
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert not [name for name, text in texts.items() if "大同" in text or "平城" in text]
    assert "阳泉" in texts["refusals.toml"]
    assert len(made.quality) >= 40 and any(rule.live for rule in made.quality)
    assert all(each.is_right for each in judged(made.quality, made.quality_cases))
    with pytest.raises(Conflict):
        new.make(PACKS / "template", CHINA_2022, "1403", folder, name="yangquan")


def test_a_code_of_no_city_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="9999"):
        new.make(PACKS / "template", CHINA_2022, "9999", tmp_path / "x", name="x")
    assert not (tmp_path / "x").exists()


def test_a_difference_names_the_row(copy: Path) -> None:
    edit(copy / "divisions.csv", "140213000000,平城区", "140213000000,平城新区")
    told = "\n".join(diff.diff(DATONG, copy))
    assert "~ divisions.csv" in told and "name: 平城区 -> 平城新区" in told
    assert not list(diff.diff(DATONG, DATONG))


def test_every_file_has_a_schema() -> None:
    found = schema.schemas()
    assert found["units.csv"]["properties"]["level"]
    assert {"pack.toml", "tiers.toml", "rules.toml"} <= found.keys()


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("140200000000", DivisionLevel.CITY),
        ("140213000000", DivisionLevel.COUNTY),
        ("140213001000", DivisionLevel.TOWN),
        ("140213001001", DivisionLevel.VILLAGE),
    ],
)
def test_levels_are_told_by_zeros(code: str, level: DivisionLevel) -> None:
    assert level_of(code) is level
    assert up_to(code, DivisionLevel.CITY) == "140200000000"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


def due(datong: CityPack, since: str, **change: object) -> datetime:
    tier = datong.tiers.default.model_copy(update=change)
    return datong.calendar.due(tier, at(since).astimezone(UTC)).astimezone(CHINA)


@pytest.mark.parametrize(
    ("since", "limit", "unit", "expected"),
    [
        # 2026: 国庆 1 to 7 October are off, 10 October (Saturday) is worked.
        ("2026-09-30T10:00", 1, "days", "2026-10-08T10:00"),
        ("2026-10-09T10:00", 1, "days", "2026-10-10T10:00"),
        ("2026-10-09T10:00", 2, "days", "2026-10-12T10:00"),
        ("2026-11-27T16:00", 4, "hours", "2026-11-30T11:00"),
        ("2026-11-28T16:00", 1, "days", "2026-12-01T09:00"),
    ],
)
def test_working_time_leaves_out_what_is_not_worked(
    datong: CityPack, since: str, limit: float, unit: str, expected: str
) -> None:
    assert due(datong, since, limit=limit, unit=unit, time="working") == at(expected)


def test_clock_time_goes_on(datong: CityPack) -> None:
    assert due(datong, "2026-09-30T10:00", limit=7, unit="days", time="clock") == at(
        "2026-10-07T10:00"
    )


def test_a_year_nobody_knows_has_weekdays_and_a_warning(datong: CityPack) -> None:
    calendar = datong.calendar
    assert not calendar.is_working(date(2031, 1, 4)) and calendar.is_working(date(2031, 10, 1))
    assert calendar.unknown_years(at("2026-12-30T10:00"), at("2027-01-04T10:00")) == [2027]
    assert "2027" in calendar.warning(at("2026-12-30T10:00"))
    assert not calendar.warning(at("2026-06-01T10:00"))
