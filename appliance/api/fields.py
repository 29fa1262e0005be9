"""What somebody sent, as fields of a model: the same faults through every door."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from appliance.errors import InvalidRequest

DOING = "read the request"
UNKEPT = re.compile(r"[\ud800-\udfff]|(?<!\\)(?:\\\\)*\\u0000")  # in JSON
FIRST, LAST = 946_684_800.0, 4_102_444_800.0  # 2000 and 2100, s since 1970
SKEW_S = 60.0  # of clocks
ModelT = TypeVar("ModelT", bound=BaseModel)


def checked(model: type[ModelT], fields: dict[str, Any]) -> ModelT:
    """Raises InvalidRequest naming the first wrong field."""
    try:
        if UNKEPT.search(json.dumps(fields, ensure_ascii=False)):
            cause = "it holds half a character, or a NUL"
            raise InvalidRequest(DOING, cause, "send whole Unicode characters")
        return model(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        cause = "there is no such field" if unknown else first["msg"]
        known = ", ".join(model.model_fields)
        hint = f"there are {known}" if unknown else "/openapi.json describes every field"
        raise InvalidRequest(DOING, f"{name}: {cause}", hint, param=name) from error
    except TypeError as error:
        raise InvalidRequest(DOING, "a field's name is no name") from error


def seconds_of(moment: datetime | None, name: str) -> float | None:
    """s since 1970; raises InvalidRequest for what is no moment of this century."""
    try:
        at = moment.timestamp() if moment else None
    except (ValueError, OverflowError):
        at = -1.0
    return at if at is None else within_reason(at, name)


def within_reason(at: float, name: str) -> float:
    """Raises InvalidRequest."""
    if not FIRST <= at <= LAST:
        cause, hint = f"{name} is out of range", "a moment of this century"
        raise InvalidRequest(DOING, cause, hint, param=name)
    return at


def checked_begin(at: float | None) -> float:
    """When a recorded call began; 0: it is not told. Raises InvalidRequest."""
    if at is not None and at > time.time() + SKEW_S:
        raise InvalidRequest(DOING, "it begins in the future", "check its zone", param="began_at")
    return at or 0.0
