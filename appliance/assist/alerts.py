"""Raises an alert when a voice's mood passes the level that a deployment watches for."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import NEGATIVE, Alert, EmotionEstimate, Lasting, Level, NumberedEvent

LEVELS = list(Level)


class Alerts(Subscriber):
    """Live only: the alerts are events of the call."""

    name = "alerts"

    def __init__(self, least: Level) -> None:
        self._least = least

    def listen(self, call: FollowedCall) -> Listener | None:
        return AlertListener(self._least) if call.config.moods else None


class AlertListener:
    """Of one call: an alert when a voice passes the level, and again only after it was below."""

    def __init__(self, least: Level) -> None:
        self._least = LEVELS.index(least)
        self._alarmed: set[int] = set()  # speakers above the level

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        mood = told.event
        if not isinstance(mood, EmotionEstimate) or mood.emotion is None or mood.level is None:
            return ()
        if mood.emotion not in NEGATIVE or LEVELS.index(mood.level) < self._least:
            self._alarmed.discard(mood.speaker)
            return ()
        if mood.speaker in self._alarmed:
            return ()
        self._alarmed.add(mood.speaker)
        at_ms = mood.end_ms
        return [Alert(mood.leg, mood.utterance, mood.emotion, mood.level, at_ms, mood.demo)]

    def leave(self) -> None:
        pass
