"""What the views of knowledge, quality and warnings know of the city before they ask for more."""

from __future__ import annotations

import time
from typing import Any

from appliance.assist.city.divisions import DivisionLevel
from appliance.assist.city.pack import CityPack
from appliance.assist.orders.life import CHINESE
from appliance.console.viewer import Language
from appliance.messages import Emotion


def facts(pack: CityPack, language: Language) -> dict[str, Any]:
    """Names of codes, in the viewer's language where there are any; JSON."""
    zh = language == "zh"
    states = {state: told if zh else state.replace("_", " ") for state, told in CHINESE.items()}
    counties = pack.divisions.of_level(DivisionLevel.COUNTY)
    return {
        "counties": {each.code: each.name for each in counties},
        "rules": {each.id: each.name for each in pack.quality},
        "orders": states,
        "moods": {mood.value: mood.chinese if zh else mood.value for mood in Emotion},
        "utc_offset_s": time.localtime().tm_gmtoff,  # the box's wall time is shown everywhere
    }
