"""What people may write into an order, and what is wrong with what they write."""

from __future__ import annotations

from typing import Any

from appliance.assist.orders.draft import OrderField
from appliance.assist.slots.appeal import APPEALS
from appliance.assist.slots.secrecy import OPEN, SECRET
from appliance.errors import InvalidRequest

MOST_TEXT = 4000  # characters of one field or reason
EDITABLE = frozenset(OrderField) - {OrderField.UNIT, OrderField.HELPERS}  # those go by dispatch


def named(name: str) -> OrderField:
    if name in {each.value for each in EDITABLE}:
        return OrderField(name)
    known = ", ".join(sorted(EDITABLE))
    raise InvalidRequest("correct an order", f"there is no field {name!r}", f"there are {known}")


def text_of(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise InvalidRequest(
            "change an order", f"{name} is no text of at most {MOST_TEXT} characters", param=name
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        cause = f"{name} holds half a character at {error.start}"
        raise InvalidRequest("change an order", cause, param=name) from error
    return value


def checked(name: str, value: Any) -> Any:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            text_of(name, each)
    return value


def is_confidential(text: str) -> bool:
    if text not in (SECRET, OPEN):
        hint = f"{SECRET} or {OPEN}"
        raise InvalidRequest("correct an order", f"secrecy is {text!r}", hint, param="secrecy")
    return text == SECRET


def number(text: str) -> str:
    """A telephone number, or nothing; raises InvalidRequest."""
    if text and not any(each.isdigit() for each in text):
        cause = f"{text!r} has no digits"
        raise InvalidRequest("correct an order", cause, "a number, or empty", param="phone")
    return text


def appeal(text: str) -> str:
    if text and text not in APPEALS:
        cause = f"there is no appeal {text!r}"
        raise InvalidRequest("correct an order", cause, f"one of {'、'.join(APPEALS)}")
    return text
