"""Live calls as rows of the page. Rendered once for all who see the same; each gets what is new."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from appliance.archive.kept import KeptCall
from appliance.messages import Emotion, Final, Level, Mood, Role

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
    role: Role
    text: str
    is_final: bool
    emotion: Emotion | None
    level: Level | None
    mood_role: Role  # whose mood


def row_of(kept: KeptCall) -> Row:
    said = kept.latest()
    leg = said.leg if said else 0
    mood = _mood(kept)
    return Row(
        id=kept.id,
        name=kept.config.call_id or kept.id,
        system=kept.config.tenant,
        begun_at=kept.started_at,
        leg=leg,
        role=_role(kept, leg),
        text=said.text if said else "",
        is_final=isinstance(said, Final),
        emotion=mood.emotion if mood else None,
        level=mood.level if mood else None,
        mood_role=_role(kept, mood.leg) if mood else Role.UNKNOWN,
    )


def _role(kept: KeptCall, leg: int) -> Role:
    roles = kept.config.leg_roles
    return roles[leg] if leg < len(roles) else Role.UNKNOWN


def _mood(kept: KeptCall) -> Mood | None:
    """The last that was told of the call."""
    moods = (e for e in reversed(kept.events) if isinstance(e, Mood) and e.emotion)
    return next(moods, None)


@dataclass(frozen=True, slots=True)
class News:
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
        live: Callable[[], Iterable[KeptCall]],
        render: Callable[[Row], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live, self._render, self._clock = live, render, clock
        self._version = 0
        self._refreshed_at = float("-inf")
        self._news: dict[str, tuple[int, int]] = {}  # as last rendered, by id
        self._rows: dict[str, tuple[int, int, str]] = {}  # id -> since, changed in, HTML
        self._gone: OrderedDict[str, int] = OrderedDict()  # id -> version
        self._forgot = 0  # version up to which ends are not remembered
        self._hidden = 0

    def since(self, version: int) -> News:
        """What is new since `version`; 0 or an unknown one: everything."""
        self._refresh()
        everything = not self._forgot <= version <= self._version or version == 0
        rows = tuple(
            (everything or since > version, html)
            for since, changed, html in reversed(self._rows.values())
            if everything or changed > version
        )
        gone = () if everything else tuple(i for i, v in self._gone.items() if v > version)
        return News(self._version, everything, rows, gone, self._hidden, len(self._rows))

    def _refresh(self) -> None:
        if self._clock() - self._refreshed_at < REFRESH_S:
            return
        self._refreshed_at = self._clock()
        live = list(self._live())
        shown = {kept.id: kept for kept in live[-MOST_ROWS:]}
        changed = [kept for kept in shown.values() if self._news.get(kept.id) != kept.news]
        gone = [call_id for call_id in self._rows if call_id not in shown]
        hidden = len(live) - len(shown)
        if not changed and not gone and hidden == self._hidden and self._version:
            return
        self._version += 1
        self._hidden = hidden
        for kept in changed:
            if kept.id in self._gone:  # back at the end of a cut list: whoever knew it is confused
                self._forgot = self._version
            since = self._rows[kept.id][0] if kept.id in self._rows else self._version
            self._rows[kept.id] = (since, self._version, self._render(row_of(kept)))
            self._news[kept.id] = kept.news
            self._gone.pop(kept.id, None)
        for call_id in gone:
            del self._rows[call_id], self._news[call_id]
            self._gone[call_id] = self._version
        while len(self._gone) > MOST_GONE:
            self._forgot = self._gone.popitem(last=False)[1]
        self._rows = {call_id: self._rows[call_id] for call_id in shown}  # oldest first
