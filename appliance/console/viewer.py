"""Whoever looks at the pages, and what of them is for their eyes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from appliance.access.roles import (
    APPEALS,
    APPROVES,
    EDITS,
    INSPECTS,
    OPERATES,
    ORDERS,
    READS,
    SEARCHES,
    SEES_WARNINGS,
    SENDS,
    WARNS,
    WRITES,
    AccessRole,
)

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """As far as a page must know; the doors behind it ask again.

    Attributes:
        signed_in: by a key: can sign out.
        followed: whether this box follows its calls: else there are no orders, terms, warnings.
    """

    name: str
    language: Language
    roles: frozenset[AccessRole]
    signed_in: bool = False
    followed: bool = False

    def _has(self, roles: Iterable[AccessRole]) -> bool:
        return not self.roles.isdisjoint(roles)

    @property
    def sees_condition(self) -> bool:
        return self._has(OPERATES)

    @property
    def sees_calls(self) -> bool:
        return self._has(READS)

    @property
    def sees_orders(self) -> bool:
        return self.followed and self._has(ORDERS)

    @property
    def sees_status(self) -> bool:
        """Whether anything of the first page is for them."""
        return self.sees_condition or self.sees_calls or self.sees_orders

    @property
    def sees_terms(self) -> bool:
        return self.followed and self._has(READS)

    @property
    def may_write_terms(self) -> bool:
        return self._has(WRITES)

    @property
    def may_try(self) -> bool:
        return self._has(SENDS)

    @property
    def sees_warnings(self) -> bool:
        return self.followed and self._has(SEES_WARNINGS)

    @property
    def may_warn(self) -> bool:
        return self._has(WARNS)

    @property
    def sees_quality(self) -> bool:
        return self.followed and self._has(READS)

    @property
    def may_inspect(self) -> bool:
        return self._has(INSPECTS)

    @property
    def may_appeal(self) -> bool:
        return self._has(APPEALS)

    @property
    def sees_knowledge(self) -> bool:
        return self.followed and self._has(SEARCHES)

    @property
    def may_edit(self) -> bool:
        return self._has(EDITS)

    @property
    def may_approve(self) -> bool:
        return self._has(APPROVES)

    @property
    def places(self) -> list[tuple[str, str, str]]:
        """Pages that they may open: path, name in Chinese and in English."""
        every = (
            (self.sees_status, ("/", "状态", "Status")),
            (self.sees_warnings, ("/warnings", "预警", "Warnings")),
            (self.sees_quality, ("/quality", "质检", "Quality")),
            (self.sees_knowledge, ("/knowledge", "知识", "Knowledge")),
            (self.sees_terms, ("/terms", "热词", "Terms")),
            (self.may_try, ("/try", "试听", "Try it")),
        )
        return [place for seen, place in every if seen]
