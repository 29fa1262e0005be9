"""The gateways that share a database: which of them live, and which do not any more.

Each counts upwards in its row. One whose count has stood still for long enough is dead, by the
watch of another that could read all the while: no clocks are compared, and a database that was away
makes nobody dead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from appliance.store.database import Database, clock
from appliance.store.locking import one_at_a_time
from appliance.store.schema import gateways

BEAT_S = 1.0
DEAD_AFTER_S = 10.0
LONGEST_GAP_S = 3 * BEAT_S  # between two looks; after a longer one all are watched anew


@dataclass(frozen=True, slots=True)
class Member:
    """A gateway as its row says."""

    id: str
    version: str
    audio: str  # names the folder of its audio
    master: str  # names its master key
    beats: int
    joined_at: float  # s since 1970, by the database's clock


Check = Callable[[Sequence[Member]], None]


class Gateways:
    """As one of them sees it: `join`, then `beat` and `look` every BEAT_S, in the end `leave`.

    Args:
        me: the id of this one; the same after a restart.
        version: of its release.
    """

    def __init__(
        self,
        database: Database,
        me: str,
        version: str,
        watch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self.me, self._version, self._watch = database, me, version, watch
        self._audio = self._master = ""
        self._check: Check = lambda others: None
        self._seen: dict[str, tuple[int, float]] = {}  # beats, and since when they stand there
        self._looked_at = watch()

    async def join(
        self, audio: str = "", master: str = "", check: Check = lambda others: None
    ) -> None:
        """From now on it lives.

        Args:
            audio: what is written in the folder of its audio.
            master: what its master key is known by.
            check: raises if it must not join those others; they are as it sees them, until it has.
        """
        self._audio, self._master, self._check = audio, master, check
        await self._database.write(self._enter)

    def _enter(self, connection: Connection) -> None:
        one_at_a_time(connection, "lingting gateways")
        self._check([each for each in _members(connection) if each.id != self.me])
        connection.execute(delete(gateways).where(gateways.c.id == self.me))
        row = {
            "id": self.me,
            "version": self._version,
            "audio": self._audio,
            "master": self._master,
            "beats": 0,
            "joined_at": clock(connection),
        }
        connection.execute(insert(gateways).values(row))

    async def beat(self) -> bool:
        """Say that it lives; False if it was taken for dead meanwhile: then it joins again, and is
        checked as before."""
        mine = gateways.c.id == self.me
        change = update(gateways).where(mine).values(beats=gateways.c.beats + 1)

        def work(connection: Connection) -> bool:
            known = bool(connection.execute(change).rowcount)
            if not known:
                self._enter(connection)
            return known

        return await self._database.write(work)

    async def all(self) -> list[Member]:
        """Those that have joined, the oldest first."""
        return await self._database.read(_members)

    async def others(self) -> list[Member]:
        """All but this one."""
        return [each for each in await self.all() if each.id != self.me]

    async def outlive(self) -> list[str]:
        """Watch the others for as long as it takes to see which are dead."""
        dead = await self.look()
        for _ in range(round(DEAD_AFTER_S / BEAT_S) + 2):
            await asyncio.sleep(BEAT_S)
            dead = await self.look()
        return dead

    async def look(self) -> list[str]:
        """The others that are dead by now."""
        others = await self.others()
        now = self._watch()
        blind = now - self._looked_at > LONGEST_GAP_S
        self._looked_at = now
        before = {} if blind else self._seen
        self._seen = {}
        for each in others:
            beats, since = before.get(each.id, (each.beats, now))
            self._seen[each.id] = (each.beats, since if beats == each.beats else now)
        return [name for name, (_, since) in self._seen.items() if now - since > DEAD_AFTER_S]

    async def bury(self, dead: Iterable[str]) -> None:
        """They are no more: what they were at is anybody's."""
        gone = delete(gateways).where(gateways.c.id.in_(list(dead)))
        await self._database.write(lambda connection: connection.execute(gone))

    async def leave(self) -> None:
        await self.bury([self.me])


def _members(connection: Connection) -> list[Member]:
    rows = connection.execute(select(gateways).order_by(gateways.c.joined_at))
    return [Member(**row._mapping) for row in rows]
