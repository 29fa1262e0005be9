"""The dispatch catalogue (派单目录) and its rules: which function a matter belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field, model_validator

from appliance.assist.city.divisions import DivisionLevel
from appliance.assist.city.reader import PackRow, Words


class Entry(PackRow):
    """Whose a category is. One of a parent holds for its children without one."""

    category: str
    main: str  # a function
    helpers: Words = ()  # functions
    level: Literal["city", "county"] = "county"
    basis: str = ""


class Phrases(PackRow):
    """What has to be said: any of `words`, all of `all`, one of each list of `any_all`, and none of
    `not_words`."""

    words: Words = ()
    all: Words = ()
    any_all: tuple[Words, ...] = ()
    not_words: Words = ()

    @model_validator(mode="after")
    def _says_something(self) -> Phrases:
        if not (self.words or self.all or self.any_all or getattr(self, "categories", ())):
            raise ValueError("neither words nor all: it would always hold")
        return self

    def found(self, text: str) -> str:
        """The words that make it hold; "": it does not."""
        if any(word in text for word in self.not_words):
            return ""
        if not all(word in text for word in self.all):
            return ""
        each = [next((word for word in words if word in text), "") for words in self.any_all]
        if not all(each):
            return ""
        if not self.words:
            return next(iter((*self.all, *each)), "")
        return next((word for word in self.words if word in text), "")


class Rule(Phrases):
    """What the words change of what the catalogue says."""

    name: str
    categories: Words = ()  # codes, or heads of them; empty: any
    main: str = ""
    level: Literal["", "city", "county"] = ""
    add: Words = ()
    tier: str = ""
    reason: str = ""

    def holds(self, category: str, text: str) -> str:
        """The words that make it hold; "": it does not."""
        if self.categories and not category.startswith(self.categories):
            return ""
        if not (self.words or self.all or self.any_all):
            return "" if any(word in text for word in self.not_words) else category
        return self.found(text)


class Refusal(Phrases):
    """What is not accepted (不予受理), and where it goes instead."""

    name: str
    goes_to: str = ""
    wording: str = ""


class Emergency(Phrases):
    """Danger: who is told at once."""

    name: str
    to: Words
    say: str = ""


class EmergencyExample(PackRow):
    """A sentence said in danger, and who has to hear of it; nobody: it only sounds like it."""

    to: Words = ()
    text: str = Field(min_length=1)


class Catalogue:
    """All entries."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_category = {entry.category: entry for entry in entries}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._by_category.values())

    def __len__(self) -> int:
        return len(self._by_category)

    def entry(self, category: str) -> Entry | None:
        """Its own, or that of the nearest above it."""
        for digits in range(len(category), 0, -2):
            if entry := self._by_category.get(category[:digits]):
                return entry
        return None

    @staticmethod
    def level(entry: Entry, rule_level: str = "") -> DivisionLevel:
        return DivisionLevel(rule_level or entry.level)
