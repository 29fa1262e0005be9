"""A call's journal: its lasting events, sealed in the store."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.feed import kinds
from appliance.messages import Lasting
from appliance.store.calls import Calls
from appliance.store.database import Also

PAGE = 1000  # events read at once


class Journal:
    """Of all calls."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def append(self, call_id: str, sequence: int, event: Lasting) -> None:
        """It is on the disk when this returns."""
        await self._calls.append(call_id, sequence, kinds.pack(event))

    async def rewriting(self, call_id: str, events: Sequence[Lasting]) -> Also:
        """For `Calls.finish`: the whole journal of a call at once."""
        return await self._calls.journalling(call_id, [kinds.pack(event) for event in events])

    async def read(
        self, call_id: str, after: int = 0, limit: int = PAGE
    ) -> list[tuple[int, Lasting]]:
        """Events with a sequence number above `after`, in order; damaged ones are left out."""
        return await self._calls.journal(call_id, kinds.unpack, after, limit)
