"""Warnings as they open and grow: bursts of one matter in several cells are one."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.assist.city.divisions import is_within
from appliance.assist.warnings.bursts import Burst, Bursts
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import Cell, Expected

SAME = 0.5  # of a burst's contacts that a warning holds already
QUIET_S = 3 * 86_400.0  # after which what comes is another matter


@dataclass(slots=True)
class EarlyWarning:
    """Of one matter in one place.

    Attributes:
        cell: category or its head, and place, where it surprises most.
        told_at: when it was first told, by the time of the contacts.
        surprise: nats.
    """

    id: str
    cell: Cell
    begun_at: float
    told_at: float
    surprise: float
    expected: float
    contacts: dict[str, Contact] = field(default_factory=dict)

    @property
    def voices(self) -> int:
        return len({each.counted_as for each in self.contacts.values()})

    @property
    def last_at(self) -> float:
        return max(each.at for each in self.contacts.values())


class WarningBook:
    """Takes contacts; tells which warnings are new and which have grown."""

    def __init__(self, bursts: Bursts | None = None) -> None:
        self._bursts = bursts or Bursts()
        self.open: list[EarlyWarning] = []

    @property
    def expected(self) -> Expected:
        return self._bursts.expected

    def take(self, contact: Contact) -> list[EarlyWarning]:
        """Those that it opens or adds to."""
        touched: list[EarlyWarning] = []
        for burst in self._bursts.take(contact):
            warning = self._of(burst, contact.at)
            if warning not in touched:
                touched.append(warning)
        self.open = [each for each in self.open if contact.at - each.last_at < QUIET_S]
        return touched

    def _of(self, burst: Burst, now: float) -> EarlyWarning:
        ids = {each.id: each for each in burst.contacts}
        shared = [(len(ids.keys() & each.contacts.keys()), each) for each in self.open]
        most, known = max(shared, key=lambda each: each[0], default=(0, None))
        if known and most >= SAME * min(len(ids), len(known.contacts)):
            if burst.surprise > known.surprise:
                known.cell, known.expected = burst.cell, burst.expected
                known.surprise = burst.surprise
            if _is_within(burst.cell, known.cell):
                known.contacts |= ids
            return known
        made = EarlyWarning(
            f"w-{burst.contacts[0].id}",
            burst.cell,
            burst.contacts[0].at,
            now,
            burst.surprise,
            burst.expected,
            ids,
        )
        self.open.append(made)
        return made


def _is_within(cell: Cell, outer: Cell) -> bool:
    """Whether a cell lies in another: contacts of larger ones are of other matters, too."""
    return cell[0].startswith(outer[0]) and is_within(cell[1], outer[1])
