"""Finishes live calls that a crash cut off, from their journals."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from appliance.archive.kept import KeptCall, peak_of
from appliance.errors import NotFound, StoreDamaged
from appliance.messages import CallConfig, CallState
from appliance.store.calls import Calls

log = logging.getLogger(__name__)

JOURNAL_PAGE = 1000  # events read at once
CRASHED = "the box stopped while this call ran: what was said until then is here"

OpenKept = Callable[[str, CallConfig], KeptCall]


async def recover(calls: Calls, open_kept: OpenKept) -> None:
    """Each reaches its end, even if it cannot be read any more."""
    left = await calls.unfinished(live=True)
    for call_id in left:
        try:
            await _close(calls, call_id, open_kept)
        except (NotFound, StoreDamaged) as error:
            log.error("a call that was cut off cannot be read: %s", error)
            await calls.fail(call_id, str(error))
    if left:
        log.warning("%d live calls were cut off by the last stop and are finished now", len(left))


async def _close(calls: Calls, call_id: str, open_kept: OpenKept) -> None:
    summary = await calls.find(call_id)
    kept = open_kept(call_id, await calls.config(call_id))
    kept.started_at, after = summary.created_at, 0
    while page := await calls.journal(call_id, after, JOURNAL_PAGE):
        for _, event in page:
            kept.ledger.add(event)
        after = page[-1][0]
    kept.ending = replace(kept.ledger.ending(), cut_short=True, notes=(CRASHED,))
    record = kept.record(CallState.FINISHED)
    await calls.finish(record, peak_of(record), *kept.also(CallState.FINISHED))
