"""Can the wall clock be believed? What a wrong one says is too old may be of yesterday."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

JUMP_S = 3600.0  # a larger step is no correction of a clock that runs
LONGEST_OFF_S = 7 * 86_400.0  # without a call, before a box wonders whether its clock is right
GRACE_S = 86_400.0  # for somebody to set it right

Clock = Callable[[], float]


class SteadyClock:
    """Nothing is to be done for its age while `believed` is False.

    Args:
        newest: when the newest thing that is kept was made, s since 1970; None if nothing is.
        grace_s: how long one that has jumped is doubted.
        waits: what waits meanwhile, for the log.
    """

    def __init__(
        self,
        newest: float | None,
        wall: Clock = time.time,
        monotonic: Clock = time.monotonic,
        *,
        grace_s: float = GRACE_S,
        waits: str = "nothing is deleted",
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._grace_s, self._waits = grace_s, waits
        self._offset = wall() - monotonic()
        self._believed_from = 0.0  # monotonic
        if newest is not None and wall() - newest > LONGEST_OFF_S:
            self._doubt("nothing was kept for %.0f days before this start", wall() - newest)

    def believed(self) -> bool:
        """Look at both clocks; to be called often."""
        offset = self._wall() - self._monotonic()
        jump = offset - self._offset
        if abs(jump) > JUMP_S:
            self._offset = offset
            self._doubt("the clock has jumped by %.1f days", jump)
        return self._monotonic() >= self._believed_from

    def _doubt(self, words: str, seconds: float) -> None:
        self._believed_from = self._monotonic() + self._grace_s
        told = (seconds / 86_400, self._waits, self._grace_s / 60)
        log.error(words + "; %s for %.0f minutes: is its time right?", *told)
