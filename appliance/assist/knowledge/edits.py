"""What an entry has to say before it may be kept. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from appliance.assist.city.divisions import Divisions
from appliance.assist.text.likeness import likeness
from appliance.errors import InvalidRequest
from appliance.store.knowledge import KnowledgeEntry

DOING = "keep an entry"
MOST_QUESTIONS, MOST_QUESTION, MOST_ANSWER, MOST_TAGS, MOST_WORD = 50, 500, 20_000, 50, 200
CONTRADICTS = 0.7  # likeness of titles
_AMOUNT = re.compile(
    r"(?<![\d.])(\d{1,12}(?:\.\d{1,6})?)\s*(元|万元|天|日|个?工作日|%|％|度|℃|岁|周岁|年|个月|平方米|小时|次|吨|公里)"
)
_MAY = re.compile(r"(?<!不)(?:可以|能够|需要|必须|免费|收费)")
_MAY_NOT = re.compile(r"不可以|不能|无需|不需要|不得|不收费|不免费")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two entries for one matter, place and time that say different things."""

    entry: str
    other: str
    why: str


def checked(entry: KnowledgeEntry, divisions: Divisions) -> KnowledgeEntry:
    """As it is kept; raises InvalidRequest, naming the field."""
    questions = tuple(dict.fromkeys(filter(None, (each.strip() for each in entry.questions))))
    tags = tuple(dict.fromkeys(filter(None, (each.strip() for each in entry.tags))))
    entry = replace(entry, questions=questions, tags=tags, answer=entry.answer.strip())
    longest = max(map(len, questions), default=0)
    words = max(map(len, (*tags, entry.department, entry.source)), default=0)
    wrong = {
        "questions": len(questions) > MOST_QUESTIONS or longest > MOST_QUESTION,
        "answer": not 0 < len(entry.answer) <= MOST_ANSWER,
        "tags": len(tags) > MOST_TAGS or words > MOST_WORD,
        "scope": bool(entry.scope) and entry.scope not in divisions,
        "valid_from": not _is_day(entry.valid_from),
        "valid_to": not _is_day(entry.valid_to) or _ends_early(entry),
    }
    if param := next((name for name, is_wrong in wrong.items() if is_wrong), None):
        raise InvalidRequest(
            DOING, f"{param} cannot be {_shown(entry, param)}", HINTS[param], param=param
        )
    return entry


HINTS = {
    "questions": f"at most {MOST_QUESTIONS}, each of at most {MOST_QUESTION} characters",
    "answer": f"1 to {MOST_ANSWER} characters; split what is longer by its parts",
    "tags": f"at most {MOST_TAGS}; they, department and source of at most {MOST_WORD} characters",
    "scope": "the 12-digit code of a division of the city pack; empty: wherever the hotline is",
    "valid_from": "a day as 2026-12-31; empty: ever since",
    "valid_to": "a day as 2026-12-31, not before valid_from; empty: until it is changed",
}


def contradictions(entry: KnowledgeEntry, others: Sequence[KnowledgeEntry]) -> list[Contradiction]:
    """With those that hold somewhere and somewhen where it does, too."""
    found = []
    for other in others:
        if other.id in (entry.id, entry.replaces) or not _meet(entry, other):
            continue
        if likeness(entry.title, other.title) < CONTRADICTS:
            continue
        if why := _differ(entry.answer, other.answer):
            found.append(Contradiction(entry.id, other.id, why))
    return found


def _meet(one: KnowledgeEntry, other: KnowledgeEntry) -> bool:
    first, last = max(one.valid_from, other.valid_from), min(_end(one), _end(other))
    return first <= last and one.scope == other.scope


def _end(entry: KnowledgeEntry) -> str:
    return entry.valid_to or date.max.isoformat()


def _differ(one: str, other: str) -> str:
    """Why they cannot both be right; empty: nothing was found."""
    mine, theirs = _claims(one), _claims(other)
    for unit in mine.amounts.keys() & theirs.amounts.keys():
        here, there = mine.amounts[unit], theirs.amounts[unit]
        if not here & there:
            return f"{'、'.join(sorted(here))}{unit} ≠ {'、'.join(sorted(there))}{unit}"
    if {mine.may, theirs.may} == {(True, False), (False, True)}:
        return f"{_first(one)} ≠ {_first(other)}"
    return ""


@dataclass(frozen=True, slots=True)
class _Claimed:
    """What an answer says that another may contradict.

    Attributes:
        amounts: by their units.
        may: whether something may be done, whether something may not.
    """

    amounts: Mapping[str, frozenset[str]]
    may: tuple[bool, bool]


@lru_cache(1024)  # one answer is compared with several
def _claims(answer: str) -> _Claimed:
    return _Claimed(_amounts(answer), (bool(_MAY.search(answer)), bool(_MAY_NOT.search(answer))))


def _first(text: str) -> str:
    found = _MAY_NOT.search(text) or _MAY.search(text)
    return found[0] if found else ""


def _amounts(text: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for number, unit in _AMOUNT.findall(text):
        found.setdefault(unit, set()).add(number)
    return {unit: frozenset(numbers) for unit, numbers in found.items()}


def _is_day(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return not text or (len(text) == 10 and bool(date.fromisoformat(text)))
    return False


def _ends_early(entry: KnowledgeEntry) -> bool:
    return bool(entry.valid_from and entry.valid_to) and entry.valid_to < entry.valid_from


def _shown(entry: KnowledgeEntry, name: str) -> str:
    value = str(getattr(entry, name))
    return repr(value[:40]) if len(value) <= MOST_WORD else f"{len(value)} characters"
