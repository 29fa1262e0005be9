"""How many contacts are usual in a cell: of a category, in a place, at that time of the week.

A cell's own past says little where it is rare: it is drawn towards what its category's share of
all and its place's share of all would make of it (gamma-Poisson shrinkage). The past fades. Hours
and kinds of day are learned for the whole city, by the head of the category.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta

CHINA = timedelta(hours=8)
HOUR_S, DAY_S = 3600.0, 86_400.0
HALF_LIFE_DAYS = 28.0  # of the past
MEAN_LIFE_DAYS = HALF_LIFE_DAYS / 0.6931
PRIOR_DAYS = 20.0  # that what the shares say weighs, against the cell's own past
HEAD = 2  # digits of a category whose hours are its own
PRIOR = 480.0  # contacts of an even day, before hours are learned
BACK_H = 24 * 8  # hours that are remembered
FORGOTTEN = 0.25  # contacts of a cell, faded: two half-lives after its only one
LONGEST_S = 500 * HALF_LIFE_DAYS * DAY_S  # that anything fades for
CATCH_UP_H = 24 * 40  # hours without a contact that are gone through one by one

Cell = tuple[str, str]  # a category or its head, and a place or one above it; empty: all of them
KindOfDay = Callable[[datetime], int]


def by_weekday(day: datetime) -> int:
    """0 a working day, 1 Saturday or Sunday. A city's calendar knows holidays as well."""
    return int(day.weekday() >= 5)


