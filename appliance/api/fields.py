"""What somebody sent, as fields of a model: the same faults through every door."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from appliance.errors import InvalidRequest

DOING = "read the request"
ModelT = TypeVar("ModelT", bound=BaseModel)


def checked(model: type[ModelT], fields: dict[str, Any]) -> ModelT:
    """Raises InvalidRequest naming the first wrong field."""
    try:
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
