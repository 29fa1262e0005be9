"""Somebody is in danger: 110, 119 or 120 has to hear of it while the citizen still speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.feed.kind import EventKind, Json
from appliance.messages import Lasting

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


@dataclass(frozen=True, slots=True)
class Danger(Lasting):
    """Heard in an utterance."""

    name: str  # of the danger, as the city pack has it
    to: tuple[str, ...]  # 110, 119, 120
    utterance: str  # its id
    at_ms: int
    words: str  # that tell of it
    say: str  # to the citizen, at once


def _as_json(event: Danger) -> Json:
    return {**_webhook(event), "words": event.words, "say": event.say}


def _webhook(event: Danger) -> Json:
    """Without a word of what was said."""
    return {
        "name": event.name,
        "to": list(event.to),
        "utterance": event.utterance,
        "at_ms": event.at_ms,
    }


def _fold(ledger: Ledger, event: Danger) -> None:
    known = [each for each in ledger.derived.get("dangers", ()) if each["name"] != event.name]
    ledger.derived = {**ledger.derived, "dangers": [*known, _as_json(event)]}


KIND = EventKind("danger", Danger, _as_json, _fold, webhook=_webhook)
