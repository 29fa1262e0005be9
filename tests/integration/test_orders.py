"""The desk over a real database: makes, moves, times and finds orders."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from appliance.access.roles import AccessRole, Principal
from appliance.api.orders import sees_persons, shown
from appliance.archive import retention
from appliance.archive.retention import Retention
from appliance.assist.city import pack as packs
from appliance.assist.city.pack import CityPack
from appliance.assist.orders import timers as order_timers
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.draft import Draft, OrderField
from appliance.assist.orders.life import Action, Actor, OrderState
from appliance.assist.orders.timers import OrderTimers
from appliance.assist.slots.value import Value
from appliance.errors import Conflict, InvalidRequest, NotFound
from appliance.metrics import Metrics
from appliance.settings.keeping import StoreSettings
from appliance.settings.section import PROJECT
from appliance.store import orders as stored_orders
from appliance.store.database import Also
from appliance.store.order_rows import Order, OrderEvent, OrderFilter
from appliance.store.schema import orders
from appliance.store.store import Store

PACK = packs.load(PROJECT / "provisioning" / "city_packs" / "datong", sealed=False)
HEAT = "050401"
MAIN, OTHER = "140213-heating", "140213-housing"


@dataclass
class Desk:
    desk: OrderDesk
    store: Store
    told: list[tuple[str, str]]


def city(pack: CityPack = PACK) -> Any:
    filler = SimpleNamespace(place=lambda text: None, models=None)
    return SimpleNamespace(pack=pack, filler=filler)


async def opened(where: Path | StoreSettings, pack: CityPack = PACK) -> Desk:
    settings = where if isinstance(where, StoreSettings) else StoreSettings(folder=where)
    store = Store(settings, Metrics())
    await store.start()
    told: list[tuple[str, str]] = []

    def announce(order: Order, event: OrderEvent) -> Sequence[Also]:
        return [lambda connection: told.append((order.id, event.action))]

    return Desk(OrderDesk(store, city(pack), announce), store, told)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    made = await opened(tmp_path)
    yield made
    await made.store.close()


def draft(
    *, phone: str = "13800001111", content: str = "家里暖气不热好几天了只有十五度", matter: int = 0
) -> Draft:
    fields = {
        OrderField.APPEAL: Value("投诉", 0.9),
        OrderField.CATEGORY: Value("供暖", 0.95, code=HEAT),
        OrderField.TITLE: Value("暖气不热", 0.9),
        OrderField.CONTENT: Value(content, 0.9),
        OrderField.ADDRESS: Value("平城区御河街道", 0.95, code="140213009000"),
        OrderField.PHONE: Value(phone, 0.97),
        OrderField.NAME: Value("王先生", 0.9),
        OrderField.UNIT: Value("热力公司", 0.95, code=MAIN),
    }
    codes = {"category": HEAT, "division": "140213009000", "tier": "24h", "unit": MAIN}
    return Draft(matter, PACK.version, fields, codes=codes)


async def new(at: Desk, call_id: str = "call-1", **given: Any) -> Order:
    return await at.desk.open(draft(**given), call_id=call_id, tenant="a", channel="phone")


async def move(at: Desk, order: Order, action: Action, actor: Actor, **given: Any) -> Order:
    unit = given.pop("unit", "")
    version = given.pop("version", None)
    return await at.desk.act(
        order.id, action, actor, f"{actor} 1", given, unit=unit, version=version
    )


async def dispatched(at: Desk, order: Order, *units: str) -> Order:
    await move(at, order, Action.CONFIRM, Actor.AGENT)
    return await move(
        at, order, Action.DISPATCH, Actor.DISPATCHER, units=list(units or (MAIN, OTHER))
    )


async def test_from_draft_to_close(at: Desk) -> None:
    order = await new(at)
    assert order.state == OrderState.DRAFT and order.number.endswith("000001")
    order = await dispatched(at, order)
    assert [part.unit for part in order.units] == [MAIN, OTHER] and order.units[0].main
    assert order.due_at == pytest.approx(time.time() + 86_400, abs=60)
    for unit in (MAIN, OTHER):
        await move(at, order, Action.SIGN, Actor.UNIT, unit=unit)
    order = await move(at, order, Action.ANSWER, Actor.UNIT, unit=MAIN, text="已修好")
    assert order.state == OrderState.SIGNED  # the other has not answered
    order = await move(at, order, Action.ANSWER, Actor.UNIT, unit=OTHER, text="已协调")
    assert order.state == OrderState.ANSWERED
    assert order.timers.keys() == {("", "call_back")}
    order = await move(at, order, Action.CALL_BACK, Actor.AGENT)
    order = await move(at, order, Action.CLOSE, Actor.AGENT, solved=True, satisfaction=5)
    assert order.state == OrderState.CLOSED and order.solved and not order.timers
    actions = [event.action for event in await at.desk.history(order)]
    assert actions[0] == "created" and actions[-1] == "close"
    assert [action for _, action in at.told] == actions  # each is told, once
    found = await at.desk.get(order.number)
    assert found.body["answers"] == {MAIN: "已修好", OTHER: "已协调"}


async def test_two_clerks_do_not_overwrite_each_other(at: Desk) -> None:
    order = await new(at)
    first = at.desk.patch(order.id, {"title": "一"}, "a", Actor.AGENT, version=order.version)
    second = at.desk.patch(order.id, {"title": "二"}, "b", Actor.AGENT, version=order.version)
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert [isinstance(each, Conflict) for each in results].count(True) == 1
    history = await at.desk.history(order)
    assert [event.action for event in history] == ["created", "corrected"]


async def test_a_correction_keeps_what_stood_there(at: Desk) -> None:
    order = await new(at)
    category = "0101" if "0101" in PACK.taxonomy else PACK.taxonomy.leaves[0].code
    fields = {"category": category}
    order = await at.desk.patch(order.id, fields, "wang", Actor.AGENT, version=None)
    value = order.body["fields"]["category"]
    assert order.category == value["code"] == category
    assert value["alternatives"][0]["text"] == "供暖" and value["corrected_by"] == "wang"
    event = (await at.desk.history(order))[-1]
    assert (event.action, event.body["was"]) == ("corrected", "供暖")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"category": "9999"}, "category"), ({"tier": "never"}, "tier"), ({"unit": "x"}, None)],
)
async def test_a_wrong_correction_changes_nothing(
    at: Desk, fields: dict[str, str], param: str | None
) -> None:
    order = await new(at)
    with pytest.raises(InvalidRequest) as caught:
        await at.desk.patch(order.id, fields, "wang", Actor.AGENT, version=None)
    assert caught.value.param == param
    assert (await at.desk.get(order.id)).version == order.version


async def test_a_matter_of_a_call_has_one_order(at: Desk) -> None:
    await new(at)
    with pytest.raises(Conflict):
        await new(at)
    assert len(await at.desk.of_call("call-1")) == 1
    await new(at, matter=1)
    assert len(await at.desk.of_call("call-1")) == 2


async def test_numbers_do_not_repeat(at: Desk) -> None:
    made = await asyncio.gather(*(new(at, f"call-{n}") for n in range(20)))
    assert len({order.number for order in made}) == 20


async def test_a_return_is_remembered_and_lowers_the_unit(at: Desk) -> None:
    order = await dispatched(at, await new(at), MAIN)
    before = await at.desk.propose(order)
    order = await move(at, order, Action.RETURN, Actor.UNIT, unit=MAIN, reason="不属于我公司")
    assert order.state == OrderState.RETURNED and order.returns == 1
    after = await at.desk.propose(order)
    if before.main and before.main.code == MAIN:
        assert after.returned == 1 and after.confidence < before.confidence
    order = await move(at, order, Action.DISPATCH, Actor.DISPATCHER, units=[OTHER])
    assert [part.unit for part in order.units] == [OTHER]


async def test_an_extension_is_asked_for_and_granted(at: Desk) -> None:
    order = await dispatched(at, await new(at), MAIN)
    due_at = order.due_at or 0
    with pytest.raises(InvalidRequest):
        await move(at, order, Action.EXTEND, Actor.UNIT, unit=MAIN, days=99, reason="难")
    await move(at, order, Action.EXTEND, Actor.UNIT, unit=MAIN, days=2, reason="等配件")
    order = await move(at, order, Action.GRANT, Actor.DISPATCHER, unit=MAIN)
    assert order.due_at == pytest.approx(due_at + 2 * 86_400)
    assert order.timers[MAIN, "overdue"] == pytest.approx(due_at + 2 * 86_400)


async def test_a_merge_is_told_on_both(at: Desk) -> None:
    first, second = await new(at, "call-1"), await new(at, "call-2")
    assert second.body["similar"] == [first.number]
    merged = await move(at, second, Action.MERGE, Actor.DISPATCHER, into=first.number)
    assert merged.state == OrderState.MERGED and merged.merged_into == first.id
    assert [event.action for event in await at.desk.history(first)] == ["created", "absorbed"]
    with pytest.raises(Conflict):
        await move(at, first, Action.MERGE, Actor.DISPATCHER, into=second.number)
    with pytest.raises(Conflict):
        await move(at, first, Action.MERGE, Actor.DISPATCHER, into=first.number)


async def test_another_matter_is_no_repeat(at: Desk) -> None:
    await new(at, "call-1")
    other = draft(phone="13900002222", content="小区门口的路灯坏了一个月没人修理")
    other.codes |= {"category": "0101"}
    order = await at.desk.open(other, call_id="call-2", tenant="a", channel="phone")
    assert order.body["similar"] == []


async def test_a_phone_is_found_and_cannot_be_read(at: Desk, tmp_path: Path) -> None:
    order = await new(at)
    wanted = OrderFilter(phone=at.desk.phone_hash("138 0000 1111"))
    assert [each.id for each in await at.desk.page(wanted, 10)] == [order.id]
    assert not await at.desk.page(OrderFilter(phone=at.desk.phone_hash("13800001112")), 10)
    await at.store.close()
    written = await asyncio.to_thread(
        lambda: b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    )
    assert b"13800001111" not in written and "王先生".encode() not in written


async def test_lists_are_filtered(at: Desk) -> None:
    order = await dispatched(at, await new(at, "call-1"), MAIN)
    await new(at, "call-2", phone="13900002222")
    page = at.desk.page
    assert [o.id for o in await page(OrderFilter(unit=MAIN), 10)] == [order.id]
    assert [o.id for o in await page(OrderFilter(states=("dispatched",)), 10)] == [order.id]
    assert len(await page(OrderFilter(division="140213"), 10)) == 2
    assert not await page(OrderFilter(division="140214"), 10)
    assert not await page(OrderFilter(tenant="b"), 10)
    with pytest.raises(NotFound):
        await at.desk.get(order.id, "b")


async def test_refused_steps_change_nothing(at: Desk) -> None:
    order = await new(at)
    with pytest.raises(Conflict):
        await move(at, order, Action.SIGN, Actor.UNIT, unit=MAIN)
    order = await dispatched(at, order, MAIN)
    with pytest.raises(NotFound):
        await move(at, order, Action.SIGN, Actor.UNIT, unit="140213-education")
    with pytest.raises(InvalidRequest):
        await move(at, order, Action.DISPATCH, Actor.DISPATCHER, units=["nobody"])
    with pytest.raises(InvalidRequest):
        await move(at, order, Action.RETURN, Actor.UNIT, unit=MAIN, reason="")
    assert (await at.desk.get(order.id)).version == order.version


async def overdue(at: Desk, order: Order, seconds: float = 10.0) -> None:
    """As if its deadlines had been so long ago."""

    def decide(order: Order, now: float) -> Any:
        from appliance.store.order_rows import Change

        return Change(replace(order, timers=dict.fromkeys(order.timers, now - seconds)))

    await at.store.orders.change(order.id, decide)


async def test_timers_go_off_once(at: Desk) -> None:
    order = await dispatched(at, await new(at), MAIN)
    assert order.timers.keys() == {(MAIN, "sign"), (MAIN, "remind"), (MAIN, "overdue")}
    await overdue(at, order)
    timers = OrderTimers(at.desk, at.store)
    await asyncio.gather(timers.go_off(), timers.go_off())  # two gateways
    while await timers.go_off():
        pass
    actions = [event.action for event in await at.desk.history(order)]
    assert sorted(actions[3:]) == ["remind", "remind", "supervise"]
    assert (await at.desk.history(order))[-1].actor == Actor.BOX
    signed = await move(at, order, Action.SIGN, Actor.UNIT, unit=MAIN)
    assert not signed.timers  # what has gone off is not set again


async def test_timers_survive_a_restart(at: Desk, tmp_path: Path) -> None:
    order = await dispatched(at, await new(at), MAIN)
    await overdue(at, order)
    await at.store.close()
    again = await opened(tmp_path)
    while await OrderTimers(again.desk, again.store).go_off():
        pass
    assert "supervise" in [event.action for event in await again.desk.history(order)]
    await again.store.close()


async def test_nothing_is_late_because_a_clock_has_jumped(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await dispatched(at, await new(at), MAIN)
    monkeypatch.setattr(order_timers, "GRACE_S", 0.3)
    timers = OrderTimers(at.desk, at.store)
    assert not await timers.go_off()
    monkeypatch.setattr(stored_orders, "clock", lambda _: time.time() + 30 * 86_400)
    assert not await timers.go_off()
    assert "supervise" not in [event.action for event in await at.desk.history(order)]
    await asyncio.sleep(0.4)  # nobody has set it back
    while await timers.go_off():
        pass
    assert "supervise" in [event.action for event in await at.desk.history(order)]


async def test_an_ended_order_has_no_timers(at: Desk) -> None:
    order = await dispatched(at, await new(at), MAIN)
    merged_into = await new(at, "call-2", phone="13900002222")
    order = await move(at, order, Action.MERGE, Actor.DISPATCHER, into=merged_into.number)
    assert not order.timers


async def test_a_unit_that_is_gone_keeps_its_orders(at: Desk) -> None:
    """Removed from the pack while it holds an order: it is shown, answered, or given to another."""
    order = await dispatched(at, await new(at), MAIN)
    left = [unit for unit in PACK.units if unit.code != MAIN]
    from appliance.assist.city.units import Units

    pack = replace(PACK, units=Units(left, PACK.divisions))
    at.desk.city.pack = pack  # type: ignore[misc]
    with pytest.raises(InvalidRequest):
        await move(at, order, Action.DISPATCH, Actor.DISPATCHER, units=[MAIN])
    order = await move(at, order, Action.DISPATCH, Actor.DISPATCHER, units=[OTHER])
    assert [part.unit for part in order.units] == [OTHER]


async def test_what_is_sure_leaves_by_itself(tmp_path: Path) -> None:
    ordering = PACK.identity.orders.model_copy(update={"automatic": 0.9})
    identity = PACK.identity.model_copy(update={"orders": ordering})
    at = await opened(tmp_path, replace(PACK, identity=identity))
    order = await new(at)
    assert order.state == OrderState.DISPATCHED
    unsure = draft(phone="13900002222", content="完全不同的另外一件事情说不清楚在哪里")
    unsure.fields[OrderField.ADDRESS] = Value("平城区", 0.5)
    waits = await at.desk.open(unsure, call_id="call-2", tenant="a", channel="phone")
    assert waits.state == OrderState.DRAFT
    await at.store.close()


async def test_who_asks_for_secrecy_is_kept_from_the_units(at: Desk) -> None:
    made = draft()
    made.fields[OrderField.SECRECY] = Value("保密", 0.9, parts={"confidential": True})
    order = await at.desk.open(made, call_id="call-1", tenant="a", channel="phone")
    clerk = Principal("li", "*", frozenset({AccessRole.CLERK}), unit=MAIN)
    agent = Principal("wang", "a", frozenset({AccessRole.AGENT}))
    assert not sees_persons(clerk, order) and sees_persons(agent, order)
    order = await at.desk.patch(order.id, {"secrecy": "不保密"}, "wang", Actor.AGENT, version=None)
    assert sees_persons(clerk, order)
    with pytest.raises(InvalidRequest):
        await at.desk.patch(order.id, {"secrecy": "也许"}, "wang", Actor.AGENT, version=None)


async def test_a_unit_whose_part_is_over_takes_no_step(at: Desk) -> None:
    order = await dispatched(at, await new(at), MAIN, OTHER)
    await move(at, order, Action.ANSWER, Actor.UNIT, unit=OTHER, text="已看过")
    for action, given in ((Action.SIGN, {}), (Action.RETURN, {"reason": "不归我们"})):
        with pytest.raises(Conflict):
            await move(at, order, action, Actor.UNIT, unit=OTHER, **given)
    await move(at, order, Action.SIGN, Actor.UNIT, unit=MAIN)
    with pytest.raises(Conflict):
        await move(at, order, Action.SIGN, Actor.UNIT, unit=MAIN)


async def test_who_goes_on_is_not_held_up_by_a_return(at: Desk) -> None:
    order = await dispatched(at, await new(at), MAIN, OTHER)
    order = await move(at, order, Action.RETURN, Actor.UNIT, unit=OTHER, reason="不归我们")
    assert order.state == OrderState.RETURNED
    await move(at, order, Action.SIGN, Actor.UNIT, unit=MAIN)
    order = await move(at, order, Action.START, Actor.UNIT, unit=MAIN)
    order = await move(at, order, Action.DISPATCH, Actor.DISPATCHER, units=[MAIN])
    assert order.state == OrderState.IN_PROGRESS  # as its unit is


async def test_two_orders_are_not_merged_into_each_other(at: Desk) -> None:
    one, other = await new(at), await new(at, "call-2")
    merged = await asyncio.gather(
        move(at, one, Action.MERGE, Actor.DISPATCHER, into=other.number),
        move(at, other, Action.MERGE, Actor.DISPATCHER, into=one.number),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Conflict) for each in merged) == 1
    states = {(await at.desk.get(each.id)).state for each in (one, other)}
    assert OrderState.MERGED in states and len(states) == 2


async def test_a_damaged_order_hides_no_other(at: Desk) -> None:
    good = await dispatched(at, await new(at), MAIN)
    bad = await dispatched(at, await new(at, "call-2"), MAIN)
    for order in (bad, good):
        await overdue(at, order)
    broken = update(orders).where(orders.c.id == bad.id).values(body=b"broken")
    await at.store.database.write(lambda c: c.execute(broken))
    assert [each.id for each in await at.desk.page(OrderFilter(), 10)] == [good.id]
    timers = OrderTimers(at.desk, at.store)
    while await timers.go_off():
        pass
    assert "supervise" in [event.action for event in await at.desk.history(good)]


async def test_a_number_is_found_however_the_switch_writes_it(at: Desk) -> None:
    for written in ("13800001111", "+86 138 0000 1111", "013800001111", "008613800001111"):
        assert at.desk.phone_hash(written) == at.desk.phone_hash("138-0000-1111")
    assert at.desk.phone_hash("03525366666") != at.desk.phone_hash("5366666")


async def test_half_a_character_is_refused(at: Desk) -> None:
    order = await new(at)
    with pytest.raises(InvalidRequest, match="half a character"):
        await at.desk.patch(order.id, {"title": "\ud800"}, "wang", Actor.AGENT, version=None)
    with pytest.raises(InvalidRequest, match="half a character"):
        await move(at, order, Action.CONFIRM, Actor.AGENT, text="\ud800")


async def test_an_earlier_name_is_masked_too(at: Desk) -> None:
    order = await new(at)
    order = await at.desk.patch(order.id, {"name": "李红梅"}, "wang", Actor.AGENT, version=None)
    told = json.dumps(shown(order, masked=True), ensure_ascii=False)
    assert "李红梅" not in told and "王先生" not in told


async def test_what_is_over_for_long_enough_is_shredded(
    at: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(retention, "CLOCK_EVERY_S", 0.02)
    kept, refused = await new(at), await new(at, "call-2")
    await move(at, refused, Action.REFUSE, Actor.AGENT, reason="已由法院受理")
    days = at.store.settings.keep_orders_days * 86_400.0
    long_ago = update(orders).values(ended_at=time.time() - days - 60)
    over = orders.c.ended_at.is_not(None)
    await at.store.database.write(lambda c: c.execute(long_ago.where(over)))
    cleaner = Retention(at.store)
    await cleaner.start()
    async with asyncio.timeout(10):
        while await at.store.orders.older_than(time.time(), 1):
            await asyncio.sleep(0.02)
    await cleaner.close()
    with pytest.raises(NotFound):
        await at.store.orders.get(refused.id)
    with pytest.raises(NotFound):
        await at.store.orders.history(refused.id)  # its key is gone
    assert (await at.store.orders.get(kept.id)).state == OrderState.DRAFT
