"""Live calls as rows of the page. Rendered once for all who see the same; each gets what is new."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.messages import (
    Emotion,
    EmotionEstimate,
    Final,
    Lasting,
    LegRole,
    Level,
    NumberedEvent,
)

REFRESH_S = 0.1  # what several pages ask for within this is worked out once
MOST_ROWS = 200
MOST_GONE = 2000  # ends that are remembered; who missed more gets everything anew


@dataclass(frozen=True, slots=True)
class Row:
    """One live call, with the latest line of it."""

    id: str
    name: str  # the caller's own, or the box's
    system: str
    begun_at: float  # s since 1970
    leg: int
    role: LegRole
    text: str
    is_final: bool
    emotion: Emotion | None
    level: Level | None
    mood_role: LegRole  # whose mood
    unsure: bool  # of the newest utterance none could be told


class Lines(Subscriber):
    """Follows live calls for the page: the latest of each."""

    name = "board"
    partials = True

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}  # by call id, oldest first

    def listen(self, call: FollowedCall) -> Listener | None:
        if not call.config.live:
            return None
        line = self._lines[call.id] = Line(call, self._lines)
        return line

    def live(self) -> list[Line]:
        """Oldest first."""
        return list(self._lines.values())


class Line:
    """The latest of one call; its ear in it."""

    def __init__(self, call: FollowedCall, lines: dict[str, Line]) -> None:
        self.call, self._lines = call, lines
        self.news = 0  # changes with everything that happens
        self._final: Final | None = None  # the last with words
        self._mood: EmotionEstimate | None = None  # the last that was told
        self._unsure = False

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        self.news += 1
        if isinstance(told.event, Final) and told.event.text:
            self._final = told.event
        elif isinstance(told.event, EmotionEstimate):
            self._unsure = told.event.emotion is None
            self._mood = self._mood if self._unsure else told.event
        return ()

    def leave(self) -> None:
        self._lines.pop(self.call.id, None)

    def row(self) -> Row:
        partials = self.call.log.partials()
        said = max(partials, key=lambda partial: partial.end_ms) if partials else self._final
        leg, mood, config = said.leg if said else 0, self._mood, self.call.config
        return Row(
            id=self.call.id,
            name=config.call_id or self.call.id,
            system=config.tenant,
            begun_at=self.call.started_at,
            leg=leg,
            role=self._role(leg),
            text=said.text if said else "",
            is_final=isinstance(said, Final),
            emotion=mood.emotion if mood else None,
            level=mood.level if mood else None,
            mood_role=self._role(mood.leg) if mood else LegRole.UNKNOWN,
            unsure=self._unsure,
        )

    def _role(self, leg: int) -> LegRole:
        roles = self.call.config.leg_roles
        return roles[leg] if leg < len(roles) else LegRole.UNKNOWN


@dataclass(frozen=True, slots=True)
class BoardNews:
    """What a page that knows `version` n - 1 needs to know of version n."""

    version: int
    everything: bool  # the rows are all there are
    rows: tuple[tuple[bool, str], ...]  # new to the page?, HTML; newest call first
    gone: tuple[str, ...]  # ids
    hidden: int  # calls beyond MOST_ROWS
    count: int  # rows there are


class Board:
    """The rows of one tenant's calls in one language.

    Args:
        live: all live calls, oldest first.
        render: a row's HTML.
    """

    def __init__(
        self,
        live: Callable[[], Iterable[Line]],
        render: Callable[[Row], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live, self._render, self._clock = live, render, clock
        self._version = 0
        self._refreshed_at = float("-inf")
        self._news: dict[str, int] = {}  # as last rendered, by id
        self._rows: dict[str, tuple[int, int, str]] = {}  # id -> since, changed in, HTML
        self._gone: OrderedDict[str, int] = OrderedDict()  # id -> version
        self._forgot = 0  # version up to which ends are not remembered
        self._hidden = 0

    def since(self, version: int) -> BoardNews:
        """What is new since `version`; 0 or an unknown one: everything."""
        self._refresh()
        everything = not self._forgot <= version <= self._version or version == 0
        rows = tuple(
            (everything or since > version, html)
            for since, changed, html in reversed(self._rows.values())
            if everything or changed > version
        )
        gone = () if everything else tuple(i for i, v in self._gone.items() if v > version)
        return BoardNews(self._version, everything, rows, gone, self._hidden, len(self._rows))

    def _refresh(self) -> None:
        if self._clock() - self._refreshed_at < REFRESH_S:
            return
        self._refreshed_at = self._clock()
        live = list(self._live())
        shown = {line.call.id: line for line in live[-MOST_ROWS:]}
        changed = [line for line in shown.values() if self._news.get(line.call.id) != line.news]
        gone = [call_id for call_id in self._rows if call_id not in shown]
        hidden = len(live) - len(shown)
        if not changed and not gone and hidden == self._hidden and self._version:
            return
        self._version += 1
        self._hidden = hidden
        for line in changed:
            call_id = line.call.id
            if call_id in self._gone:  # back at the end of a cut list: whoever knew it is confused
                self._forgot = self._version
            since = self._rows[call_id][0] if call_id in self._rows else self._version
            self._rows[call_id] = (since, self._version, self._render(line.row()))
            self._news[call_id] = line.news
            self._gone.pop(call_id, None)
        for call_id in gone:
            del self._rows[call_id], self._news[call_id]
            self._gone[call_id] = self._version
        while len(self._gone) > MOST_GONE:
            self._forgot = self._gone.popitem(last=False)[1]
        self._rows = {call_id: self._rows[call_id] for call_id in shown}  # oldest first
