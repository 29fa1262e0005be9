"""What the knowledge base proposes to the agent, as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.feed.kind import EventKind, Json
from appliance.messages import Lasting

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


@dataclass(frozen=True, slots=True)
class Suggested(Lasting):
    """In the place of what was proposed before.

    Attributes:
        utterance: id of the newest that asked for it.
        question: what is asked, as it was understood.
        entries: the best first, JSON: entry, version, title, answer, begin, end (of the passage),
            marks, department, source, valid_from, valid_to, scope, confidence.
    """

    utterance: str
    question: str
    entries: tuple[Mapping[str, Any], ...]


def _as_json(event: Suggested) -> Json:
    return {
        "utterance": event.utterance,
        "question": event.question,
        "entries": [dict(each) for each in event.entries],
    }


def _fold(ledger: Ledger, event: Suggested) -> None:
    ledger.derived = {**ledger.derived, "suggestions": _as_json(event)}


KIND = EventKind("suggestions", Suggested, _as_json, _fold)
