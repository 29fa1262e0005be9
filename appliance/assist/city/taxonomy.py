"""Categories of matters (事项分类): two to four levels, by code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Literal

from pydantic import Field

from appliance.assist.city.reader import PackRow, Words


class Appeal(StrEnum):
    """诉求类型."""

    ASK = "咨询"
    HELP = "求助"
    COMPLAIN = "投诉"
    REPORT = "举报"
    SUGGEST = "建议"
    PRAISE = "表扬"


class Category(PackRow):
    """One; its parent's code is the head of its own.

    Attributes:
        fields: what has to be asked for besides name, phone, time, place and matter.
    """

    code: str = Field(pattern=r"^(\d\d){1,4}$")
    name: str = Field(min_length=1)
    parent: str = ""
    appeal: Appeal = Appeal.HELP
    aliases: Words = ()
    keywords: Words = ()
    fields: Words = ()
    summary: str = ""


class CategoryExample(PackRow):
    """A sentence that belongs to a category; and whose it is, where somebody has said so.

    Attributes:
        tier: how urgent it is; empty: nobody has said whose it is.
        main, level: the function that leads, where it is not the catalogue's.
        helpers: the functions that have a part in it.
    """

    category: str
    text: str = Field(min_length=1)
    tier: str = ""
    main: str = ""
    level: Literal["", "city", "county"] = ""
    helpers: Words = ()


class Taxonomy:
    """All categories."""

    def __init__(
        self, categories: Iterable[Category], examples: Iterable[CategoryExample] = ()
    ) -> None:
        self._by_code = {category.code: category for category in categories}
        self.examples = tuple(examples)
        parents = {category.parent for category in self}
        self.leaves = tuple(each for each in self if each.code not in parents)

    def __iter__(self) -> Iterator[Category]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def get(self, code: str) -> Category | None:
        return self._by_code.get(code)

    def path(self, code: str) -> tuple[Category, ...]:
        """From the top down to it; those that are known. Ends where a cycle would begin."""
        found: list[Category] = []
        category = self._by_code.get(code)
        while category and category not in found:
            found.append(category)
            category = self._by_code.get(category.parent)
        return tuple(reversed(found))

    def name(self, code: str) -> str:
        """As an order shows it: 城乡建设 / 市容环卫 / 垃圾清运."""
        return " / ".join(category.name for category in self.path(code))
