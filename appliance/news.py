"""Something has happened: wakes whoever waits, and makes nobody wait."""

from __future__ import annotations

import asyncio


class News:
    """Who waits looks for itself what is new. `count` is of what has happened so far."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[asyncio.Future[None]] = []

    def tell(self) -> None:
        self.count += 1
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def wait(self, seen: int | None = None) -> None:
        """Until there is more than what was `seen`; None: than what there is now."""
        if seen is not None and seen != self.count:
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            await mine
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