class Expected:
    """Learns from contacts in the order of time; `within` tells what is usual."""

    def __init__(self, kind_of_day: KindOfDay = by_weekday) -> None:
        self._kind_of_day = kind_of_day
        # Counts as of `_began`: a later contact weighs more, so that none has to be faded.
        self._cells: dict[Cell, float] = {}
        self._began = self._now = 0.0
        self._first: dict[str, float] = {}  # when each category was first met
        self._counts: dict[str, dict[tuple[int, int], float]] = {"": {}}  # by head, kind, hour
        self._kinds: dict[tuple[str, int], float] = {}
        self._hour = 0  # since 1970, the last that `_passed` knows
        # Of a usual day's contacts, those that passed up to each hour; by head.
        self._passed: dict[str, list[float]] = {"": [0.0]}

    @property
    def total(self) -> float:
        """Contacts, faded as of the last."""
        return self._cells.get(("", ""), 0.0) * _faded(self._now - self._began)

    @property
    def past_days(self) -> float:
        """Of how many days the faded counts are."""
        return self._past_days(self._began)

    def _past_days(self, since: float) -> float:
        return max(1.0, MEAN_LIFE_DAYS * (1 - _faded(self._now - since)))

    def learn(self, cells: Sequence[Cell], category: str, at: float) -> None:
        """A contact that belongs to `cells`."""
        self._began = self._began or at
        self._now = max(self._now, at)
        weight = 1 / _faded(at - self._began)
        for cell in (*cells, ("", "")):
            self._cells[cell] = self._cells.get(cell, 0.0) + weight
        self._pass_to(int(at // HOUR_S))
        slot = self._slot(int(at // HOUR_S))
        for known, _ in cells:
            self._first.setdefault(known, at)
        for head in {"", category[:HEAD]}:
            hours = self._counts.setdefault(head, {})
            hours[slot] = hours.get(slot, 0.0) + 1
            self._kinds[head, slot[0]] = self._kinds.get((head, slot[0]), 0.0) + 1

    def known_days(self, at: float) -> float:
        """How long before that moment the first contact was."""
        return max(0.0, at - self._began) / DAY_S if self._began else 0.0

    def without(self, some: Iterable[tuple[Iterable[Cell], float]]) -> Expected:
        """Another, as if those had not been learned: of cells, and of moments. Hours stay."""
        other = copy(self)
        for name in ("_cells", "_first", "_kinds"):
            setattr(other, name, dict(getattr(self, name)))
        other._counts = {head: dict(hours) for head, hours in self._counts.items()}
        other._passed = {head: list(days) for head, days in self._passed.items()}
        for cells, at in some:
            for cell in (*cells, ("", "")):
                left = other._cells.get(cell, 0.0) - 1 / _faded(at - self._began)
                other._cells[cell] = max(0.0, left)
        return other

    def daily(self, cell: Cell, at: float) -> float:
        """Contacts of a day: the cell's own past, and what the shares of its parts make of it."""
        category, place = cell
        # One that was first met two days ago has a past of two days: it may be another's new name.
        days, get = self._past_days(self._first.get(category, self._began)), self._cells.get
        faded = _faded(max(at, self._now) - self._began)
        own, whole = get(cell, 0.0) * faded, get(("", ""), 0.0) * faded
        of_category, of_place = get((category, ""), 0.0) * faded, get(("", place), 0.0) * faded
        usual = (of_category + 1) * (of_place + 1) / (whole + 1) / days
        return (own + PRIOR_DAYS * usual) / (days + PRIOR_DAYS)

    def within(self, cell: Cell, begin: float, end: float) -> float:
        """Contacts between two moments, the later not before the last that was learned."""
        self._pass_to(int(end // HOUR_S))
        head = cell[0][:HEAD] if cell[0][:HEAD] in self._passed else ""
        days = self._passed_at(head, end) - self._passed_at(head, begin)
        return self.daily(cell, begin) * max(days, 0.0)

    def ahead(self, cell: Cell, begin: float, end: float) -> float:
        """What is to come between two moments, none of them past."""
        head = cell[0][:HEAD] if cell[0][:HEAD] in self._counts else ""
        days, at = 0.0, begin
        while at < end:
            until = min(end, (at // HOUR_S + 1) * HOUR_S)
            days += self._share(head, self._slot(int(at // HOUR_S))) * (until - at) / HOUR_S
            at = until
        return self.daily(cell, begin) * days

    def forget(self) -> None:
        """Cells of which next to nothing is left."""
        least = FORGOTTEN / _faded(self._now - self._began)
        self._cells = {cell: count for cell, count in self._cells.items() if count >= least}

    def _slot(self, hour: int) -> tuple[int, int]:
        moment = datetime.fromtimestamp(hour * HOUR_S, UTC) + CHINA
        return self._kind_of_day(moment), moment.hour

    def _share(self, head: str, slot: tuple[int, int]) -> float:
        """Of a day's contacts, those of that hour; drawn to an even day where few are known."""
        here = self._counts.get(head, {}).get(slot, 0.0)
        return (here + PRIOR / 24) / (self._kinds.get((head, slot[0]), 0.0) + PRIOR)

    def _pass_to(self, hour: int) -> None:
        if not self._hour:
            self._hour = hour
        if hour <= self._hour:
            return
        for each in range(max(self._hour, hour - CATCH_UP_H), hour):
            slot = self._slot(each)
            for head in self._counts:
                passed = self._passed.setdefault(head, [0.0] * len(self._passed[""]))
                passed.append(passed[-1] + self._share(head, slot))
                del passed[:-BACK_H]
        self._hour = hour

    def _passed_at(self, head: str, at: float) -> float:
        """Days of usual contacts up to a moment, from wherever it is counted."""
        passed = self._passed[head]
        hour, part = divmod(at, HOUR_S)
        back = self._hour - int(hour)
        if back <= 0:
            return passed[-1] + self._share(head, self._slot(self._hour)) * part / HOUR_S
        if back >= len(passed):
            return passed[0] - (back - len(passed) + 1 - part / HOUR_S) / 24
        return passed[-1 - back] + (passed[-back] - passed[-1 - back]) * part / HOUR_S


def _faded(seconds: float) -> float:
    """Of a moment beyond LONGEST_S, as of that: a wrong clock makes no number too large."""
    held = max(-LONGEST_S, min(LONGEST_S, seconds))
    return float(2 ** (-held / DAY_S / HALF_LIFE_DAYS))
