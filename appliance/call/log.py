"""One call's events: what lasts is journalled, then told; what is for the moment is shown.

Any number of readers, each with a cursor of its own. What was said is kept for as long as the call
runs anyway, so a reader that stops costs nothing, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from appliance.messages import AudioProgress, Final, Lasting, NumberedEvent, Partial
from appliance.news import News

# Events one after the other, the first with that sequence; never raises.
Journal = Callable[[int, Sequence[Lasting]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event, and what it was derived by."""

    event: Lasting
    by: str = ""  # a subscriber; empty: the call itself
    depth: int = 0  # how many derivations it took


class EventLog:
    """Many writers, many readers.

    Args:
        journal: each event is written by it before it is told.
    """

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._writing = asyncio.Lock()  # the journal is in the order of publication
        self._arriving: list[LogEntry] = []  # while others are written
        self._putting: set[asyncio.Future[None]] = set()
        self.entries: list[LogEntry] = []  # entry n has sequence n + 1
        self._partials: dict[int, tuple[int, Partial]] = {}  # by leg, with the moment of each
        self._done: dict[int, int] = {}  # the newest utterance with a final, by leg
        self._moment = 0  # counts the partials shown
        self._audio_ms = 0
        self._news, self._progress = News(), News()  # the second tells of audio taken in, too
        self.closed = False
        self.error: BaseException | None = None  # that ended it

    @property
    def sequence(self) -> int:
        """Of the last event that lasts; 0: there is none yet."""
        return len(self.entries)

    @property
    def version(self) -> tuple[int, int]:
        """Changes with everything that happens."""
        return len(self.entries), self._moment

    def events(self) -> list[Lasting]:
        return [entry.event for entry in self.entries]

    async def put(self, event: Lasting, by: str = "", depth: int = 0) -> None:
        """Journal an event and tell it, both whatever becomes of who tells it; nothing once the log
        is closed: the record that is made of it is the last word."""
        putting = asyncio.ensure_future(self._put(event, by, depth))
        self._putting.add(putting)
        putting.add_done_callback(self._putting.discard)
        await asyncio.shield(putting)

    async def _put(self, event: Lasting, by: str, depth: int) -> None:
        """Whoever comes to write first writes all that have gathered: one fsync serves them."""
        mine = LogEntry(event, by, depth)
        self._arriving.append(mine)
        async with self._writing:
            if all(entry is not mine for entry in self._arriving):
                return  # another has
            await asyncio.sleep(0)  # what others tell of the same event comes along
            gathered, self._arriving = self._arriving, []
            if self.closed:
                return
            if self._journal:
                await self._journal(len(self.entries) + 1, [entry.event for entry in gathered])
            self.entries += gathered
        for entry in gathered:
            if isinstance(entry.event, Final):
                self._done[entry.event.leg] = entry.event.utterance
                self._outdate(entry.event.leg)
        self._tell()

    def show(self, partial: Partial) -> None:
        """In the place of the one before of its leg; seen by who looks meanwhile."""
        self._moment += 1
        self._partials[partial.leg] = self._moment, partial
        self._outdate(partial.leg)
        self._tell()

    def _outdate(self, leg: int) -> None:
        """A partial says nothing any more once there is a final."""
        _, partial = self._partials.get(leg, (0, None))
        if partial and partial.utterance <= self._done.get(leg, -1):
            del self._partials[leg]

    def heard(self, audio_ms: int) -> None:
        """So much audio was taken in so far."""
        self._audio_ms = audio_ms
        self._progress.tell()

    def _tell(self) -> None:
        self._news.tell()
        self._progress.tell()

    def partials(self) -> list[Partial]:
        """Of utterances that have no final yet."""
        return [partial for _, partial in self._partials.values()]

    def close(self, error: BaseException | None = None) -> None:
        """No more events come; safe to call twice."""
        if not self.closed:
            self.closed, self.error = True, error
        self._tell()

    async def follow(
        self, after: int = 0, *, partials: bool = True, progress: bool = False
    ) -> AsyncIterator[NumberedEvent]:
        """Events above `after`, then as they come, until the log is closed.

        Args:
            partials: those that are shown now, and as they are shown.
            progress: how much audio was taken in, too.
        """
        sequence, moment, audio_ms = after, 0, 0
        news = self._progress if progress else self._news
        while True:
            while sequence < len(self.entries):
                sequence += 1
                yield NumberedEvent(sequence, self.entries[sequence - 1].event)
            fresh = [p for at, p in sorted(self._partials.values(), key=_moment) if at > moment]
            moment = self._moment
            for partial in fresh if partials else ():
                yield NumberedEvent(sequence, partial)
            if progress and self._audio_ms > audio_ms:
                audio_ms = self._audio_ms
                yield NumberedEvent(sequence, AudioProgress(audio_ms))
            behind = progress and audio_ms < self._audio_ms
            if sequence < len(self.entries) or moment < self._moment or behind:
                continue
            if self.closed:
                return
            await news.wait()


def _moment(shown: tuple[int, Partial]) -> int:
    return shown[0]
