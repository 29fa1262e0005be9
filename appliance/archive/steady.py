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
    """Nothing is to be deleted for its age while `believed` is False.

    Args:
        newest: when the newest thing that is kept was made, s since 1970; None if nothing is.
    """

    def __init__(
        self, newest: float | None, wall: Clock = time.time, monotonic: Clock = time.monotonic
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
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
        self._believed_from = self._monotonic() + GRACE_S
        log.error(words + "; nothing is deleted for a day: is its time right?", seconds / 86_400)
