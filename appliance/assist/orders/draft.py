"""A draft of an order: its fields, what is missing, what to ask next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from appliance.assist.slots.value import Value

Json = dict[str, Any]


class OrderField(StrEnum):
    """What an order has; in the order in which it is read."""

    APPEAL = "appeal"
    CATEGORY = "category"
    TITLE = "title"
    CONTENT = "content"
    REQUEST = "request"
    ADDRESS = "address"
    WHEN = "when"
    NAME = "name"
    PHONE = "phone"
    AGAINST = "against"
    SECRECY = "secrecy"
    PREVIOUS = "previous"
    UNIT = "unit"
    HELPERS = "helpers"
    TIER = "tier"


CHINESE: Mapping[OrderField, str] = {
    OrderField.APPEAL: "诉求类型",
    OrderField.CATEGORY: "事项分类",
    OrderField.TITLE: "标题",
    OrderField.CONTENT: "内容",
    OrderField.REQUEST: "诉求",
    OrderField.ADDRESS: "地址",
    OrderField.WHEN: "时间",
    OrderField.NAME: "姓名",
    OrderField.PHONE: "电话",
    OrderField.AGAINST: "被反映人",
    OrderField.SECRECY: "是否保密",
    OrderField.PREVIOUS: "旧工单",
    OrderField.UNIT: "主办单位",
    OrderField.HELPERS: "协办单位",
    OrderField.TIER: "紧急程度",
}


@dataclass(slots=True)
class Draft:
    """Of one matter.

    Attributes:
        missing: names of what is wanted and not known.
        question: the next to ask; empty: nothing is open.
        notes: what an agent should know, in Chinese.
        danger: who has to be told at once, and why.
        refusal: why it is not accepted, where it goes, and how to say so.
    """

    matter: int
    pack: str
    fields: dict[OrderField, Value] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    question: str = ""
    notes: tuple[str, ...] = ()
    danger: Json | None = None
    refusal: Json | None = None
    codes: dict[str, str] = field(default_factory=dict)  # category, division, tier, unit, helpers

    def as_json(self) -> Json:
        return {
            "matter": self.matter,
            "pack": self.pack,
            "fields": {name.value: value_json(value) for name, value in self.fields.items()},
            "missing": list(self.missing),
            "question": self.question,
            "notes": list(self.notes),
            "danger": self.danger,
            "refusal": self.refusal,
            "codes": self.codes,
        }


def value_json(value: Value) -> Json:
    """What is empty is left out, but for the text."""
    evidence = [
        {
            "utterance": each.utterance,
            "start_ms": each.start_ms,
            "end_ms": each.end_ms,
            "words": each.words,
            "why": each.why,
        }
        for each in value.evidence
    ]
    others = [
        {"text": each.text, "confidence": round(each.confidence, 3), "code": each.code}
        for each in value.alternatives
    ]
    told: Json = {
        "text": value.text,
        "confidence": round(value.confidence, 3),
        "code": value.code,
        "evidence": evidence,
        "alternatives": others,
        "parts": dict(value.parts),
        "question": value.question,
    }
    return {n: each for n, each in told.items() if n == "text" or each not in ("", [], {})}


def is_secret(fields: Mapping[str, Json]) -> bool:
    """Whether the citizen asked to be kept from those who are complained of."""
    value = fields.get(OrderField.SECRECY.value, {})
    return bool(value.get("parts", {}).get("confidential"))
