"""What a call has come to: its events folded into utterances with speakers, roles and moods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.call.keeping import Ending
from appliance.call.matrix import summarise
from appliance.call.parts import Part, parts_of
from appliance.call.roles import tell_roles
from appliance.call.timeline import Timeline
from appliance.feed.kinds import kind_of
from appliance.messages import (
    Alert,
    CallConfig,
    CallRecord,
    CallState,
    EmotionEstimate,
    Final,
    Lasting,
    Leg,
    LegRole,
    SpeakerTurn,
    Utterance,
)


@dataclass(slots=True)
class Ledger:
    """A running call's events; the same from a live call and from a journal."""

    finals: dict[tuple[int, int], Final] = field(default_factory=dict)
    moods: dict[tuple[int, int], dict[int, EmotionEstimate]] = field(
        default_factory=dict
    )  # by start_ms
    turns: dict[int, list[SpeakerTurn]] = field(default_factory=dict)  # by leg
    settled: set[int] = field(default_factory=set)  # legs
    alerts: list[Alert] = field(default_factory=list)
    derived: dict[str, Any] = field(default_factory=dict)  # JSON, by kind
    agent_moods: bool = False  # whether the agent's are told too
    # A call of hours is folded after every final: what has not changed is not made again.
    _plain: dict[tuple[int, int], tuple[Final, Utterance]] = field(default_factory=dict)
    _roled: dict[str, tuple[Utterance, Utterance]] = field(default_factory=dict)

    def add(self, event: Lasting) -> None:
        """Events may be told twice."""
        fold = kind_of(event).fold
        if fold is None:
            raise TypeError(f"{type(event).__name__} does not say how it is folded")
        fold(self, event)

    def utterances(self, config: CallConfig) -> tuple[Utterance, ...]:
        """Everything said so far, by start."""
        timelines = {leg: Timeline(turns) for leg, turns in self.turns.items() if turns}
        finals = [final for final in self.finals.values() if final.text]
        parts = [part for f in finals for part in self._said(f, timelines.get(f.leg))]
        parts.sort(key=lambda part: (part.start_ms, part.leg, part.id))
        roles = self._roles(parts, config)
        return tuple(self._with_role(part, roles[part.speaker, part.leg]) for part in parts)

    def _with_role(self, part: Utterance, role: LegRole) -> Utterance:
        """Where one leg carries all, it may only now be known whose a mood is."""
        known, told = self._roled.get(part.id, (None, part))
        if known is part and told.role is role:
            return told
        wanted = role is not LegRole.AGENT or self.agent_moods
        told = replace(part, role=role, mood=part.mood if wanted else None)
        self._roled[part.id] = part, told
        return told

    def _said(self, final: Final, timeline: Timeline | None) -> Iterable[Utterance]:
        key = final.leg, final.utterance
        if timeline or self.moods.get(key):
            return self._parts(final, timeline)
        known, told = self._plain.get(key, (None, None))
        if known is not final or told is None:
            (told,) = self._parts(final, timeline)
            self._plain[key] = final, told
        return (told,)

    def _parts(self, final: Final, timeline: Timeline | None) -> Iterator[Utterance]:
        """One utterance, or one for each speaker in turn."""
        parts = parts_of(final, timeline)
        moods = _placed(self.moods.get((final.leg, final.utterance), {}).values(), parts)
        for number, part in enumerate(parts):
            yield Utterance(
                id=f"{final.leg}.{final.utterance}" + (f".{number}" if number else ""),
                leg=final.leg,
                speaker=part.speaker,
                role=LegRole.UNKNOWN,
                text=part.text,
                words=part.words,
                start_ms=part.start_ms,
                end_ms=part.end_ms,
                confidence=final.confidence,
                mood=moods.get(number),
                model=final.model,
                corrections=tuple(
                    each
                    for each in final.corrections
                    if part.start_ms <= each.start_ms < max(part.end_ms, part.start_ms + 1)
                ),
                loudness_db=final.loudness_db,
            )

    def _roles(
        self, parts: Sequence[Utterance], config: CallConfig
    ) -> dict[tuple[int, int], LegRole]:
        """By (speaker, leg): as the caller said, else as their words tell."""
        said: dict[int, list[str]] = {}
        for part in parts:
            said.setdefault(part.speaker, []).append(part.text)
        told = tell_roles(said)
        roles = {}
        for part in parts:
            named = config.leg_roles[part.leg : part.leg + 1]
            alone = part.leg not in self.turns
            known = named[0] if named and alone else LegRole.UNKNOWN
            roles[part.speaker, part.leg] = (
                told[part.speaker] if known is LegRole.UNKNOWN else known
            )
        return roles

    def ending(self) -> Ending:
        """As far as the finals tell it."""
        finals = list(self.finals.values())
        return Ending(
            duration_ms=max((final.end_ms for final in finals), default=0),
            legs=max((final.leg + 1 for final in finals), default=0),
            language=finals[0].language if finals else "",
            model=finals[0].model if finals else "",
            demo=any(final.demo for final in finals),
            cut_short=False,
        )

    def record(
        self, call_id: str, config: CallConfig, state: CallState, started_at: float, ending: Ending
    ) -> CallRecord:
        """The call as others see it."""
        utterances = self.utterances(config)
        notes = list(ending.notes)
        if any(leg not in self.settled for leg in self.turns) and state is CallState.FINISHED:
            notes.append("speakers are provisional: the call ended before they were settled")
        return CallRecord(
            id=call_id,
            name=config.call_id,
            state=state,
            live=config.live,
            door=config.door,
            started_at=started_at,
            duration_ms=ending.duration_ms,
            legs=tuple(self._leg(n, utterances, config) for n in range(ending.legs)),
            utterances=utterances,
            settled=state is CallState.FINISHED and set(self.turns) <= self.settled,
            language=ending.language,
            model=ending.model,
            demo=ending.demo,
            error=ending.error,
            cut_short=ending.cut_short,
            notes=tuple(notes),
            moods=summarise(utterances),
            alerts=tuple(self.alerts),
            derived=self.derived,
        )

    def _leg(self, number: int, utterances: Iterable[Utterance], config: CallConfig) -> Leg:
        mine = [u for u in utterances if u.leg == number]
        speakers, roles = {u.speaker for u in mine}, {u.role for u in mine}
        named = config.leg_roles[number : number + 1]
        if named and number not in self.turns:
            role = named[0]
        else:
            role = roles.pop() if len(roles) == 1 else LegRole.UNKNOWN
        return Leg(number, role, len(speakers))


def _placed(moods: Iterable[EmotionEstimate], parts: Sequence[Part]) -> dict[int, EmotionEstimate]:
    """By number of the part that each is of: speakers may have been settled since. The longest."""

    def shared_ms(mood: EmotionEstimate, part: Part) -> int:
        return min(mood.end_ms, part.end_ms) - max(mood.start_ms, part.start_ms)

    placed: dict[int, EmotionEstimate] = {}
    for mood in sorted(moods, key=lambda mood: mood.end_ms - mood.start_ms):
        placed[max(range(len(parts)), key=lambda number: shared_ms(mood, parts[number]))] = mood
    return placed
