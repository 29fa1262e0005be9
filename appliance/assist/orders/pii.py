"""What tells who somebody is: found in text, and masked for those who need not see it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.assist.orders.draft import OrderField
from appliance.assist.slots.digits import has_digits

ID_CARD = re.compile(r"(?<!\d)\d{6}(?:18|19|20)\d{2}[01]\d[0-3]\d\d{3}[\dXx](?!\d)")
MOBILE = re.compile(r"(?<!\d)1[3-9](?:[\s-]?\d){9}(?!\d)")
LANDLINE = re.compile(r"(?<!\d)0\d{2,3}[\s-]?\d{7,8}(?!\d)")
DIGIT = "[幺一二两三四五六七八九零〇0-9]"
DOOR = re.compile(rf"(?:{DIGIT}|[百十A-Za-z])+(?:号楼|号院|栋|幢|单元|室)")
DOOR_TOO = "\0"  # among the known: doors are masked wherever one is told
SPOKEN = re.compile(rf"{DIGIT}(?:[\s，、-]?{DIGIT}){{6,17}}")
PATTERNS = (("id_card", ID_CARD), ("phone", MOBILE), ("phone", LANDLINE), ("number", SPOKEN))
STAR = "*"
NAME_STARS, LEAST_DIGITS = 2, 7

# Never masked: codes, and moments that are no person's numbers.
CODES = frozenset(
    {"code", "codes", "similar", "division", "place", "number", "utterance", "start", "end"}
)

Json = dict[str, Any]
Known = Mapping[str, str]  # words, and what is shown for them
NOBODY: Known = {}
PERSONAL = (OrderField.NAME, OrderField.PHONE)
HOUSE = frozenset({"building", "unit", "floor", "room", "number", "group", "side"})
HOUSE_SAID = "门牌"  # why of an address's evidence


@dataclass(frozen=True, slots=True)
class PersonMark:
    """Characters `start` to `end` of a text tell who somebody is."""

    start: int
    end: int
    kind: str  # name, phone, id_card, number, address


def plain_number(phone: str) -> str:
    """Its digits, without what stands before a mobile's: +86, 0086, a trunk's 0."""
    digits = re.sub(r"\D", "", phone)
    found = re.fullmatch(r"(?:00)?(?:86)?0?(1[3-9]\d{9})", digits)
    return found[1] if found else digits


def marks(text: str, known: Iterable[tuple[str, str]] = ()) -> list[PersonMark]:
    """Numbers that people are known by, and the `known` (words, kind); none overlaps another."""
    found: list[PersonMark] = []
    for words, kind in known:
        at = text.find(words)
        if at >= 0 and not any(each.start < at + len(words) and at < each.end for each in found):
            found.append(PersonMark(at, at + len(words), kind))
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(text):
            if not any(each.start < match.end() and match.start() < each.end for each in found):
                found.append(PersonMark(match.start(), match.end(), kind))
    return sorted(found, key=lambda mark: mark.start)


def masked(text: str, known: Known = NOBODY) -> str:
    """Without numbers that people are known by; with what stands for each of the `known` words."""
    for words in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(words, known[words])
    for mark in reversed(marks(text)):
        text = text[: mark.start] + hidden(text[mark.start : mark.end]) + text[mark.end :]
    return DOOR.sub(STAR * NAME_STARS, text) if known.get(DOOR_TOO) else text


def hidden(words: str) -> str:
    """138****5678 of a number, 王** of a name."""
    if sum(each.isdigit() for each in words) >= LEAST_DIGITS:
        return words[:3] + STAR * (len(words) - 7) + words[-4:]
    return words[:1] + STAR * NAME_STARS


def personal(fields: Mapping[str, Json], *, door: bool = True) -> Known:
    """Words of a draft that tell who somebody is, and what is shown for them wherever they stand.

    Args:
        door: whether building, unit and room are among them.
    """
    found: dict[str, str] = {}
    for name in PERSONAL:
        value = fields.get(name.value, {})
        others = [each["text"] for each in value.get("alternatives", ())]  # corrected ones
        for words in (value.get("text", ""), *others, *_words(value)):
            if name is OrderField.NAME or has_digits(words):  # and not what agreed to a number
                found[words] = hidden(words)
    if door:
        found[DOOR_TOO] = DOOR_TOO
        place = fields.get(OrderField.ADDRESS.value, {})
        told = (each for name, each in place.get("parts", {}).items() if name in HOUSE)
        for words in (*told, *_words(place, HOUSE_SAID)):
            if len(str(words)) > 1:
                found[str(words)] = STAR * NAME_STARS
    return found


def _words(value: Json, why: str = "") -> list[str]:
    return [each["words"] for each in value.get("evidence", ()) if not why or each["why"] == why]


def masked_draft(body: Mapping[str, Any], personal: Known) -> Json:
    """A draft as those see it who need not know whose it is."""
    return {name: _masked(value, personal) for name, value in body.items()}


def _masked(value: Any, personal: Known) -> Any:
    if isinstance(value, str):
        return masked(value, personal)
    if isinstance(value, Mapping):
        return {
            name: each if name in CODES else _masked(each, personal) for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(each, personal) for each in value]
    return value


def rows(said: Iterable[tuple[str, str]], drafts: Iterable[Json] = ()) -> Iterator[Json]:
    """Marks of a transcript: (utterance, text) to one object each.

    Args:
        drafts: of its orders, whose names and addresses are marked where they were said.
    """
    known: dict[str, list[tuple[str, str]]] = {}
    for fields in (draft.get("fields", {}) for draft in drafts):
        for name in (*PERSONAL, OrderField.ADDRESS):
            for each in fields.get(name.value, {}).get("evidence", ()):
                if each["words"]:
                    known.setdefault(each["utterance"], []).append((each["words"], name.value))
    for utterance, text in said:
        for mark in marks(text, known.get(utterance, ())):
            yield {
                "utterance": utterance,
                "start": mark.start,
                "end": mark.end,
                "kind": mark.kind,
            }
