"""What happens of itself: reminders, supervision after a deadline, call-backs that are due."""

from __future__ import annotations

import asyncio
import logging
import time

from appliance.assist.orders.desk import OrderDesk, without
from appliance.assist.orders.life import Action, Actor
from appliance.assist.orders.steps import CALL_BACK, OVERDUE, REMIND, SIGN
from appliance.errors import Conflict, LingtingError, NotFound
from appliance.steady import SteadyClock
from appliance.store.order_rows import Change, Order
from appliance.store.store import Store

log = logging.getLogger(__name__)

LOOK_EVERY_S, LEARN_EVERY_S = 1.0, 60.0
GRACE_S = 600.0  # of a clock that has jumped, for somebody to set it right
AT_ONCE = 100
ACTIONS = {
    SIGN: (Action.REMIND, "超过签收时限，尚未签收"),
    REMIND: (Action.REMIND, "即将到期"),
    OVERDUE: (Action.SUPERVISE, "已超过办理时限"),
    CALL_BACK: (Action.CALL_BACK, "到回访时间"),
}


PUT_OFF_S = 3600.0  # a timer of an order that cannot be read


class OrderTimers:
    """They are rows: a restart, another gateway or a clock that jumps loses none. Whoever takes a
    timer's step takes the timer away in the same transaction."""

    def __init__(self, desk: OrderDesk, store: Store) -> None:
        self._desk, self._store = desk, store
        self._looking: asyncio.Task[None] | None = None
        self._clock: SteadyClock | None = None
        self._now = 0.0  # the database's

    async def start(self) -> None:
        self._looking = asyncio.create_task(self._look(), name="order-timers")

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        learned_at = float("-inf")
        while True:
            try:
                if time.monotonic() - learned_at >= LEARN_EVERY_S:
                    learned_at = time.monotonic()
                    await self._desk.learn()
                more = await self.go_off()
            except LingtingError as error:
                more = 0
                log.error("order timers: %s", error)
            except Exception:  # deadlines must be watched, whatever else is wrong
                more = 0
                log.exception("order timers met a bug")
            if not more:
                await asyncio.sleep(LOOK_EVERY_S)

    async def go_off(self) -> int:
        """Those whose moment has come; how many there were. None while the clock is doubted: no
        order is late because a clock has jumped."""
        self._now, due = await self._store.orders.due_timers(AT_ONCE)
        if not await self._believed():
            return 0
        for order_id, unit, kind in due:
            try:
                await self._go_off(order_id, unit, kind)
            except (Conflict, NotFound) as gone:
                log.info("an order's timer had nothing to do: %s", gone)
                await self._drop(order_id, (unit, kind))
            except LingtingError as error:  # of one order: the others' deadlines are watched
                log.error("a timer of order %s is put off: %s", order_id, error)
                await self._store.orders.put_off(order_id, (unit, kind), PUT_OFF_S)
        return len(due)

    async def _believed(self) -> bool:
        if self._clock is None:
            newest = await self._store.calls.newest()
            waits = "no order's deadline is told of"
            self._clock = SteadyClock(newest, lambda: self._now, grace_s=GRACE_S, waits=waits)
        return self._clock.believed()

    async def _go_off(self, order_id: str, unit: str, kind: str) -> None:
        action, why = ACTIONS[kind]
        given = {"reason": why}
        await self._desk.act(
            order_id, action, Actor.BOX, "box", given, unit=unit, timer=(unit, kind)
        )

    async def _drop(self, order_id: str, timer: tuple[str, str]) -> None:
        def decide(order: Order, now: float) -> Change:
            return Change(without(order, timer))

        try:
            await self._store.orders.change(order_id, decide)
        except NotFound:
            log.info("an order is gone, and its timers with it")
