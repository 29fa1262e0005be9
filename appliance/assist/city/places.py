"""Places below or beside divisions: streets, compounds, landmarks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from appliance.assist.city.reader import PackRow, Words


class ListedPlace(PackRow):
    """One.

    Attributes:
        divisions: 12-digit codes of where it lies; several if it crosses borders.
        sample: whether it is made up.
    """

    name: str = Field(min_length=1)
    kind: Literal[
        "street",
        "compound",
        "landmark",
        "school",
        "hospital",
        "market",
        "park",
        "station",
        "industrial",
        "scenic",
        "bridge",
    ]
    divisions: Words = Field(min_length=1)
    aliases: Words = ()
    old_names: Words = ()
    sample: bool = False
