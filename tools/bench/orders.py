"""`lingting bench orders`: lists of many open orders, many timers, and what a final costs."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Connection, insert

from appliance.api.orders import shown
from appliance.assist.city import pack as packs
from appliance.assist.city.known import models_of
from appliance.assist.orders.cases import AT
from appliance.assist.orders.filler import CallContext, Filler
from appliance.assist.orders.life import OPEN, OrderState
from appliance.assist.slots.value import Said
from appliance.messages import LegRole
from appliance.metrics import Metrics
from appliance.settings import load_settings
from appliance.settings.keeping import StoreSettings
from appliance.store.order_rows import Order, OrderEvent, OrderFilter, UnitPart
from appliance.store.orders import new_id
from appliance.store.schema import order_timers
from appliance.store.store import Store

PAGE, ROUNDS = 50, 30
TOGETHER = 500  # orders written at once
TURNS = (
    (LegRole.AGENT, "您好，这里是12345热线，请问有什么可以帮您？"),
    (LegRole.CITIZEN, "我住在平城区，家里暖气从上周三开始就不热，只有十三度。"),
    (LegRole.AGENT, "请问您贵姓，联系电话是多少？"),
    (LegRole.CITIZEN, "我姓王，电话是幺三八零零零零幺幺幺幺。"),
    (LegRole.AGENT, "跟您核对一下，13800001111，对吗？"),
    (LegRole.CITIZEN, "对，希望热力公司赶紧派人来修，老人孩子受不了。"),
)

Figures = dict[str, float]


def measure(pack: Path, orders: int, timers: int) -> Figures:
    """Milliseconds; medians and 95th percentiles of ROUNDS."""
    filling = _fill(pack)
    return {"n": orders, **filling, **asyncio.run(_lists(orders, timers))}


def _fill(folder: Path) -> Figures:
    """What a final costs, on one core, and what a pack takes of memory."""
    process = psutil.Process()
    before = process.memory_info().rss
    begun = time.perf_counter()
    pack = packs.load(folder, sealed=False)
    filler = Filler(pack, models_of(pack, load_settings().city.cache))
    load_s, used = time.perf_counter() - begun, process.memory_info().rss - before
    said = [
        Said(f"{n}", role, text, n * 4000, n * 4000 + 3000) for n, (role, text) in enumerate(TURNS)
    ]
    took = []
    for turn in range(ROUNDS):
        for count in range(1, len(said) + 1):
            # Another word each time, so that nothing is remembered of it.
            last = replace(said[count - 1], text=f"{said[count - 1].text}第{turn}次")
            begun = time.process_time()
            filler.fill([*said[: count - 1], last], CallContext(AT))
            took.append(1000 * (time.process_time() - begun))
    return {
        "pack_load_s": round(load_s, 2),
        "pack_mb": round(used / 1e6, 1),
        **_spread("final", took),
    }


async def _lists(orders: int, timers: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="lingting-bench-") as folder:
        store = Store(StoreSettings(folder=Path(folder)), Metrics())
        await store.start()
        try:
            ids = await _write(store, orders)
            listed = await _timed(lambda: _list(store, masked=True))
            soonest = await _timed(lambda: store.orders.soonest(OPEN_ONES, PAGE))
            await _write_timers(store, ids, timers)
            due = await _timed(lambda: store.orders.due_timers(100))
        finally:
            await store.close()
    return {
        **_spread("list", listed),
        **_spread("soonest", soonest),
        "timers": timers,
        **_spread("due_timers", due),
    }


OPEN_ONES = OrderFilter(states=tuple(sorted(OPEN)))


async def _write(store: Store, orders: int) -> list[str]:
    ids = [new_id() for _ in range(orders)]
    for at in range(0, orders, TOGETHER):
        await asyncio.gather(*(_add(store, each) for each in ids[at : at + TOGETHER]))
    return ids


async def _add(store: Store, order_id: str) -> None:
    now = time.time()
    fields = {"title": {"text": "家里暖气不热", "confidence": 0.9, "evidence": []}}
    order = Order(
        *(order_id, "", "bench", order_id, 0, "phone", OrderState.SIGNED, 0, "bench 1"),
        *("050401", "140213009000", "投诉", "24h", "140213-heating", 0.0, 0.0),
        due_at=now + 86_400,
        body={"fields": fields},
        units=(UnitPart("140213-heating", True, "signed", now, now, now + 86_400),),
    )
    event = OrderEvent("created", "bench", "box", OrderState.SIGNED)
    await store.orders.add(replace(order, number=order_id), "{date}" + order_id, [event])


async def _write_timers(store: Store, ids: list[str], timers: int) -> None:
    each = max(1, timers // max(1, len(ids)))
    rows = [
        {"order_id": order, "unit": f"u{n}", "kind": "overdue", "due_at": time.time() + 60 * n}
        for order in ids
        for n in range(each)
    ]

    def work(connection: Connection) -> None:
        for at in range(0, len(rows), 5000):
            connection.execute(insert(order_timers), rows[at : at + 5000])

    await store.database.write(work)


async def _list(store: Store, *, masked: bool) -> str:
    rows = await store.orders.page(OPEN_ONES, PAGE)
    return json.dumps([shown(each, masked=masked) for each in rows], ensure_ascii=False)


async def _timed(ask: Callable[[], Awaitable[Any]]) -> list[float]:
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await ask()
        took.append(1000 * (time.perf_counter() - begun))
    return took


def _spread(name: str, took: list[float]) -> Figures:
    ordered = sorted(took)
    return {
        f"{name}_ms": round(statistics.median(took), 2),
        f"{name}_p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
    }
