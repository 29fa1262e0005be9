"""Rules that are told while a call runs: each once, and never before its time has passed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from appliance.assist.quality.dialogue import HeardTurn, InspectedCall, dialogue_of
from appliance.assist.quality.evaluation import ConditionOutcome, RuleProof, evaluate
from appliance.assist.quality.rule import QualityRule, RuleFailed
from appliance.assist.quality.settled import silences_s, stays_away
from appliance.feed.kinds.quality import QualityHint
from appliance.feed.subscriber import FollowedCall
from appliance.messages import (
    CallRecord,
    EmotionEstimate,
    Final,
    Lasting,
    LegRole,
    NumberedEvent,
)

log = logging.getLogger(__name__)

RECENT = 64  # turns that are looked at
LEEWAY_S = 0.05  # over the silence that a rule asks for


@dataclass(frozen=True, slots=True)
class LiveOutcome:
    """What a rule says of a call so far: a hint, or that it will say nothing whatever comes."""

    hint: QualityHint | None = None
    is_over: bool = False


NOTHING_YET, NOTHING_EVER = LiveOutcome(), LiveOutcome(is_over=True)


def asked(rule: QualityRule, call: InspectedCall) -> LiveOutcome:
    """One live rule. What is violated may be told once nothing can undo it, or, of a rule with
    `grace_s`, once so long has passed since its scope held."""
    found = evaluate(rule.violated, call)
    if found.holds is False and stays_away(rule.violated):
        return NOTHING_EVER
    if not found.holds:
        return NOTHING_YET
    scope = evaluate(rule.scope, call) if rule.scope else ConditionOutcome(True)
    if not scope.holds:
        return NOTHING_YET
    since_ms = min((proof.end_ms for proof in scope.proofs), default=0)
    if rule.grace_s and call.duration_ms - since_ms < rule.grace_s * 1000:
        return NOTHING_YET
    last = next((turn.id for turn in reversed(call.turns) if turn.id), "")
    proof = next(iter((*found.proofs, *scope.proofs)), RuleProof("", 0, call.duration_ms, ""))
    of = (proof.utterance or last, proof.start_ms, proof.words, rule.advice)
    return LiveOutcome(QualityHint(rule.id, rule.name, rule.severity, *of))


def so_far(record: CallRecord, quiet_s: float = 0.0) -> InspectedCall:
    """The newest turns; after `quiet_s` without a word, as if the agent began to speak now."""
    heard = dialogue_of(replace(record, utterances=record.utterances[-RECENT:]))
    if not quiet_s or not heard.turns:
        return heard
    now_ms = max(turn.end_ms for turn in heard.turns) + round(quiet_s * 1000)
    silent = HeardTurn(len(heard.turns), "", LegRole.AGENT, "", now_ms, now_ms)
    return replace(heard, turns=(*heard.turns, silent), duration_ms=now_ms)


def moments_s(rules: Sequence[QualityRule]) -> list[float]:
    """After how long without a word the rules have to be asked again, the soonest first."""
    found = {each.grace_s for each in rules if each.grace_s}
    return sorted(found.union(*(silences_s(each.violated) for each in rules)))


class QualityListener:
    """Of one call. At every final and mood, and when nobody speaks for as long as a rule asks."""

    def __init__(
        self,
        call: FollowedCall,
        rules: Callable[[], Sequence[QualityRule]],
        failed: RuleFailed,
        by: str,
    ) -> None:
        """`rules`: those that are live now. `by` is whose events these are."""
        self._call, self._rules, self._failed, self._by = call, rules, failed, by
        self._done: set[str] = set()  # rules that were told, or cannot be violated any more
        self._quiet: asyncio.Task[None] | None = None

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        if not isinstance(told.event, Final | EmotionEstimate) or not self._left():
            return ()
        if isinstance(told.event, Final):
            self.leave()
            self._quiet = asyncio.create_task(self._wait(), name=f"quality-{self._call.id}")
        found = await self._look()
        self._done.update(hint.rule for hint in found)
        return found

    def leave(self) -> None:
        if self._quiet:
            self._quiet.cancel()

    def _left(self) -> list[QualityRule]:
        return [rule for rule in self._rules() if rule.id not in self._done]

    async def _look(self, quiet_s: float = 0.0) -> list[QualityHint]:
        """What was not told before."""
        rules, record = self._left(), self._call.record()
        call = so_far(record, quiet_s)
        known = {each["rule"] for each in record.derived.get("quality", ())}
        found = await asyncio.to_thread(lambda: list(self._asked(rules, call)))
        self._done |= known | {rule.id for rule, outcome in found if outcome.is_over}
        hints = [outcome.hint for _, outcome in found if outcome.hint]
        return [hint for hint in hints if hint.rule not in self._done]

    def _asked(
        self, rules: Sequence[QualityRule], call: InspectedCall
    ) -> Iterator[tuple[QualityRule, LiveOutcome]]:
        for rule in rules:
            try:
                yield rule, asked(rule, call)
            except Exception as error:  # the other rules go on
                self._failed(rule, error)
                yield rule, NOTHING_EVER

    async def _wait(self) -> None:
        """Until somebody speaks."""
        begun, shown = time.monotonic(), self._call.log.version
        for moment_s in moments_s(self._left()):
            await asyncio.sleep(max(0.0, begun + moment_s + LEEWAY_S - time.monotonic()))
            events = self._call.log
            if events.closed or events.partials() or events.version[1] != shown[1]:
                return  # somebody does: the final will tell
            await self._tell(time.monotonic() - begun)

    async def _tell(self, quiet_s: float) -> None:
        try:
            for hint in await self._look(quiet_s):
                self._done.add(hint.rule)
                await self._call.log.put(hint, self._by, 1)
        except Exception:  # nobody waits for this task
            log.exception("live quality rules met a bug in call %s", self._call.id)
