"""An agent breaks a rule that is told at once, while the call runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.feed.kind import EventKind, Json
from appliance.messages import Lasting

if TYPE_CHECKING:
    from appliance.feed.record import Ledger


@dataclass(frozen=True, slots=True)
class QualityHint(Lasting):
    """Once of each rule; the inspection of the call that is over has the last word.

    Attributes:
        utterance: its id, or that after which nothing was said; empty: of the call so far.
        words: that show it, where there are any.
        advice: to the agent.
    """

    rule: str
    name: str
    severity: str
    utterance: str
    at_ms: int
    words: str
    advice: str


def _as_json(event: QualityHint) -> Json:
    told = {"name": event.name, "words": event.words, "advice": event.advice}
    return {**_webhook(event), **told}


def _webhook(event: QualityHint) -> Json:
    """Without a word of what was said."""
    return {
        "rule": event.rule,
        "severity": event.severity,
        "utterance": event.utterance,
        "at_ms": event.at_ms,
    }


def _fold(ledger: Ledger, event: QualityHint) -> None:
    known = [each for each in ledger.derived.get("quality", ()) if each["rule"] != event.rule]
    ledger.derived = {**ledger.derived, "quality": [*known, _as_json(event)]}


KIND = EventKind("quality", QualityHint, _as_json, _fold, webhook=_webhook)
