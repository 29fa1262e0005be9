"""What HTTP tells as JSON, told by messages; and what messages ask for, checked as there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from appliance.api.fields import DOING, within_reason
from appliance.errors import InvalidRequest

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)
NumberT = TypeVar("NumberT", int, float)


def message(kind: Any, told: Mapping[str, Any]) -> Any:
    """Fields of one name are one; moments (s since 1970) become Timestamps, null is unset."""
    return ParseDict(_fields(kind.DESCRIPTOR, told), kind())


def _fields(descriptor: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    known = descriptor.fields_by_name
    given = {name: value for name, value in told.items() if value is not None}
    return {name: _value(known[name].message_type, value) for name, value in given.items()}


def _value(kind: Any, value: Any) -> Any:
    if kind is None or kind.GetOptions().map_entry or kind.full_name == "google.protobuf.Struct":
        return value
    if kind.full_name == "google.protobuf.Timestamp":
        return moment(value).ToJsonString()
    if isinstance(value, list | tuple):
        return [_value(kind, each) for each in value]
    return _fields(kind, value)


def moment(at: float) -> Timestamp:
    return Timestamp(seconds=int(at), nanos=int(at % 1 * 1e9))


def seconds(message: Any, name: str) -> float | None:
    """Of a Timestamp; None where it is unset."""
    if not message.HasField(name):
        return None
    told: Timestamp = getattr(message, name)
    at = float(told.seconds) + float(told.nanos) / 1e9
    return within_reason(at, name)


def resource(collection: str, found: str) -> str:
    """The name of a thing; of nothing, nothing."""
    return f"{collection}/{found}" if found else ""


def chosen(kind: type[ChoiceT], given: str, param: str) -> ChoiceT:
    """Raises InvalidRequest."""
    try:
        return kind(given)
    except ValueError as error:
        hint = ", ".join(each.value for each in kind)
        raise InvalidRequest(DOING, f"{param} is {given[:20]!r}", hint, param=param) from error


def bounded(given: NumberT, param: str, usual: NumberT, most: NumberT) -> NumberT:
    """`usual` for what is not given; raises InvalidRequest."""
    if not 0 <= given <= most:
        raise InvalidRequest(DOING, f"{param} must be 0 to {most}, 0: {usual}", param=param)
    return given or usual


def day_of(given: str, param: str) -> date | None:
    """Raises InvalidRequest."""
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        cause = f"{param} is {given[:20]!r}, no day"
        raise InvalidRequest(DOING, cause, "write it as 2026-12-31", param=param) from error
