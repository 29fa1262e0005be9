"""JSON Schema of every file of a pack, from the rows that read them."""

from __future__ import annotations

from typing import Any

from appliance.assist.city.catalogue import Emergency, EmergencyExample, Entry, Refusal, Rule
from appliance.assist.city.divisions import Division
from appliance.assist.city.hotwords import Hotword
from appliance.assist.city.order_system import OrderSystem
from appliance.assist.city.pack import Identity
from appliance.assist.city.places import ListedPlace
from appliance.assist.city.reader import PackRow
from appliance.assist.city.taxonomy import Category, CategoryExample
from appliance.assist.city.tiers import DayOff, Tier
from appliance.assist.city.units import Function, Unit
from appliance.assist.quality.cases import QualityCase
from appliance.assist.quality.rule import QualityRule

FILES: dict[str, type[PackRow]] = {
    "pack.toml": Identity,
    "divisions.csv": Division,
    "places.csv": ListedPlace,
    "categories.csv": Category,
    "examples.csv": CategoryExample,
    "units.csv": Unit,
    "functions.csv": Function,
    "catalogue.csv": Entry,
    "rules.toml": Rule,
    "tiers.toml": Tier,
    "holidays.csv": DayOff,
    "refusals.toml": Refusal,
    "emergencies.toml": Emergency,
    "emergency_examples.csv": EmergencyExample,
    "hotwords.csv": Hotword,
    "order_system.toml": OrderSystem,
    "quality.toml": QualityRule,
    "quality_cases.toml": QualityCase,
}


def schemas() -> dict[str, Any]:
    """By file; of a table, of one row of it."""
    return {name: model.model_json_schema() for name, model in FILES.items()}
