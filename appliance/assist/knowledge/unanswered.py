"""Gaps as they are now: found anew when something has changed, at once where that is quick, else
behind what was found before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from appliance.assist.knowledge.gaps import MOST, Gap, gaps
from appliance.messages import EVERY_TENANT
from appliance.store.asked import AskedQuestions, OpenQuestion

QUICK_S = 1.0  # that somebody is kept waiting for what is newest
Answers = Callable[[OpenQuestion], bool]  # in any thread: whether an entry does, for sure


class UnansweredQuestions:
    """Of one gateway.

    Args:
        sequence: of the last change of what is searched.
    """

    def __init__(
        self, asked: AskedQuestions, answers: Answers, sequence: Callable[[], int]
    ) -> None:
        self._asked, self._answers, self._sequence = asked, answers, sequence
        self._finding = asyncio.Lock()
        self._found: dict[str, list[Gap]] = {EVERY_TENANT: []}
        self._of: tuple[object, ...] | None = None  # what they were found in
        self._took_s = 0.0

    async def gaps(self, tenant: str = EVERY_TENANT) -> list[Gap]:
        """The largest first; of one hotline system its own."""
        if self._of is None or self._took_s < QUICK_S:
            await self.refresh()
        return self._found.get(tenant, [])

    async def refresh(self) -> int:
        """How many gaps there are, of all hotline systems."""
        async with self._finding:
            now = (await self._asked.stamp(), self._sequence())
            if now != self._of:
                open_now = await self._asked.open(MOST)
                begun = time.monotonic()
                self._found = await asyncio.to_thread(self._of_each, open_now)
                self._of, self._took_s = now, time.monotonic() - begun
        return len(self._found[EVERY_TENANT])

    def _of_each(self, asked: Sequence[OpenQuestion]) -> dict[str, list[Gap]]:
        left = [each for each in asked if not self._answers(each)]
        found = {EVERY_TENANT: gaps(left)}
        for tenant in {each.tenant for each in left}:
            found[tenant] = gaps([each for each in left if each.tenant == tenant])
        return found
