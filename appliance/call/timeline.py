"""Who speaks when on one leg, made to be asked word by word."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from appliance.messages import SpeakerTurn

UNKNOWN_SPEAKER = -1


class Timeline:
    """Turns of a leg in order of their start; an answer costs a search, not a look at each."""

    def __init__(self, turns: Iterable[SpeakerTurn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start_ms)
        self._starts = [turn.start_ms for turn in self._turns]
        # Index of the turn that ends last, of all up to here.
        self._latest = list(accumulate(range(len(self._turns)), self._later))

    def _later(self, one: int, other: int) -> int:
        return other if self._turns[other].end_ms >= self._turns[one].end_ms else one

    def overlapping(self, start_ms: int, end_ms: int) -> Iterator[tuple[SpeakerTurn, int]]:
        """The turns that share time with a span, and how much, ms; the latest first."""
        at = bisect_left(self._starts, end_ms) - 1  # the last that begins before its end
        while at >= 0 and self._turns[self._latest[at]].end_ms > start_ms:
            if time_ms := overlap_ms(start_ms, end_ms, self._turns[at]):
                yield self._turns[at], time_ms
            at -= 1

    def speaker_of(self, start_ms: int, end_ms: int) -> int:
        """Who speaks most of a span, else who speaks nearest to it; UNKNOWN_SPEAKER if nobody."""
        if not self._turns:
            return UNKNOWN_SPEAKER
        after = bisect_left(self._starts, end_ms)  # first turn that begins behind the span
        shared: dict[int, int] = {}
        for turn, time_ms in self.overlapping(start_ms, end_ms):
            shared[turn.speaker] = shared.get(turn.speaker, 0) + time_ms
        if shared:
            return max(shared, key=lambda speaker: shared[speaker])
        near = [self._latest[after - 1]] if after else []
        near += [after] if after < len(self._turns) else []
        middle = (start_ms + end_ms) // 2
        return self._turns[min(near, key=lambda n: self._distance_ms(n, middle))].speaker

    def _distance_ms(self, number: int, moment_ms: int) -> int:
        turn = self._turns[number]
        return max(turn.start_ms - moment_ms, moment_ms - turn.end_ms)


def overlap_ms(start_ms: int, end_ms: int, turn: SpeakerTurn) -> int:
    """Time that a span and a turn share, ms."""
    return max(0, min(end_ms, turn.end_ms) - max(start_ms, turn.start_ms))
