"""Bursts: more contacts in a cell than chance would bring.

Each contact is counted in cells of its category and those above it, in its place and those above.
In windows of half an hour to three days the voices of a cell are held against what is expected: how
surprising they are is told in nats, by Chernoff's bound of a Poisson count's upper tail,
n ln(n/expected) - n + expected. With THRESHOLD a week's tests together are expected to give less
than one false burst, if contacts come independently of each other; a voice counts once, for one
caller's calls do not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from appliance.assist.city.divisions import LEVELS, DivisionLevel, level_of, up_to
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import Cell, Expected

DAY_S = 86_400.0
WINDOWS_S = (1800.0, 7200.0, 28_800.0, 86_400.0, 259_200.0)
LEAST = 5  # voices of a burst
THRESHOLD = 16.0  # nats
SLACK = 1.2  # what seasons and holidays bring beyond what was learned
GROWN = 0.05  # by which a large cell has grown before it is looked at again
LEAST_EXPECTED = 0.01  # whatever is learned, for what has never been
HEAD = 2  # digits of a level of categories
WARM_UP_DAYS = 7.0  # before which nothing is known of what is usual
SMALL = (DivisionLevel.TOWN, DivisionLevel.VILLAGE)
UNEVEN = 100.0  # times as many as an even share: so many the largest matters have
MOST = 5000  # contacts of a cell that are held


@dataclass(frozen=True, slots=True)
class Burst:
    """Of a cell: its contacts in the window that surprises most."""

    cell: Cell
    surprise: float  # nats
    expected: float
    contacts: tuple[Contact, ...]


@dataclass(slots=True)
class _Held:
    """A cell's contacts of the last three days, by time."""

    unseen: int = 0  # since it was looked at
    times: list[float] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)

    def add(self, contact: Contact) -> None:
        at = bisect_right(self.times, contact.at)  # nearly always the end
        self.times.insert(at, contact.at)
        self.contacts.insert(at, contact)
        gone = bisect_left(self.times, self.times[-1] - WINDOWS_S[-1])
        gone = max(gone, len(self.times) - MOST)
        if gone > 64:  # now and then
            del self.times[:gone], self.contacts[:gone]

    def since(self, begin: float) -> Sequence[Contact]:
        return self.contacts[bisect_left(self.times, begin) :]


class Bursts:
    """Takes contacts in the order in which they come; a late or repeated one costs nothing.

    Args:
        first_days: contacts of a day that are taken for usual in one category and one place while
            nothing is known of what is; infinite: nothing is told meanwhile.
    """

    def __init__(self, expected: Expected | None = None, first_days: float = math.inf) -> None:
        self.expected = expected or Expected()
        self._first_days = first_days
        self._cells: dict[Cell, _Held] = {}
        self._voices: dict[tuple[str, str], float] = {}  # and head of a category: when it told last
        self._seen: dict[str, float] = {}  # ids, so that none counts twice
        self._began = self._now = self._swept = 0.0

    def take(self, contact: Contact) -> list[Burst]:
        """What it makes a burst of, the most surprising first."""
        if contact.id in self._seen:
            return []
        self._began, self._now = self._began or contact.at, max(self._now, contact.at)
        self._remember(contact)
        if self._is_again(contact):
            return []
        cells = list(cells_of(contact))
        late = contact.at < self._now - WINDOWS_S[-1]
        found = [] if late else [burst for cell in cells if (burst := self._burst(cell, contact))]
        self.expected.learn(cells, contact.category, contact.at)
        if self._now > self._swept + DAY_S:
            self._sweep()
        return sorted(found, key=lambda each: -each.surprise)

    def _is_again(self, contact: Contact) -> bool:
        """Whether that voice told of the like within a day: it is neither news nor usual."""
        if not contact.voice:
            return False
        told = contact.voice, contact.category[:HEAD]
        before = self._voices.get(told)
        if before is not None and abs(contact.at - before) < DAY_S:
            return True
        self._voices[told] = contact.at
        return False

    def _usual(self, cell: Cell, window: float) -> float:
        if self._now - self._began >= WARM_UP_DAYS * DAY_S:
            usual = self.expected.within(cell, self._now - window, self._now)
            return max(usual * SLACK, LEAST_EXPECTED)
        small = len(cell[0]) > HEAD and cell[1] and level_of(cell[1]) in SMALL
        return self._first_days * window / DAY_S if small else math.inf

    def _sweep(self) -> None:
        """A city has a million cells; of most there is nothing to hold on a given day."""
        begin, self._swept = self._now - WINDOWS_S[-1], self._now
        self._cells = {cell: held for cell, held in self._cells.items() if held.times[-1] > begin}
        self._voices = {told: at for told, at in self._voices.items() if at > self._now - DAY_S}
        self.expected.forget()

    def _remember(self, contact: Contact) -> None:
        self._seen[contact.id] = contact.at
        if len(self._seen) > 4 * MOST and next(iter(self._seen.values())) < self._now - 604_800:
            for name in list(self._seen)[: 2 * MOST]:
                del self._seen[name]

    def _burst(self, cell: Cell, contact: Contact) -> Burst | None:
        held = self._cells.get(cell)
        if held is None:
            held = self._cells[cell] = _Held()
        held.add(contact)
        held.unseen += 1
        if len(held.times) < LEAST or held.unseen < GROWN * len(held.times):
            return None
        held.unseen = 0
        best: Burst | None = None
        for window in WINDOWS_S:
            some = held.since(self._now - window)
            if len(some) < LEAST:
                continue
            expected = self._usual(cell, window)
            if surprise(len(some), expected) < THRESHOLD:
                continue
            voices = len({each.counted_as for each in some})
            nats = surprise(voices, expected) if voices >= LEAST else 0.0
            if nats >= THRESHOLD and (best is None or nats > best.surprise):
                best = Burst(cell, nats, expected, tuple(some))
        return best


def first_days(contacts_per_day: float, categories: int, places: int) -> float:
    """For `Bursts`: of a city with so many leaves of categories and communities."""
    return UNEVEN * contacts_per_day / max(categories, 1) / max(places, 1)


def cells_of(contact: Contact) -> Iterator[Cell]:
    """Its category, those above it and all, in its place and in those above."""
    places = [""]
    if contact.place:
        places += dict.fromkeys(up_to(contact.place, level) for level in LEVELS[1:])
    digits = range(len(contact.category), 0, -HEAD)
    categories = [contact.category[:each] for each in digits] + [""]
    for category in categories:
        for place in places:
            if category or place:
                yield category, place


def surprise(count: int, expected: float) -> float:
    """Nats: minus the logarithm of a bound of the chance of as many and more."""
    return count * math.log(count / expected) - count + expected if count > expected else 0.0
