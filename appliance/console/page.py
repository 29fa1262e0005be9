"""Jinja templates to HTML, in Chinese or English. All that is shown passes its escaping."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from appliance.console.board import BoardNews, Row
from appliance.console.condition import BoxState, Grade
from appliance.console.orders import OrderRow
from appliance.console.viewer import Language, Viewer
from appliance.console.words import EMOTIONS, LEVELS, NO_ROLE, ROLES
from appliance.store.term_lists import TermList
from appliance.terms.files import written_terms
from appliance.watch.history import KEPT_S, SAMPLE_EVERY_S, SERIES
from inference.tensors import ModelCard

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
GIB = 1 << 30
JUST_NOW_S = 90

# A grade is told by a word and a sign, never by colour alone.
GRADES = {
    Grade.GOOD: ("正常", "good", "✓"),
    Grade.LOOK: ("注意", "look", "!"),
    Grade.BAD: ("故障", "bad", "✕"),
}
PLACES = {"store": ("通话存储", "calls"), "scratch": ("临时文件", "scratch")}


class Renderer:
    """The templates in one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            t=self.t,
            language=language,
            other="en" if language == "zh" else "zh",
            mark=self._mark,
            sign=self._sign,
            ago=self._ago,
            of=self._of,
            EMOTIONS=EMOTIONS,
            LEVELS=LEVELS,
            ROLES=ROLES,
            NO_ROLE=NO_ROLE,
            PLACES=PLACES,
            GIB=GIB,
        )

    def t(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def _of(self, pair: tuple[str, ...]) -> str:
        """Of a table's entry, the words in this language."""
        return pair[0] if self.language == "zh" else pair[1]

    def _mark(self, told: str) -> Markup:
        grade = Grade(told)
        zh, en, sign = GRADES[grade]
        shape = '<span class="mark {}"><span aria-hidden="true">{}</span> {}</span>'
        return Markup(shape).format(grade.value, sign, self.t(zh, en))

    def _sign(self, told: str) -> Markup:
        """Where the words beside it say how it is."""
        grade = Grade(told)
        shape = '<span class="mark {}" aria-hidden="true">{}</span>'
        return Markup(shape).format(grade.value, GRADES[grade][2])

    def _ago(self, seconds: float | None) -> str:
        if seconds is None:
            return self.t("从未", "never")
        if seconds < JUST_NOW_S:
            return self.t("刚刚", "just now")
        if seconds < 5400:
            return self.t(f"{seconds / 60:.0f} 分钟前", f"{seconds / 60:.0f} min ago")
        return self.t(f"{seconds / 3600:.0f} 小时前", f"{seconds / 3600:.0f} h ago")

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)

    def page(self, viewer: Viewer) -> str:
        series = json.dumps({"names": SERIES, "every_s": SAMPLE_EVERY_S, "kept_s": KEPT_S})
        return self._render("page.html", viewer=viewer, series=series)

    def login(self, *, without_role: bool = False) -> str:
        return self._render("login.html", without_role=without_role)

    def trying(self, viewer: Viewer, models: Iterable[ModelCard]) -> str:
        return self._render("try.html", viewer=viewer, models=list(models))

    def view(self, name: str, viewer: Viewer, facts: Mapping[str, Any]) -> str:
        """Of knowledge, quality or warnings: a frame that its script fills through the doors."""
        return self._render(f"{name}.html", viewer=viewer, facts=facts)

    def condition(self, condition: BoxState) -> dict[str, str]:
        """By the event that brings it: what changes each second moves nothing else."""
        parts = {
            name: self._render(f"{name}.html", box=condition)
            for name in ("verdict", "load", "condition")
        }
        return {**parts, "now": time.strftime("%H:%M:%S")}

    def row(self, row: Row) -> str:
        begun = time.strftime("%H:%M:%S", time.localtime(row.begun_at))
        return self._render("row.html", row=row, begun=begun)

    def orders(self, rows: Sequence[OrderRow], total: int, late: int) -> str:
        return self._render("orders.html", rows=rows, total=total, late=late)

    def terms(self, viewer: Viewer, kept: TermList) -> str:
        """A term a line; CSV where one of them has a weight or a category."""
        text = written_terms(kept.terms)
        return self._render("terms.html", viewer=viewer, text=text, changed_by=kept.changed_by)

    def calls(self, news: BoardNews) -> str:
        """What changed, to be put where it belongs by id."""
        rows = news.rows
        return self._render(
            "calls.html",
            everything=news.everything,
            new=[html for is_new, html in rows if is_new],
            changed=[html for is_new, html in rows if not is_new],
            gone=news.gone,
            hidden=news.hidden,
            count=news.count,
        )


@cache
def renderer(language: Language) -> Renderer:
    return Renderer(language)
