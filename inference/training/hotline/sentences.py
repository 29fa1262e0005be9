"""What the voices say: this project's own sentences, in spoken form, with their punctuation."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Callable
from pathlib import Path

from inference.training.text import Sentences

PACK = Path(__file__).resolve().parents[3] / "provisioning" / "city_packs" / "datong"
MOST_CHARACTERS = 42  # some ten seconds
MOST_UNITS = 400  # of the pack's, the city's own first
_WRITTEN = re.compile(r"[0-9A-Za-z<>]")
PLACES = (
    *("我住在{}。", "我在{}。", "{}。", "就是{}这边。", "{}附近。", "我们是{}的。", "{}那儿。"),
    *("{}，对，就是那儿。", "您说的是{}吗？", "请问{}归哪个街道？", "{}旁边的{}。", "地址是{}。"),
    *("离{}不远。", "从{}到{}。", "在{}和{}的路口。", "{}，门口那条路。", "麻烦您派到{}。"),
    *("我是{}的居民，想反映个事。", "您反映的是{}的问题，对吧？"),
)
UNITS = (
    *("我给{}打过电话了，没人管。", "这个归{}管。", "已经转给{}了。", "{}一直推。"),
    *("{}说让我找你们。", "请问{}的电话是多少？", "{}的人来过一次。", "会派给{}处理。"),
)


class HotlineSentences:
    """Draws without end, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._drawn = Sentences(seed)
        self._examples = column("examples.csv", "text")
        self._places = column("places.csv", "name")
        self._divisions = column("divisions.csv", "name")
        self._units = column("units.csv", "name")[:MOST_UNITS]
        self._kinds: dict[Callable[[], str], int] = {
            self._example: 34,
            self._place: 12,
            self._unit: 5,
            **{
                (lambda kind=kind: self._drawn.draw(kind)): weight
                for kind, weight in (
                    ("template", 16),
                    ("digits", 11),
                    ("words", 9),
                    ("mixed", 5),
                    ("everyday", 4),
                    ("colloquial", 4),
                )
            },
        }

    def draw(self) -> str:
        while True:
            kind = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]
            text = kind()
            if len(text) > 1 and not _WRITTEN.search(text):
                return text

    def _example(self) -> str:
        """Some clauses of what a citizen says in the pack's examples."""
        clauses = re.split("(?<=[，。？！；])", self._rng.choice(self._examples))
        count = self._rng.choice((1, 1, 2, 2, 3, 4))
        at = self._rng.randrange(max(1, len(clauses) - count + 1))
        text = "".join(clauses[at : at + count]).strip("，。；")[:MOST_CHARACTERS]
        return text if text.endswith("？") else text + self._rng.choice("。。。。，")

    def _place(self) -> str:
        return self._filled(self._rng.choice(PLACES), self._somewhere)

    def _somewhere(self) -> str:
        names = self._places if self._rng.random() < 0.6 else self._divisions
        house = self._drawn.grammar.expand("house") if self._rng.random() < 0.5 else ""
        return self._rng.choice(names) + house

    def _unit(self) -> str:
        return self._filled(self._rng.choice(UNITS), lambda: self._rng.choice(self._units))

    def _filled(self, frame: str, name: Callable[[], str]) -> str:
        while "{}" in frame:
            frame = frame.replace("{}", name(), 1)
        return frame


def column(file: str, name: str) -> list[str]:
    with (PACK / file).open(encoding="utf-8", newline="") as rows:
        return [row[name] for row in csv.DictReader(rows)]
