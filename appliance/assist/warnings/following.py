"""Orders as contacts, in the order in which they come: the books of all hotline systems."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from appliance.assist.city.divisions import DivisionLevel
from appliance.assist.city.pack import CityPack
from appliance.assist.warnings.book import EarlyWarning, WarningBook
from appliance.assist.warnings.bursts import Bursts, cells_of, first_days
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.expected import Cell, Expected
from appliance.messages import EVERY_TENANT
from appliance.store.store import Store

HISTORY_DAYS = 90  # that what is usual is learned from, at a start
AT_ONCE = 200  # contacts taken by one thread: it shares this process with calls
LATE_S = 60.0  # after which another gateway's orders are all seen
BACK_S = 3600.0  # a clock that was set back by more had told wrong times
DAY_S = 86_400.0

log = logging.getLogger(__name__)

Touched = dict[tuple[str, str], EarlyWarning]  # by hotline system and id


class Following:
    """`more` reads on; a book is one hotline system's own."""

    def __init__(self, store: Store, pack: Callable[[], CityPack]) -> None:
        self._store, self._pack = store, pack
        self.books: dict[str, WarningBook] = {}
        self._since = 0.0
        self._after: tuple[float, str] | None = None  # the last order that was read
        self._newest = 0.0
        self._lock = threading.Lock()  # books are written by one thread and read by others

    def book(self, tenant: str) -> WarningBook:
        if tenant not in self.books:
            pack = self._pack()
            villages = pack.divisions.of_level(DivisionLevel.VILLAGE)
            sizes = len(list(pack.taxonomy.leaves)), len(villages)
            first = first_days(pack.identity.contacts_per_day, *sizes)
            self.books[tenant] = WarningBook(Bursts(Expected(self._kind_of_day), first))
        return self.books[tenant]

    def begin(self, open_before: Iterable[tuple[str, EarlyWarning]] = ()) -> None:
        """From the past on; those that are open go on under their names."""
        self.books.clear()
        self._since, self._after = time.time() - HISTORY_DAYS * DAY_S, None
        self._newest = 0.0
        for tenant, warning in open_before:
            self.book(tenant).open.append(warning)

    @property
    def is_ahead(self) -> bool:
        """Whether it has taken what a wrong clock dated: it has to begin again."""
        return self._newest > time.time() + BACK_S

    async def more(self) -> list[tuple[str, Contact]]:
        """The next that were not read, oldest first; empty: that is all for now."""
        rows = await self._store.warnings.told_of(self._since, self._after, AT_ONCE)
        if rows:
            self._after = rows[-1].created_at, rows[-1].id
            self._newest = max(self._newest, rows[-1].created_at)
        return [(row.tenant, contact_of(row)) for row in rows]

    def look_back(self) -> None:
        """The next look takes up what another gateway wrote a little late; none counts twice."""
        if self._after:
            self._after = self._after[0] - LATE_S, ""

    def take(self, some: Iterable[tuple[str, Contact]]) -> Touched:
        """Warnings that they open or add to."""
        touched: Touched = {}
        for tenant, contact in some:
            try:
                with self._lock:
                    found = self.book(tenant).take(contact)
            except Exception:  # one costs no other anything
                log.exception("early warning met a bug: contact %s", contact.id)
                continue
            touched |= {(tenant, warning.id): warning for warning in found}
        return touched

    def usual(self, tenant: str, some: Iterable[tuple[str, Contact]] = ()) -> list[Expected]:
        """What is usual, of each hotline system that `tenant` sees, as it is now and goes on
        unchanged; without what those contacts of theirs say of it."""
        told: defaultdict[str, list[tuple[list[Cell], float]]] = defaultdict(list)
        for whose, contact in some:
            told[whose].append((list(cells_of(contact)), contact.at))
        with self._lock:
            books = dict(self.books) if tenant == EVERY_TENANT else {tenant: self.book(tenant)}
            return [book.expected.without(told[name]) for name, book in books.items()]

    def _kind_of_day(self, moment: datetime) -> int:
        return int(not self._pack().calendar.is_working(moment.date()))


def contact_of(row: Any) -> Contact:
    """Of an order's columns; nobody has called after the order was made."""
    at = min(row.called_at, row.created_at)
    return Contact(row.id, at, row.category, row.division, row.phone)
