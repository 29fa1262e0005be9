"""The pack in use: switched when its folder is sealed anew, under running calls."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from pathlib import Path

from appliance.assist.city import pack as packs
from appliance.assist.city import seal
from appliance.assist.city.pack import CityPack
from appliance.assist.orders.filler import Filler
from appliance.errors import LingtingError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0


class CurrentCity:
    """`start` and `close` it; `filler` is never half of one pack and half of another.

    Args:
        folder: a pack's, or a link to one.
        cache: folder for what takes seconds to make of a pack.
    """

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        self._folder, self._cache = folder, cache
        self._seen = _sign(folder)
        self.filler = _filler(*self._seen, cache)
        self._looking: asyncio.Task[None] | None = None

    @property
    def pack(self) -> CityPack:
        return self.filler.pack

    async def start(self) -> None:
        self._looking = asyncio.create_task(self._look(), name="city-pack")

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception:  # the pack in use goes on
                log.exception("looking at the city pack met a bug")

    async def look(self) -> bool:
        """Take a pack that was sealed since; whether it was taken. One with faults is not."""
        sign = await asyncio.to_thread(_sign, self._folder)
        if sign == self._seen:
            return False
        self._seen = sign
        try:
            filler = await asyncio.to_thread(_filler, *sign, self._cache)
        except LingtingError as error:
            log.error("the city pack %s stays in use: %s", self.pack.version, error)
            return False
        before, self.filler = self.pack.version, filler
        log.warning("the city pack is now %s, before it was %s", self.pack.version, before)
        return True


@lru_cache(2)  # gateways of one process, and the way back
def _filler(folder: str, sealed_at: int, cache: Path | None) -> Filler:
    return Filler(packs.load(Path(folder)), cache)


def _sign(folder: Path) -> tuple[str, int]:
    """Changes when a pack is sealed anew, or the link leads elsewhere."""
    real = folder.resolve()
    try:
        return str(real), (real / seal.FILE).stat().st_mtime_ns
    except OSError:
        return str(real), 0
