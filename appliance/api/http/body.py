"""JSON bodies, read by the handler once it knows who sends them.

FastAPI reads a body before it asks its dependencies: all of it, from anybody.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.requests import Request

from appliance.api.fields import DOING
from appliance.api.http.upload import IDLE_TIMEOUT_S, Inlet
from appliance.errors import InvalidRequest

MOST_JSON_BYTES = 64 << 10
MOST_TEXT_BYTES = 256 << 10  # 20,000 characters, each as six


async def read_json(request: Request, most: int = MOST_JSON_BYTES) -> dict[str, Any]:
    """A small object of at most `most` bytes; raises InvalidRequest, TooLarge, IdleTimeout."""
    reader = Request(request.scope, Inlet(request, most, IDLE_TIMEOUT_S).receive)
    try:
        body = await reader.json()
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(DOING, f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidRequest(DOING, "the body must be a JSON object")
    return body


def version_of(if_match: str, doing: str) -> int | None:
    """Of the ETag in an If-Match; None: whichever. Raises InvalidRequest for another's."""
    tag = if_match.strip().removeprefix("W/").strip('"')
    if not tag or tag == "*":
        return None
    if not tag.isdecimal() or len(tag) > 9:
        raise InvalidRequest(doing, "If-Match is none of ours", param="If-Match")
    return int(tag)


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """For a route's `openapi_extra`: what its body holds."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})
    content = {"application/json": {"schema": _inlined(schema, named)}}
    return {"requestBody": {"required": True, "content": content}}


def _inlined(schema: Any, named: dict[str, Any]) -> Any:
    """With every reference replaced by what it refers to."""
    if isinstance(schema, list):
        return [_inlined(each, named) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(named[schema["$ref"].rpartition("/")[2]], named)
    return {name: _inlined(each, named) for name, each in schema.items()}
