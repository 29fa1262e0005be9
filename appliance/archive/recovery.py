"""Finishes live calls that a crash cut off, from their journals."""

from __future__ import annotations

import logging
from dataclasses import replace

from appliance.errors import NotFound, StoreDamaged
from appliance.feed.journal import Journal
from appliance.feed.kept import peak_of
from appliance.feed.running import RunningCalls
from appliance.messages import CallState
from appliance.store.calls import Calls

log = logging.getLogger(__name__)

CRASHED = "the box stopped while this call ran: what was said until then is here"


async def recover(calls: Calls, running: RunningCalls) -> None:
    """Each reaches its end, even if it cannot be read any more."""
    left = await calls.unfinished(live=True)
    for call_id in left:
        try:
            await _close(calls, call_id, running)
        except (NotFound, StoreDamaged) as error:
            log.error("a call that was cut off cannot be read: %s", error)
            await calls.fail(call_id, str(error))
    if left:
        log.warning("%d live calls were cut off by the last stop and are finished now", len(left))


async def _close(calls: Calls, call_id: str, running: RunningCalls) -> None:
    summary = await calls.find(call_id)
    kept = running.at_rest(call_id, await calls.config(call_id))
    kept.started_at, after = summary.created_at, 0
    journal = Journal(calls)
    while page := await journal.read(call_id, after):
        for _, event in page:
            kept.ledger.add(event)
        after = page[-1][0]
    kept.ending = replace(kept.ledger.ending(), cut_short=True, notes=(CRASHED,))
    record = kept.record(CallState.FINISHED)
    await calls.finish(record, peak_of(record), *kept.also(CallState.FINISHED))
