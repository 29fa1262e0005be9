"""What the demo ends with: the work order that was filled while the citizen spoke."""

from __future__ import annotations

import time
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from appliance.assist.orders.draft import CHINESE, OrderField
from appliance.assist.orders.life import CHINESE as STATES
from appliance.assist.orders.life import OrderState
from tools.demo.after import CALL_ID

ORDER_WITHIN_S, LOOK_S = 10.0, 0.2
SURE = 0.9
MOST_TEXT, MOST_WORDS = 40, 14  # characters shown of a value, and of what was said for it
ASKED = {"since": "何时开始", "place": "地点", "house": "门牌", "company": "单位名称"}


def show_order(console: Console, url: str) -> None:
    """Of the call that has just ended: fields, the words they are of, and when those were said."""
    told = _orders(url)
    orders = told.get("orders") or told.get("drafts") or []
    if not orders:
        console.print("\n没有生成工单 no work order was made", style="yellow")
    for order in orders:
        console.print("\n工单 work order", style="italic")
        console.print(_table(order))
        console.print(_foot(order))


def _orders(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + ORDER_WITHIN_S
    while True:
        told = httpx.get(f"{url}/api/v1/calls/{CALL_ID}/order", timeout=10).json()
        if told.get("orders") or time.monotonic() > deadline:
            return dict(told)
        time.sleep(LOOK_S)


def _table(order: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("内容 value", max_width=44, overflow="fold")
    table.add_column("把握", justify="right")
    table.add_column("依据：说的话 because of", max_width=34, overflow="fold")
    table.add_column("时刻", justify="right", no_wrap=True)
    for field in OrderField:
        value = order["fields"].get(field.value)
        if value and value["text"]:
            table.add_row(*_row(field, value))
        elif value and value.get("alternatives"):
            table.add_row(Text(CHINESE[field], "bold"), Text(_likely(value), "dim"))
    return table


def _row(field: OrderField, value: dict[str, Any]) -> tuple[Text, ...]:
    evidence = value.get("evidence", [])
    said = next((each for each in evidence if each["words"]), None)
    why = said or next(iter(evidence), None)
    words = f"“{_short(said['words'], MOST_WORDS)}”" if said else (why["why"] if why else "")
    at = f"{said['start_ms'] / 1000:.1f} s" if said else ""
    sure = value["confidence"]
    colour = "green" if sure >= SURE else "yellow"
    return (
        Text(CHINESE[field], "bold"),
        Text(_short(value["text"], MOST_TEXT)),
        Text(f"{sure:.0%}", colour),
        Text(words, "dim"),
        Text(at, "dim"),
    )


def _likely(value: dict[str, Any]) -> str:
    found = (f"{each['text']} {each['confidence']:.0%}" for each in value["alternatives"])
    return "未定，可能是：" + "；".join(found)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _foot(order: dict[str, Any]) -> Panel:
    lines = []
    if order.get("number"):
        state = STATES[OrderState(order["state"])]
        due = order.get("due_at")
        limit = time.strftime("，截止 %m-%d %H:%M", time.localtime(due)) if due else ""
        lines.append(f"工单号 {order['number']}：{state}{limit}")
    missing = [_named(name) for name in order.get("missing", ())]
    lines.append(f"还缺 missing: {'、'.join(missing) or '—'}")
    if order.get("question"):
        lines.append(f"下一问 next question: {order['question']}")
    lines += [f"提示 note: {note}" for note in order.get("notes", ())]
    return Panel("\n".join(lines), border_style="dim")


def _named(name: str) -> str:
    return CHINESE[OrderField(name)] if name in set(OrderField) else ASKED.get(name, name)
