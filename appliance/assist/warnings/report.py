"""A day's or a week's report for those who were not there: HTML to print, CSV to reckon with."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from html import escape

from appliance.assist.city.divisions import DivisionLevel, up_to
from appliance.assist.city.pack import CityPack
from appliance.assist.city.tiers import CHINA
from appliance.assist.text.cells import plain
from appliance.assist.warnings.contact import Contact
from appliance.assist.warnings.detail import KINDS
from appliance.assist.warnings.life import WarningKind
from appliance.assist.warnings.matters import Matter
from appliance.assist.warnings.usual import heads
from appliance.store.warnings import KeptWarning

_CHANGE = re.compile(r"[+-]\d+%")
STATES = {
    "new": "新",
    "acknowledged": "已知悉",
    "watching": "跟踪中",
    "closed": "已结束",
    "false": "误报",
}
STYLE = (
    "body{font:16px/1.6 system-ui,'Noto Sans CJK SC',sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;width:100%;margin:0 0 2rem}"
    "th,td{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left}"
)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A part of a report."""

    title: str
    head: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class WarningReport:
    """Between two moments, s since 1970."""

    title: str
    begin: float
    end: float
    tables: tuple[ReportTable, ...]


def report(
    begin: float,
    end: float,
    contacts: Sequence[Contact],
    before: Sequence[Contact],
    warnings: Sequence[tuple[KeptWarning, str]],
    hot: Sequence[Matter],
    pack: CityPack,
) -> WarningReport:
    """Of contacts and warnings (with titles) between two moments.

    Args:
        before: of the time of the same length before.
    """
    period = "日报" if end - begin < 2 * 86_400 else "周报"
    told = tuple(
        (
            KINDS[WarningKind(each.kind)],
            title,
            _cell(each, pack),
            _moment(each.told_at),
            str(each.voices),
            STATES[each.state],
        )
        for each, title in warnings
    )
    matters = tuple((each.title, str(each.voices), _moment(each.begun_at)) for each in hot)
    return WarningReport(
        f"{_city(pack)}12345 监测预警{period}",
        begin,
        end,
        (
            ReportTable("预警", ("类型", "内容", "范围", "首次预警", "人数", "状态"), told),
            ReportTable("热点", ("内容（最近一千件工单）", "人数", "首次反映"), matters),
            _counted("分类", heads(pack), contacts, before, lambda each: each.category[:2]),
            _counted("区县", _counties(pack), contacts, before, _county),
        ),
    )


def as_html(made: WarningReport) -> str:
    """A page of its own: it may be sent on and printed."""
    parts = [f"<h1>{escape(made.title)}</h1><p>{_moment(made.begin)} – {_moment(made.end)}</p>"]
    for each in made.tables:
        head = "".join(f"<th>{escape(name)}</th>" for name in each.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in each.rows
        )
        body = rows or f'<tr><td colspan="{len(each.head)}">无</td></tr>'
        parts.append(f"<h2>{escape(each.title)}</h2><table><tr>{head}</tr>{body}</table>")
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(made.title)}'
        f"</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>"
    )


def as_json(made: WarningReport) -> str:
    return json.dumps(asdict(made), ensure_ascii=False)


def as_csv(made: WarningReport) -> str:
    """Its tables one below the other; opens in a spreadsheet, and nothing in it is a formula."""
    file = io.StringIO()
    file.write("\ufeff")
    writer = csv.writer(file)
    writer.writerow([made.title, _moment(made.begin), _moment(made.end)])
    for each in made.tables:
        writer.writerow([])
        writer.writerow([each.title])
        writer.writerow(each.head)
        writer.writerows([_plain(cell) for cell in row] for row in each.rows)
    return file.getvalue()


def _counted(
    what: str,
    names: Sequence[tuple[str, str]],
    contacts: Sequence[Contact],
    before: Sequence[Contact],
    key: Callable[[Contact], str],
) -> ReportTable:
    now, then = (Counter(key(each) for each in some) for some in (contacts, before))
    rows = sorted(((name, now[code], then[code]) for code, name in names), key=lambda r: -r[1])
    shown = tuple((name, str(n), str(m), _change(n, m)) for name, n, m in rows if n or m)
    total = ("合计", str(len(contacts)), str(len(before)), _change(len(contacts), len(before)))
    return ReportTable(what, (what, "本期", "上期", "变化"), (*shown, total))


def _change(now: int, then: int) -> str:
    return f"{(now - then) / then:+.0%}" if then else "—"


def _counties(pack: CityPack) -> list[tuple[str, str]]:
    return [(each.code, each.name) for each in pack.divisions.of_level(DivisionLevel.COUNTY)]


def _city(pack: CityPack) -> str:
    return next((each.name for each in pack.divisions.of_level(DivisionLevel.CITY)), "")


def _county(contact: Contact) -> str:
    return up_to(contact.place, DivisionLevel.COUNTY) if contact.place else ""


def _cell(warning: KeptWarning, pack: CityPack) -> str:
    path = pack.taxonomy.path(warning.category)
    names = (
        pack.divisions.name(warning.place) if warning.place else "",
        path[-1].name if path else "",
    )
    return " · ".join(filter(None, names))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, CHINA).strftime("%Y-%m-%d %H:%M")


def _plain(cell: str) -> str:
    """No formula, whatever a citizen has written; a change of +12% is one of ours."""
    return cell if _CHANGE.fullmatch(cell) else plain(cell)


# By the name that is asked for: its media type, and what writes it.
FORMS: dict[str, tuple[str, Callable[[WarningReport], str]]] = {
    "json": ("application/json", as_json),
    "html": ("text/html", as_html),
    "csv": ("text/csv", as_csv),
}
