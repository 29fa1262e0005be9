"""The subscriber that raises an emergency: at once, and again at the end of its call, so that a
store that failed for a moment loses none."""

from __future__ import annotations

import time
from collections.abc import Sequence

from appliance.assist.warnings.desk import WarningDesk
from appliance.feed.kinds.danger import Danger
from appliance.feed.subscriber import FollowedCall, Listener, Owed, Subscriber
from appliance.messages import CallState, Lasting, NumberedEvent
from appliance.store.database import Also
from appliance.store.jobs import Job


class EmergencyWatch(Subscriber):
    """Live and durable: a danger heard is a warning."""

    name = "emergencies"

    def __init__(self, desk: WarningDesk) -> None:
        self._desk = desk

    def listen(self, call: FollowedCall) -> Listener | None:
        return EmergencyListener(call, self._desk)

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        dangers = call.record(state).derived.get("dangers", ())
        tenant, at = call.config.tenant, call.started_at
        payload = f"{tenant}\n{at}\n{dangers[0]['name']}".encode() if dangers else b""
        return [Owed("emergency", payload)] if dangers else ()

    async def settle(self, job: Job) -> Sequence[Also]:
        tenant, at, name = job.payload.decode().split("\n", 2)
        await self._desk.emergency(job.call_id, tenant, name, float(at))
        return ()


class EmergencyListener:
    """Of one call; its first danger is its warning."""

    def __init__(self, call: FollowedCall, desk: WarningDesk) -> None:
        self._call, self._desk = call, desk
        self._told = False

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        if isinstance(told.event, Danger) and not self._told:
            tenant = self._call.config.tenant
            await self._desk.emergency(self._call.id, tenant, told.event.name, time.time())
            self._told = True
        return ()

    def leave(self) -> None:
        pass
