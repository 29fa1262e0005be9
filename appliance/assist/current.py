"""The pack in use: switched when its folder is sealed anew, under running calls."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from appliance.assist.city import known, seal
from appliance.assist.city import pack as packs
from appliance.assist.city.known import Models
from appliance.assist.city.pack import CityPack
from appliance.assist.orders.filler import Filler
from appliance.engine.process import leash
from appliance.errors import LingtingError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0


class CurrentCity:
    """`start` and `close` it; `filler` is never half of one pack and half of another.

    A pack that was not used before is learned first, which takes a minute: the first is used
    meanwhile without what it teaches, a later one when it is learned.

    Args:
        folder: a pack's, or a link to one.
        cache: folder for what is learned of packs.
        taking: called with a later pack, in a thread, before it is used; one that it refuses is
            not.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path | None = None,
        taking: Callable[[CityPack], None] = lambda _: None,
    ) -> None:
        self._folder, self._cache, self._taking = folder, cache, taking
        self._seen = _sign(folder)
        self.filler = _filler(*self._seen, cache)
        self._learned = asyncio.Event()
        if self.filler.models:
            self._learned.set()
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

    async def learned(self) -> Filler:
        """With all that the pack teaches, once it is learned."""
        await self._learned.wait()
        return self.filler

    async def _look(self) -> None:
        self.filler = await self._taught(self.filler)
        self._learned.set()
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
            filler = await self._taught(filler)
            if filler.models is None:
                return False  # the log says why
            await asyncio.to_thread(self._taking, filler.pack)
        except LingtingError as error:
            log.error("the city pack %s stays in use: %s", self.pack.version, error)
            return False
        before, self.filler = self.pack.version, filler
        log.warning("the city pack is now %s, before it was %s", self.pack.version, before)
        return True

    async def _taught(self, filler: Filler) -> Filler:
        if filler.models:
            return filler
        begun = time.monotonic()
        log.info("learning the city pack %s", filler.pack.version)
        models = await _models(filler.pack, self._cache)
        log.info("learned the city pack in %.0f s", time.monotonic() - begun)
        return filler.learned(models) if models else filler


async def _models(pack: CityPack, cache: Path | None) -> Models | None:
    """By a process of its own, never by this one; None: it failed, and the log says why."""
    with tempfile.TemporaryDirectory(prefix="lingting-city-") as scratch:
        folder = cache or Path(scratch)
        try:
            process = await asyncio.create_subprocess_exec(
                *leash("learn a city pack"),
                *(sys.executable, "-m", known.__name__, str(pack.folder), str(folder)),
            )
            await _ended(process)
            if found := await asyncio.to_thread(known.kept_of, pack, folder):
                return found
            cause = f"learning ended with {process.returncode}, and nothing is kept in {folder}"
        except (LingtingError, OSError) as error:
            cause = str(error)
    log.error("orders have no category, the city pack was not learned: %s", cause)
    return None


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


@lru_cache(2)  # gateways of one process, and the way back
def _filler(folder: str, sealed_at: int, cache: Path | None) -> Filler:
    pack = packs.load(Path(folder))
    if warning := pack.calendar.warning(datetime.now(UTC)):
        log.warning("the city pack %s: %s", pack.version, warning)
    return Filler(pack, known.kept_of(pack, cache))


def _sign(folder: Path) -> tuple[str, int]:
    """Changes when a pack is sealed anew, or the link leads elsewhere."""
    real = folder.resolve()
    try:
        return str(real), (real / seal.FILE).stat().st_mtime_ns
    except OSError:
        return str(real), 0
