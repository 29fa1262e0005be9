"""A new city: its folder, made of the template and of China's divisions."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from appliance.assist.city.divisions import Division, DivisionLevel, Divisions, up_to
from appliance.assist.city.reader import PackError, PackProblem, PackReader, PackRow
from appliance.assist.city.units import FALLBACK, FUNCTIONS, Function, Unit
from appliance.errors import Conflict, NotFound

PACK = """\
# {title}12345 的城市包：一个城市的一切都是这里的数据。
# 改完后：lingting city validate，再 lingting city seal。
name = "{name}"
title = "{title}"
version = "1"
division = "{division}"
hotline = "12345"
area_code = "{area_code}"
office = [["09:00", "12:00"], ["14:30", "18:00"]]

[orders]
automatic = 1.0  # 从这个把握起，挂机后自动派单；1.0：都由话务员确认
"""
LONG = ("特别行政区", "经济技术开发区", "街道办事处", "社区居委会", "自治县", "自治旗", "街道")
SHORT = ("村委会", "居委会", "社区", "地区", "市", "区", "县", "旗", "镇", "乡", "村")


def make(
    template: Path,
    china: Path,
    code: str,
    folder: Path,
    *,
    name: str,
    area_code: str = "",
    villages: Sequence[Division] = (),
) -> None:
    """Write a pack for the city with that division code (4 or 6 digits) into `folder`.

    Args:
        china: divisions down to towns, `code,name`.
        villages: of the city, where somebody has them.

    Raises:
        Conflict: the folder is there already.
        NotFound: China has no city with that code.
        PackError: the template is damaged.
    """
    if folder.exists():
        raise Conflict("make a city pack", f"{folder} exists", "choose another place")
    functions = _functions(template)
    divisions = [*divisions_of(china, code), *villages]
    folder.mkdir(parents=True)
    title, city = divisions[0].name, divisions[0].code[:6]
    copy(template, folder, next(iter(short(title)), title))
    (folder / "pack.toml").write_text(
        PACK.format(name=name, title=title, division=city, area_code=area_code), encoding="utf-8"
    )
    write_rows(folder / "divisions.csv", Division, divisions)
    write_rows(folder / "units.csv", Unit, units_of(functions, Divisions(divisions)))


def copy(template: Path, folder: Path, city: str) -> None:
    """What cities have in common, with a city's name in the place of {city}; units apart."""
    for file in sorted(template.iterdir()):
        if file.is_file() and file.name not in ("README.md", FUNCTIONS):
            text = file.read_text(encoding="utf-8")
            (folder / file.name).write_text(text.replace("{city}", city), encoding="utf-8")
    shutil.copy(template / FUNCTIONS, folder / FUNCTIONS)


def _functions(template: Path) -> list[Function]:
    reader = PackReader(template)
    functions = reader.rows(FUNCTIONS, Function)
    if FALLBACK not in {each.function for each in functions}:
        reader.problems.append(PackProblem(FUNCTIONS, 0, f"there is no function {FALLBACK!r}"))
    if reader.problems:
        raise PackError(template, reader.problems)
    return functions


def divisions_of(china: Path, code: str) -> list[Division]:
    """A city and all below it; the city first.

    A municipality's own code (31) takes its districts as they are.
    """
    head = code.rstrip("0").ljust(2, "0") if len(code) <= 2 else code[:4]
    with china.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["code"].startswith(head)]
    found = {row["code"].ljust(12, "0"): row["name"] for row in rows}
    city = head.ljust(12, "0")
    if city not in found:
        raise NotFound("make a city pack", f"China has no city with the division code {code}")
    made = [Division(code=each, name=name, aliases=short(name)) for each, name in found.items()]
    return sorted(made, key=lambda division: division.code)


def villages_of(file: Path) -> list[Division]:
    """`code,name` with 12 digits; raises PackError."""
    reader = PackReader(file.parent)
    found = reader.rows(file.name, Division)
    if reader.problems:
        raise PackError(file.parent, reader.problems)
    return [each for each in found if each.level is DivisionLevel.VILLAGE]


def short(name: str) -> tuple[str, ...]:
    """As people say it: 平城 for 平城区; nothing where one character would be left."""
    for ending in (*LONG, *SHORT):
        if name.endswith(ending):
            left = name.removesuffix(ending)
            return (left,) if len(left) >= 2 else ()
    return ()


def units_of(functions: Iterable[Function], divisions: Divisions) -> Iterator[Unit]:
    """One of each function in each division that has it."""
    for level in DivisionLevel:
        for division in divisions.of_level(level):
            if level is DivisionLevel.COUNTY and not divisions.below(division.code):
                continue  # 市辖区: a heading of the statistics, where nobody lives
            for function in functions:
                if pattern := getattr(function, level.value):
                    yield _unit(function, pattern, division, divisions)


def _unit(function: Function, pattern: str, division: Division, divisions: Divisions) -> Unit:
    names = {each.level.value: each.name for each in divisions.chain(division.code)}
    name = pattern.format_map(names)
    if division.level is DivisionLevel.TOWN and function.function == FALLBACK:
        name = _town_government(division.name)
    if division.level is DivisionLevel.COUNTY and function.function == FALLBACK:
        name = name.replace("开发区人民政府", "开发区管理委员会")
    level = division.level
    parent = "" if level is DivisionLevel.CITY else _code(FALLBACK, _above(division))
    if function.function != FALLBACK and level is DivisionLevel.COUNTY:
        parent = _code(FALLBACK, division.code)
    return Unit(
        code=_code(function.function, division.code),
        name=name,
        level=level,
        parent=parent,
        function=function.function,
        divisions=(division.code,),
        aliases=function.aliases if level is DivisionLevel.CITY else (),
        responsibilities=function.responsibilities if level is DivisionLevel.CITY else "",
        hours=function.hours if level is DivisionLevel.CITY else "",
        sample=True,
    )


def _above(division: Division) -> str:
    order = list(DivisionLevel)
    return up_to(division.code, order[order.index(division.level) - 1])


def _code(function: str, division: str) -> str:
    return f"{division.rstrip('0').ljust(4, '0')}-{function}"


def _town_government(name: str) -> str:
    return f"{name}办事处" if name.endswith("街道") else f"{name}人民政府"


def write_rows(file: Path, model: type[PackRow], rows: Iterable[PackRow]) -> None:
    """As CSV, lists separated by semicolons."""
    names = list(model.model_fields)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(getattr(row, name)) for name in names])


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return ";".join(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
