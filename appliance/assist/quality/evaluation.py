"""Whether a condition holds of a call: yes, no, or nobody can tell, each with its evidence.

What was heard badly convicts nobody: words that are below LEAST_SURE on average are no evidence
that something was said, and where such words might hide what is missed, nobody can tell that it
was not said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from appliance.assist.quality.condition import Condition
from appliance.assist.quality.dialogue import HeardTurn, InspectedCall
from appliance.assist.quality.finders import (
    FindAll,
    Span,
    heard_as,
    in_each,
    sounding,
    written,
    written_as,
)
from appliance.assist.text.likeness import likeness
from appliance.messages import LegRole, Level

LEAST_SURE = 0.5  # confidence of words
LONG = 10  # characters of a turn whose pace is measured
MOST_EVIDENCE = 5  # turns told with an outcome
LEVELS = list(Level)
_PARTS = re.compile(r"[^，。！？；,.!?;\s]+")


@dataclass(frozen=True, slots=True)
class RuleProof:
    """What shows it: a part of a turn, or the time between two."""

    utterance: str
    start_ms: int
    end_ms: int
    words: str


@dataclass(frozen=True, slots=True)
class ConditionOutcome:
    """holds: None where nobody can tell."""

    holds: bool | None
    proofs: tuple[RuleProof, ...] = ()
    turns: tuple[int, ...] = ()  # numbers of those that it holds of


NO, NOBODY_KNOWS = ConditionOutcome(False), ConditionOutcome(None)


def evaluate(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    """Of a whole call."""
    found = _OPERATORS[condition.operator](condition, call)
    return found if found.holds or _is_known(condition, call) else NOBODY_KNOWS


# --- what joins others


def _all(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    found = [evaluate(each, call) for each in condition.all]
    if any(each.holds is False for each in found):
        return NO
    return _joined(found, None if any(each.holds is None for each in found) else True)


def _any(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    found = [evaluate(each, call) for each in condition.any]
    if held := [each for each in found if each.holds]:
        return _joined(held, True)
    return ConditionOutcome(None) if any(each.holds is None for each in found) else NO


def _not(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    assert condition.negated
    found = evaluate(condition.negated, call)
    return ConditionOutcome(None if found.holds is None else not found.holds)


def _joined(found: Iterable[ConditionOutcome], holds: bool | None) -> ConditionOutcome:
    kept = list(found)
    proofs = dict.fromkeys(proof for each in kept for proof in each.proofs)
    turns = sorted({at for each in kept for at in each.turns})
    return ConditionOutcome(holds, tuple(proofs)[:MOST_EVIDENCE], tuple(turns))


# --- where it looks


def _is_known(condition: Condition, call: InspectedCall) -> bool:
    """Whether anybody can tell where it looks: what was heard badly may be an anchor, too."""
    anchors = filter(None, (condition.after, condition.before, condition.around))
    return all(evaluate(each, call).holds is not None for each in anchors)


def _looked_at(condition: Condition, call: InspectedCall) -> list[HeardTurn]:
    turns = [turn for turn in call.turns if _is_of(turn, condition.role)]
    if condition.first:
        turns = turns[: condition.first]
    if condition.last:
        turns = turns[-condition.last :]
    if condition.first_s:
        turns = [turn for turn in turns if turn.start_ms < condition.first_s * 1000]
    if condition.last_s:
        turns = [turn for turn in turns if turn.end_ms > call.duration_ms - condition.last_s * 1000]
    for anchor, back, forth in (
        (condition.after, 0, condition.within),
        (condition.before, condition.within, 0),
        (condition.around, condition.within, condition.within),
    ):
        if anchor:
            near = _near(evaluate(anchor, call).turns, back, forth)
            turns = [turn for turn in turns if turn.at in near]
    return turns


def _near(anchors: Sequence[int], back: int, forth: int) -> set[int]:
    return {at + by for at in anchors for by in range(-back, forth + 1) if by}


def _is_of(turn: HeardTurn, role: str) -> bool:
    return role == "anybody" or turn.role.value == role


# --- what is said


def _said(condition: Condition, call: InspectedCall, find: FindAll) -> ConditionOutcome:
    """By what is found in the turns' texts."""
    looked_at = _looked_at(condition, call)
    proofs, what, turns, doubtful = list[RuleProof](), set[str](), set[int](), False
    for number, (begin, end, name) in find([turn.text for turn in looked_at]):
        turn = looked_at[number]
        if _confidence(turn, begin, end) < LEAST_SURE:
            doubtful = True
            continue
        proofs.append(_proof(turn, begin, end))
        what.add(name if condition.say else str(turn.at))
        turns.add(turn.at)
    if len(what) >= condition.at_least:
        return ConditionOutcome(True, tuple(proofs[:MOST_EVIDENCE]), tuple(sorted(turns)))
    unheard = any(_may_hide(turn) for turn in looked_at)
    return ConditionOutcome(None if doubtful or unheard else False)


def _may_hide(turn: HeardTurn) -> bool:
    """Something that was not understood; in a single syllable there is no room for it."""
    return turn.confidence < LEAST_SURE and len(re.sub(r"\W", "", turn.text)) > 1


