"""What else a call brings: a reply from the knowledge base, its quality, and the warning that
thirty neighbours raise who call about one thing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.progress import track
from rich.table import Table
from rich.text import Text

from tools.demo.after import CALL_ID
from tools.recorded import RATE_HZ, as_wav, read_alaw

WITHIN_S, LOOK_S = 30.0, 0.3
NEIGHBOURS = 30
TOLD_S = 5.2, 15.2  # where in the demo's call the citizen tells what it is about
CITIZEN = 1  # its channel, from 0
OVER = ("finished", "failed", "cancelled")
SHOWN = 8  # findings
# The demo's own, made up: what a hotline imports is its own knowledge base.
ANSWERS = (
    {
        "questions": ["家里暖气不热怎么办", "供暖温度不达标找谁"],
        "answer": "供暖期内，居民卧室、起居室温度不应低于18℃。低于此温度的，请先查看入户阀门；"
        "仍不热的，由供热企业上门测温，两小时内联系，二十四小时内处理。",
        "department": "供热主管部门",
        "source": "演示条目",
    },
    {
        "questions": ["停水了什么时候来水", "自来水停水怎么办"],
        "answer": "计划停水提前二十四小时公告；突发爆管由供水企业抢修，一般十二小时内恢复。",
        "department": "供水企业",
        "source": "演示条目",
    },
    {
        "questions": ["社保卡丢了怎么补办"],
        "answer": "持身份证到任一社保经办网点或合作银行挂失补办，当场取卡。",
        "department": "社会保险经办机构",
        "source": "演示条目",
    },
)
GRADES = {"violated": ("违规", "red"), "unsure": ("说不准", "yellow")}


def teach(url: str) -> None:
    """A knowledge base of three entries; whatever is there already stays."""
    answer = httpx.post(
        f"{url}/api/v1/knowledge/batch", params={"approve": True}, json={"entries": ANSWERS}
    )
    answer.raise_for_status()


def show_suggestion(console: Console, url: str) -> None:
    """What the agent was proposed while the citizen spoke."""
    told = _until(lambda: _get(url, f"calls/{CALL_ID}/suggestions"), lambda t: t.get("entries"))
    console.print("\n知识推荐 suggested while the citizen spoke", style="italic")
    for each in told.get("entries", ())[:1]:
        head = Text(f"{each['title']}  把握 {each['confidence']:.0%}", "bold")
        foot = Text(f"{each['department']} · 来源 {each['source']}", "dim")
        console.print(Panel(Text.assemble(head, "\n", each["answer"], "\n", foot)))
    if not told.get("entries"):
        console.print("没有推荐 nothing was suggested", style="yellow")


def show_quality(console: Console, url: str) -> None:
    """How the call was scored by the city's rules."""
    told = _until(lambda: _get(url, f"calls/{CALL_ID}/quality"), lambda t: t.get("findings"))
    if not told.get("findings"):
        console.print("\n没有质检结果 the call was not inspected", style="yellow")
        return
    total = "—" if told["total"] is None else f"{told['total']:g}"
    console.print(f"\n质检 quality: [bold]{total}[/] / 100", style="italic")
    table = Table("", "规则 rule", "扣分", "依据 because of", "时刻", box=SIMPLE_HEAD)
    faults = [each for each in told["findings"] if each["finding"] in GRADES]
    for each in faults[:SHOWN]:
        name, style = GRADES[each["finding"]]
        proof: dict[str, Any] = each["proofs"][0] if each["proofs"] else {}
        at = f"{proof['start_ms'] / 1000:.1f} s" if proof else ""
        points = f"-{each['points']:g}" if each["points"] else ""
        table.add_row(
            Text(name, style), each["name"], points, Text(proof.get("words", "")[:28]), at
        )
    console.print(table)
    kept = len(told["findings"]) - len(faults)
    console.print(
        f"另有 {kept} 条规则适用，都合规 {kept} other rules apply, and are kept", style="green"
    )


def show_warning(console: Console, url: str, call: Path) -> None:
    """What the citizen told of, from thirty numbers; what the duty officer sees of it."""
    told_before = {each["id"] for each in _get(url, "warnings").get("warnings", ())}
    begin, end = (int(at * RATE_HZ) for at in TOLD_S)
    wav = as_wav(read_alaw(call)[begin:end, CITIZEN : CITIZEN + 1])
    sent = [_call_again(url, wav, f"139352{number:05}") for number in range(NEIGHBOURS)]
    doing = f"{NEIGHBOURS} 位市民来电反映同一件事 thirty citizens call about one thing"
    for address in track(sent, doing, console=console, transient=True):
        _until(partial(_get, url, address), lambda t: t.get("state") in OVER)
    listed = _until(
        lambda: _get(url, "warnings"),
        lambda t: _raised(t, told_before).get("voices", 0) >= NEIGHBOURS,
    )
    found = _raised(listed, told_before)
    console.print("\n预警 early warning", style="italic")
    if not found:
        console.print("没有预警 no warning was raised", style="yellow")
        return
    told = _get(url, f"warnings/{found['id']}")
    first = datetime.fromtimestamp(found["told_at"]).strftime("%H:%M:%S")
    lines = [
        Text(found["title"], "bold red"),
        Text(f"{found['place_name']} · {found['category_name']}"),
        Text(f"{found['voices']} 人反映，平时约 {found['expected']:.2f} 人；{first} 首次预警"),
        Text("".join(_bar(each["count"], told["timeline"]) for each in told["timeline"]), "red"),
        Text("、".join(f"{each['name']} {each['open']} 件在办" for each in told["units"]), "dim"),
    ]
    console.print(Panel(Text("\n").join(lines), border_style="red"))


def _call_again(url: str, wav: bytes, caller: str) -> str:
    """A recording of a call from that number; where it is told how far it has come."""
    fields = {"caller": caller, "leg_roles": "citizen", "diarize": "false", "moods": "false"}
    files = {"file": ("call.wav", wav)}
    sent = httpx.post(f"{url}/api/v1/recordings", data=fields, files=files, timeout=30)
    return str(sent.raise_for_status().headers["location"]).removeprefix("/api/v1/")


def _raised(listed: dict[str, Any], before: set[str]) -> dict[str, Any]:
    """The first that is new."""
    new = [each for each in listed.get("warnings", ()) if each["id"] not in before]
    return dict(new[0]) if new else {}


def _bar(count: int, of: list[dict[str, Any]]) -> str:
    most = max(each["count"] for each in of)
    return " ▁▂▃▄▅▆▇█"[round(count / most * 8)]


def _get(url: str, path: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/api/v1/{path}", timeout=10)
    return dict(answer.json()) if answer.is_success else {}


def _until(
    read: Callable[[], dict[str, Any]], there: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    deadline = time.monotonic() + WITHIN_S
    while not there(told := read()) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    return told
