"""The whole pack, as one value: read, checked, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from itertools import pairwise
from pathlib import Path

from pydantic import Field, field_validator

from appliance.assist.city import seal
from appliance.assist.city.catalogue import (
    Catalogue,
    Emergency,
    EmergencyExample,
    Entry,
    Refusal,
    Rule,
)
from appliance.assist.city.divisions import Division, Divisions
from appliance.assist.city.hotwords import Hotword
from appliance.assist.city.order_system import FILE as ORDER_SYSTEM
from appliance.assist.city.order_system import OrderSystem
from appliance.assist.city.places import ListedPlace
from appliance.assist.city.reader import PackError, PackReader, PackRow
from appliance.assist.city.taxonomy import Category, CategoryExample, Taxonomy
from appliance.assist.city.tiers import DayOff, Tier, Tiers, WorkingCalendar
from appliance.assist.city.units import FUNCTIONS, Function, Unit, Units
from appliance.assist.quality.cases import QualityCase
from appliance.assist.quality.rule import QualityRule


class Ordering(PackRow):
    """How a city deals with orders.

    Attributes:
        automatic: from this confidence on an order leaves for its unit at hang-up without an
            agent's confirmation; 1 never.
        number: how orders are numbered; {date} and {serial} are put in.
    """

    automatic: float = Field(1.0, ge=0, le=1)
    number: str = Field(
        "{date}{serial:06d}", pattern=r"^[\w./-]{0,16}\{date\}[\w./-]{0,8}\{serial:0[3-9]d\}$"
    )
    repeat_days: int = Field(30, ge=1)  # within which the same matter is a repeat
    remind_hours: float = Field(24, ge=0)  # before a deadline a unit is reminded (催办)
    extension_days: float = Field(10, gt=0)  # at most, of one extension
    call_back_hours: float = Field(24, gt=0)  # after an answer


class Identity(PackRow):
    """pack.toml.

    Attributes:
        least: share of its own cases that `lingting city test` wants right, by what is measured.
        contacts_per_day: about as many; early warning goes by it until it has a week of its own.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    title: str = Field(min_length=1)
    version: str = Field(min_length=1)
    division: str = Field(pattern=r"^\d{6}$")
    hotline: str = "12345"
    area_code: str = ""
    office: tuple[tuple[time, time], ...] = Field(
        ((time(9), time(12)), (time(14, 30), time(18))), min_length=1
    )
    least: dict[str, float] = Field({"emergency_recall": 1.0})
    orders: Ordering = Ordering()
    contacts_per_day: int = Field(5000, ge=1)

    @field_validator("office")
    @classmethod
    def _office(cls, parts: tuple[tuple[time, time], ...]) -> tuple[tuple[time, time], ...]:
        moments = [moment for part in parts for moment in part]
        if any(end <= begin for begin, end in pairwise(moments)):
            raise ValueError("the parts of a working day follow each other, each after its begin")
        return parts


@dataclass(frozen=True, slots=True)
class CityPack:
    """All of it.

    Attributes:
        digest: of every file; with the version it says which pack an order was made with.
    """

    folder: Path
    identity: Identity
    digest: str
    divisions: Divisions
    places: tuple[ListedPlace, ...]
    taxonomy: Taxonomy
    units: Units
    functions: tuple[Function, ...]
    catalogue: Catalogue
    rules: tuple[Rule, ...]
    tiers: Tiers
    calendar: WorkingCalendar
    refusals: tuple[Refusal, ...]
    emergencies: tuple[Emergency, ...]
    emergency_examples: tuple[EmergencyExample, ...]
    hotwords: tuple[Hotword, ...]
    order_system: OrderSystem
    quality: tuple[QualityRule, ...]
    quality_cases: tuple[QualityCase, ...]

    @property
    def version(self) -> str:
        """As an order remembers it: datong 2026.11.1 (3f9c2a71b0d4)."""
        return f"{self.identity.name} {self.identity.version} ({self.digest[:12]})"


def load(folder: Path, *, sealed: bool = True) -> CityPack:
    """Of a folder.

    Args:
        sealed: whether files that were changed since the pack was sealed are refused.

    Raises:
        PackError: naming every file and line that is wrong.
    """
    from appliance.assist.city.check import check

    reader = PackReader(folder)
    pack = _read(reader)
    if sealed:
        for file, what in seal.broken(folder):
            reader.problem(file, 0, what)
    if pack:
        check(pack, reader)
    if reader.problems or pack is None:
        raise PackError(folder, reader.problems)
    return pack


def _read(reader: PackReader) -> CityPack | None:
    identity = reader.table("pack.toml", Identity)
    divisions = reader.rows("divisions.csv", Division)
    categories = reader.rows("categories.csv", Category)
    tiers = reader.tables("tiers.toml", "tier", Tier)
    _unique(reader, "divisions.csv", divisions)
    _unique(reader, "categories.csv", categories)
    units = reader.rows("units.csv", Unit)
    _unique(reader, "units.csv", units)
    if identity is None:
        return None
    tree = Divisions(divisions)
    return CityPack(
        folder=reader.folder,
        identity=identity,
        digest=seal.digest(reader.folder),
        divisions=tree,
        places=tuple(reader.rows("places.csv", ListedPlace, optional=True)),
        taxonomy=Taxonomy(categories, reader.rows("examples.csv", CategoryExample, optional=True)),
        units=Units(units, tree),
        functions=tuple(reader.rows(FUNCTIONS, Function)),
        catalogue=Catalogue(reader.rows("catalogue.csv", Entry)),
        rules=tuple(reader.tables("rules.toml", "rule", Rule, optional=True)),
        tiers=Tiers(tiers),
        calendar=WorkingCalendar(reader.rows("holidays.csv", DayOff), identity.office),
        refusals=tuple(reader.tables("refusals.toml", "refusal", Refusal, optional=True)),
        emergencies=tuple(reader.tables("emergencies.toml", "emergency", Emergency)),
        emergency_examples=tuple(
            reader.rows("emergency_examples.csv", EmergencyExample, optional=True)
        ),
        hotwords=tuple(reader.rows("hotwords.csv", Hotword, optional=True)),
        quality=tuple(reader.tables("quality.toml", "rule", QualityRule, optional=True)),
        quality_cases=tuple(
            reader.tables("quality_cases.toml", "case", QualityCase, optional=True)
        ),
        order_system=reader.table(ORDER_SYSTEM, OrderSystem, optional=True) or OrderSystem(),
    )


def _unique(
    reader: PackReader, file: str, rows: Sequence[Division] | Sequence[Category] | Sequence[Unit]
) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        if row.code in seen:
            reader.problem(file, row.line, f"code {row.code} is that of line {seen[row.code]}")
        seen.setdefault(row.code, row.line)