def _say(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    find = sounding if condition.sounds else written
    return _said(condition, call, find(condition.say))


def _matches(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    find = heard_as if condition.sounds else written_as
    return _said(condition, call, in_each(find(condition.matches or "")))


def _like(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    def spans(text: str) -> Iterator[Span]:
        for part in _PARTS.finditer(text):
            for sample in condition.like:
                if likeness(part[0], sample) >= condition.alike:
                    yield (*part.span(), sample)

    return _said(condition, call, in_each(spans))


def _confidence(turn: HeardTurn, begin: int, end: int) -> float:
    """Of a part of a turn, the mean of its words; without words, the turn's own.

    One word that was heard badly is no doubt where all of them make what is looked for.
    """
    at, total, length = 0, 0.0, 0
    for text, _, _, confidence in turn.words:
        found = turn.text.find(text, at)
        if found < 0:
            continue
        at = found + len(text)
        shared = min(end, at) - max(begin, found)
        if shared > 0:
            total, length = total + confidence * shared, length + shared
    return total / length if length else turn.confidence


def _proof(turn: HeardTurn, begin: int = 0, end: int | None = None) -> RuleProof:
    end = len(turn.text) if end is None else end
    span, length = turn.end_ms - turn.start_ms, max(1, len(turn.text))
    times = turn.start_ms + span * begin // length, turn.start_ms + span * end // length
    return RuleProof(turn.id, *times, turn.text[begin:end])


# --- how it is said


def _pace(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    held = []
    for turn in _looked_at(condition, call):
        length, minutes = len(re.sub(r"\W", "", turn.text)), (turn.end_ms - turn.start_ms) / 60_000
        if length < LONG or minutes <= 0:
            continue
        pace = length / minutes
        over = condition.faster_than is not None and pace > condition.faster_than
        under = condition.slower_than is not None and pace < condition.slower_than
        if over or under:
            held.append(turn)
    return _of(held)


def _loudness(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    """Against the same role's own turns: lines are of any loudness."""
    held, known = [], False
    for turn in _looked_at(condition, call):
        usual = call.usual_loudness.get(turn.role)
        if usual is None or turn.loudness_db is None:
            continue
        known, beyond = True, turn.loudness_db - usual
        if beyond >= (condition.louder_db or inf) or -beyond >= (condition.quieter_db or inf):
            held.append(turn)
    return _of(held) if known else ConditionOutcome(None)


def _silence(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    assert condition.silence_s
    wanted = {turn.at for turn in _looked_at(condition, call)}
    until, proofs, turns = 0, list[RuleProof](), list[int]()
    for turn in call.turns:
        if turn.at in wanted and turn.start_ms - until >= condition.silence_s * 1000 and turn.at:
            proofs.append(RuleProof(turn.id, until, turn.start_ms, ""))
            turns.append(turn.at)
        until = max(until, turn.end_ms)
    if condition.role == "anybody" and call.duration_ms - until >= condition.silence_s * 1000:
        last = call.turns[-1].id if call.turns else ""
        proofs.append(RuleProof(last, until, call.duration_ms, ""))
    return ConditionOutcome(bool(proofs), tuple(proofs[:MOST_EVIDENCE]), tuple(turns))


def _interrupts(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    assert condition.interrupts_ms
    held, before = [], dict[LegRole, HeardTurn]()
    wanted = {turn.at for turn in _looked_at(condition, call)}
    for turn in call.turns:
        others = [each for role, each in before.items() if role is not turn.role]
        over = max((each.end_ms - turn.start_ms for each in others), default=0)
        if turn.at in wanted and over >= condition.interrupts_ms and turn.end_ms > turn.start_ms:
            held.append(turn)
        before[turn.role] = turn
    return _of(held)


def _mood(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    least = LEVELS.index(condition.level)
    return _of(
        turn
        for turn in _looked_at(condition, call)
        if turn.emotion in condition.mood and turn.level and LEVELS.index(turn.level) >= least
    )


def _of(turns: Iterable[HeardTurn]) -> ConditionOutcome:
    held = list(turns)
    proofs = tuple(_proof(turn) for turn in held[:MOST_EVIDENCE])
    return ConditionOutcome(bool(held), proofs, tuple(turn.at for turn in held))


# --- the call as a whole


def _overlap(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    return ConditionOutcome(call.overlap_ms >= (condition.overlap_s or 0) * 1000)


def _hang_up(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    return ConditionOutcome(call.hang_up == condition.hang_up if call.hang_up else None)


def _longer(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    return ConditionOutcome(call.duration_ms > (condition.longer_s or 0) * 1000)


def _shorter(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    return ConditionOutcome(call.duration_ms < (condition.shorter_s or 0) * 1000)


def _lacks(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    if call.lacks is None:
        return ConditionOutcome(None)
    return ConditionOutcome(any(each.value in call.lacks for each in condition.lacks))


def _channel(condition: Condition, call: InspectedCall) -> ConditionOutcome:
    return ConditionOutcome(call.channel in condition.channel)


_OPERATORS: dict[str, Callable[[Condition, InspectedCall], ConditionOutcome]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "say": _say,
    "matches": _matches,
    "like": _like,
    "silence_s": _silence,
    "faster_than": _pace,
    "slower_than": _pace,
    "louder_db": _loudness,
    "quieter_db": _loudness,
    "interrupts_ms": _interrupts,
    "overlap_s": _overlap,
    "mood": _mood,
    "hang_up": _hang_up,
    "longer_s": _longer,
    "shorter_s": _shorter,
    "lacks": _lacks,
    "channel": _channel,
}
