"""Hotline systems' lists of terms: kept in the database, in force in every gateway's memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from appliance.store.store import Store
from appliance.store.term_lists import TermList
from appliance.terms.correction import Terms
from appliance.terms.term import Term

log = logging.getLogger(__name__)
CHANGED = "terms"  # a notice


class TenantTerms:
    """`start` and `close` it.

    Args:
        take: told each list that is in force from now on, with the hotline system's name.
    """

    def __init__(self, store: Store, take: Callable[[Terms, str], None]) -> None:
        self._store, self._take = store, take
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._load()
        self._store.notices.on(CHANGED, lambda _: self._changed.set())
        self._store.notices.when_missed(self._changed.set)
        self._looking = asyncio.create_task(self._look(), name="tenant-terms")

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def get(self, tenant: str) -> TermList:
        return await self._store.term_lists.get(tenant)

    async def put(self, tenant: str, terms: Sequence[Term], who: str) -> TermList:
        """In force at once here, and in a moment in the other gateways."""
        kept = await self._store.term_lists.put(tenant, terms, who)
        self._take(await asyncio.to_thread(Terms, kept.terms), tenant)
        self._store.notices.tell(CHANGED)
        return kept

    async def _look(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._load()
            except Exception:  # what is in force stays in force
                log.exception("reading the lists of terms failed")

    async def _load(self) -> None:
        for each in await self._store.term_lists.all():
            self._take(await asyncio.to_thread(Terms, each.terms), each.tenant)
