"""Clauses that only tell how somebody is reached: 我的电话是…, 我姓王."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from appliance.assist.slots.digits import groups
from appliance.assist.slots.turns import CACHED

CONTACT = re.compile(
    r"(?:我|免贵|^|，)姓|(?:电话|手机|座机|号码|联系方式)|尾号|保密|透露|打过来|刚才打|单号|"
    r"贵姓|立早|弓长|耳东|双木|言午|我叫|身份证|本机|来电|这个号"
)
A_NUMBER = 7  # digits
_CLAUSE = re.compile(r"[^，,、\s]+[，,、\s]*")


def is_number(text: str) -> bool:
    return sum(len(group.digits) for group in groups(text)) >= A_NUMBER


@lru_cache(maxsize=CACHED)
def apart(text: str) -> tuple[tuple[int, int], ...]:
    """Spans of what is told besides, the longest first; none where nothing or all is contact."""
    clauses = [(_is_contact(found[0]), found.span()) for found in _CLAUSE.finditer(text)]
    if len({contact for contact, _ in clauses}) < 2:
        return ()
    return tuple(sorted(_runs(clauses), key=lambda span: span[0] - span[1]))


def without(text: str) -> str:
    """The longest of what is told besides; "" where nothing or all is contact."""
    return next((text[start:end] for start, end in apart(text)), "")


def _is_contact(clause: str) -> bool:
    return bool(CONTACT.search(clause)) or is_number(clause)


def _runs(clauses: list[tuple[bool, tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    for contact, run in groupby(clauses, key=lambda clause: clause[0]):
        spans = [span for _, span in run]
        if not contact:
            yield spans[0][0], spans[-1][1]
