"""What pages show: rendered once for all of them, and told to each as far as it has not seen it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.access.roles import Principal
from appliance.console import condition
from appliance.console.board import Board, Lines
from appliance.console.page import renderer
from appliance.console.viewer import Language, Viewer
from appliance.errors import Overloaded
from appliance.watch.history import History, Sample

if TYPE_CHECKING:
    from appliance.call.box import Box

CONDITION_EVERY_S = 1.0
MOST_VIEWERS = 200
MOST_OF_ONE = 50  # open pages of one credential


class SharedView:
    """What all pages share: each board and each condition is rendered once, not once a page."""

    def __init__(self, box: Box, lines: Lines) -> None:
        self._box, self._lines = box, lines
        self._boards: dict[tuple[str, Language], Board] = {}
        self._conditions: dict[Language, tuple[float, dict[str, str]]] = {}
        self._viewers: Counter[str] = Counter()  # by credential

    @property
    def draining(self) -> bool:
        return self._box.draining

    @contextmanager
    def place(self, who: Principal) -> Iterator[None]:
        """For one page; raises Overloaded if too many are open, of all or of this credential."""
        key = who.credential  # empty where the door asks for none: then only all of them count
        everyone, own = self._viewers.total(), self._viewers[key] if key else 0
        if everyone >= MOST_VIEWERS or own >= MOST_OF_ONE:
            cause = f"{everyone} pages are open, {own} of them with this key"
            raise Overloaded("follow the box", cause, "close some", retry_after_s=5)
        self._viewers[key] += 1
        try:
            yield
        finally:
            self._viewers[key] -= 1

    def board(self, who: Principal, language: Language) -> Board:
        key = (who.tenant, language)
        if key not in self._boards:
            self._boards[key] = Board(
                lambda: (line for line in self._lines.live() if who.sees(line.call.config.tenant)),
                renderer(language).row,
            )
        return self._boards[key]

    def condition(self, language: Language) -> dict[str, str]:
        """HTML by the event that brings it; worked out anew after CONDITION_EVERY_S."""
        at, parts = self._conditions.get(language, (float("-inf"), {}))
        if time.monotonic() - at >= CONDITION_EVERY_S or self.draining:
            at, parts = time.monotonic(), renderer(language).condition(condition.look(self._box))
            self._conditions[language] = (at, parts)
        return parts


@dataclass(frozen=True, slots=True)
class PagePart:
    """Something of a page that has changed."""

    name: str  # which part
    data: str  # HTML, or JSON for a sample


class PageNews:
    """One page's: everything at first, then what is new."""

    def __init__(
        self, shared: SharedView, history: History, viewer: Viewer, who: Principal
    ) -> None:
        self._shared, self._history, self._viewer, self._who = shared, history, viewer, who
        self._parts: dict[str, str] = {}  # of the condition, as last told
        self._version = 0
        self._sampled_at = time.time()

    def take(self) -> list[PagePart]:
        """Since it was last asked: `verdict`, `load`, `now`, `condition`, `sample`, `calls`."""
        found = []
        if self._viewer.sees_condition:
            parts = self._shared.condition(self._viewer.language)
            changed = {k: html for k, html in parts.items() if html != self._parts.get(k)}
            self._parts = parts
            found += [PagePart(name, html) for name, html in changed.items()]
            for sample in self._history.since(self._sampled_at):
                self._sampled_at = sample.at
                found.append(PagePart("sample", json.dumps(rounded(sample))))
        if self._viewer.sees_calls:
            news = self._shared.board(self._who, self._viewer.language).since(self._version)
            if news.version != self._version:
                self._version = news.version
                found.append(PagePart("calls", renderer(self._viewer.language).calls(news)))
        return found


def rounded(sample: Sample) -> list[float | None]:
    """As the page draws it: when, s since 1970, then its values."""
    values = (None if value is None else round(value, 4) for value in sample.values)
    return [round(sample.at, 1), *values]
