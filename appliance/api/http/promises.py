"""What the OpenAPI document promises of answers that are errors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from appliance.api.http.call_schemas import Problem

Responses = dict[int | str, dict[str, Any]]
STATUSES = (400, 401, 403, 404, 408, 409, 413, 429, 500, 503)


class OpenAiFault(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiError(BaseModel):
    """As OpenAI's clients read it."""

    error: OpenAiFault


PROBLEMS: Responses = {
    status: {"model": Problem, "content": {"application/problem+json": {}}} for status in STATUSES
}
OPENAI_ERRORS: Responses = {status: {"model": OpenAiError} for status in STATUSES}


def openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, without the 422 that it adds everywhere and that never comes."""
    document = app.openapi()
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document
