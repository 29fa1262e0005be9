"""A call as quality rules see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from appliance.assist.slots.turns import plain, sounds_like_agent
from appliance.messages import CallRecord, Emotion, LegRole, Level, Utterance

LEAST_TURNS = 3  # that say how loudly somebody usually speaks


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """What somebody said without a break.

    Attributes:
        at: its number in the call.
        confidence: of its recognition, 0..1.
        words: (text, start_ms, end_ms, confidence) of each, as far as they are known.
        loudness_db: dBFS; None: not measured.
    """

    at: int
    id: str
    role: LegRole
    text: str
    start_ms: int
    end_ms: int
    confidence: float = 1.0
    words: tuple[tuple[str, int, int, float], ...] = ()
    emotion: Emotion | None = None
    level: Level | None = None
    loudness_db: float | None = None


@dataclass(frozen=True)
class InspectedCall:
    """Turns by start, and what is known of the call as a whole.

    Attributes:
        hang_up: who ended it; empty: not told.
        lacks: fields that its order lacks; None: it has no order.
    """

    turns: tuple[HeardTurn, ...]
    duration_ms: int
    channel: str = "phone"
    hang_up: str = ""
    lacks: frozenset[str] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def usual_loudness(self) -> dict[LegRole, float]:
        """dBFS, the median of each role's turns; of roles with LEAST_TURNS of them."""
        heard = {role: [t.loudness_db for t in self.turns if t.role is role] for role in LegRole}
        known = {role: [db for db in some if db is not None] for role, some in heard.items()}
        return {role: median(some) for role, some in known.items() if len(some) >= LEAST_TURNS}

    @cached_property
    def overlap_ms(self) -> int:
        """Both speak at once, in all."""
        total, until, role = 0, 0, LegRole.UNKNOWN
        for turn in self.turns:
            if turn.role is not role:
                total += max(0, min(until, turn.end_ms) - turn.start_ms)
            if turn.end_ms > until:
                until, role = turn.end_ms, turn.role
        return total


def dialogue_of(record: CallRecord, channel: str = "phone", hang_up: str = "") -> InspectedCall:
    """A call that is over, or as far as it has come."""
    drafts = record.derived.get("orders", ())
    lacks = frozenset(drafts[0].get("missing", ())) if drafts else None
    turns = tuple(_turn(at, each) for at, each in enumerate(record.utterances))
    return InspectedCall(turns, record.duration_ms, channel, hang_up, lacks)


def _turn(at: int, said: Utterance) -> HeardTurn:
    text, role = plain(said.text), said.role
    if role is LegRole.UNKNOWN:
        role = LegRole.AGENT if sounds_like_agent(text) else LegRole.CITIZEN
    mood = said.mood
    return HeardTurn(
        at,
        said.id,
        role,
        text,
        said.start_ms,
        said.end_ms,
        said.confidence,
        tuple((word.text, word.start_ms, word.end_ms, word.confidence) for word in said.words),
        mood.emotion if mood else None,
        mood.level if mood else None,
        said.loudness_db,
    )
