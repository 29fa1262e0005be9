"""What the gateways of one database tell each other at once: PostgreSQL's LISTEN and NOTIFY.

A notice may be lost, with the server or in a full queue: it only hastens what is in the database
anyway, or is gone in a moment, and the others are told that some were. Of a database in a file
there is one gateway, and nothing to tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from appliance.store.database import AWAY

if TYPE_CHECKING:
    from psycopg import AsyncConnection

log = logging.getLogger(__name__)

CHANNEL = "lingting"
MISSED = "missed"  # a notice: others were lost on their way
MOST_WAITING = 1000  # notices not told yet
MOST_BYTES = 7900  # of one: the server takes no 8000
AGAIN_S = 1.0  # after the server was lost
CLOSE_S = 1.0

Fields = dict[str, Any]
Hear = Callable[[Fields], None]


class Notices:
    """`start` and `close` it; `tell` the others, `on` hears them.

    Args:
        url: of the database, SQLAlchemy's.
    """

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.shared = self._url.get_backend_name() == "postgresql"
        self._heard: dict[str, list[Hear]] = {MISSED: [lambda _: self.look()]}
        self._missed: list[Callable[[], None]] = []
        self._lost = False  # some of ours, since we last said so
        self._waiting: asyncio.Queue[Fields] = asyncio.Queue(MOST_WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self._me = ""

    def on(self, kind: str, hear: Hear) -> None:
        """Have each notice of a kind from another gateway heard; `hear` must not wait or raise."""
        self._heard.setdefault(kind, []).append(hear)

    def when_missed(self, look: Callable[[], None]) -> None:
        """Have it called whenever notices may have been missed."""
        self._missed.append(look)

    def tell(self, kind: str, **fields: Any) -> None:
        """Tell the other gateways, sooner or later; nothing waits for it."""
        if not self.shared:
            return
        try:
            self._waiting.put_nowait({"kind": kind, **fields})
        except asyncio.QueueFull:
            self._lost = True

    async def start(self, me: str) -> None:
        """`me`: the id of this gateway, which does not hear itself."""
        self._me = me
        if self.shared:
            self._tasks = [
                asyncio.create_task(self._always(self._listen), name="notices-heard"),
                asyncio.create_task(self._always(self._send), name="notices-told"),
            ]

    async def close(self) -> None:
        """What waits is told first, if that can be done soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S if self._tasks else 0):
                while not self._waiting.empty():
                    await asyncio.sleep(CLOSE_S / 50)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _always(self, work: Callable[[AsyncConnection], Any]) -> None:
        import psycopg  # only where there is a server

        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(url, autocommit=True, **AWAY)
                async with connection:
                    await work(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("gateways tell each other nothing for now: %s", error)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, connection: AsyncConnection) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self.look()
        async for notice in connection.notifies():
            self._hear(notice.payload)

    def look(self) -> None:
        """Notices may have been missed."""
        for look in self._missed:
            look()

    def _hear(self, payload: str) -> None:
        try:
            fields = json.loads(payload)
            if fields.pop("from") == self._me:
                return
            for hear in self._heard.get(fields.pop("kind"), []):
                hear(fields)
        except Exception:  # of another version, say
            log.exception("a notice of another gateway is not understood")

    async def _send(self, connection: AsyncConnection) -> None:
        while True:
            if self._lost:
                self._lost, notice = False, {"kind": MISSED}
            else:
                notice = await self._waiting.get()
            payload = json.dumps({**notice, "from": self._me})
            if len(payload) > MOST_BYTES:
                continue  # a partial: another comes
            try:
                await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            except BaseException:
                self._lost = True
                raise
