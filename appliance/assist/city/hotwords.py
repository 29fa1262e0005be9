"""Words that a city wants heard right beside the names in its other files."""

from __future__ import annotations

from pydantic import Field

from appliance.assist.city.reader import PackRow
from appliance.terms.term import LONGEST_TERM


class Hotword(PackRow):
    """One.

    Attributes:
        weight: nats in its favour, when something like it is heard; negative: it is seldom said.
    """

    text: str = Field(min_length=1, max_length=LONGEST_TERM)
    weight: float = Field(0.0, ge=-5, le=5)
    category: str = ""
