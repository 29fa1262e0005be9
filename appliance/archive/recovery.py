"""Finishes live calls that a crash cut off, from their journals."""

from __future__ import annotations

import logging
from dataclasses import replace

from appliance.errors import NotFound, StoreDamaged
from appliance.feed.journal import Journal
from appliance.feed.kept import KeptCall, peak_of
from appliance.feed.running import RunningCalls
from appliance.messages import WRITTEN, CallState
from appliance.store.calls import Calls, Summary

log = logging.getLogger(__name__)

CRASHED = "the box stopped while this call ran: what was said until then is here"

NEVER_BEGAN = "the database was away when this call began: it was not kept"


async def recover(calls: Calls, running: RunningCalls, *, own: bool = False) -> None:
    """Each of gateways that are no more reaches its end, even if it cannot be read any more."""
    left = await calls.orphans(own=own)
    for call_id in left:
        try:
            await _close(calls, call_id, running)
        except (NotFound, StoreDamaged) as error:
            log.error("a call that was cut off cannot be read: %s", error)
            await calls.fail(call_id, str(error))
        running.tell(call_id)
    if left:
        log.warning("%d live calls were cut off by the last stop and are finished now", len(left))


async def end_strays(calls: Calls, running: RunningCalls) -> None:
    """Nobody hears them, and nobody will; a message is whole in its journal all the same."""
    for call_id in await calls.strays([kept.id for kept in running.all()]):
        if running.get(call_id) is not None:  # it has begun meanwhile
            continue
        if await calls.last_sequence(call_id):
            await _close(calls, call_id, running)
        else:
            await calls.fail(call_id, NEVER_BEGAN, calls.ending_for(call_id))
        running.tell(call_id)


async def _close(calls: Calls, call_id: str, running: RunningCalls) -> None:
    kept = await so_far(calls, await calls.find(call_id), running)
    kept.ending = kept.ledger.ending()
    if kept.config.door != WRITTEN:
        kept.ending = replace(kept.ending, cut_short=True, notes=(CRASHED,))
    record = kept.record(CallState.FINISHED)
    also = (calls.ending_for(call_id), *kept.also(CallState.FINISHED))
    await calls.finish(record, peak_of(record), *also)


async def so_far(calls: Calls, summary: Summary, running: RunningCalls) -> KeptCall:
    """A live call that does not run here, as its journal tells of it."""
    kept = running.at_rest(summary.id, await calls.config(summary.id))
    kept.started_at, after = summary.created_at, 0
    journal = Journal(calls)
    while page := await journal.read(summary.id, after):
        for _, event in page:
            kept.ledger.add(event)
        after = page[-1][0]
    return kept
