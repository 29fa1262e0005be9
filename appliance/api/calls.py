"""What both of our own doors read from a request the same way."""

from __future__ import annotations

import base64
import binascii
import re

from appliance.errors import InvalidRequest
from appliance.messages import AUTO, BOX_LANGUAGE
from inference.tensors import ModelCard

DEFAULT_PAGE, MOST_PER_PAGE = 50, 1000  # calls in a list
MOST_LEGS = 2


def choose_language(given: str, card: ModelCard) -> str | None:
    """ISO 639-1, a region after it is ignored; "" is the box's own, None is heard by the model."""
    language = re.split("[-_]", given.strip().lower())[0]
    if not language:
        return BOX_LANGUAGE
    if language == AUTO:
        return card.languages[0] if len(card.languages) == 1 else None
    if card.languages and language not in card.languages:
        known = ", ".join(card.languages)
        raise InvalidRequest(
            "read the request",
            f"the model {card.name} does not know {language[:20]!r}",
            f"use {known}",
            param="language",
        )
    return language


def make_token(created_at: float, call_id: str) -> str:
    """Where the next page of a list begins."""
    return base64.urlsafe_b64encode(f"{created_at!r} {call_id}".encode()).decode()


def read_token(token: str) -> tuple[float, str]:
    """Raises InvalidRequest."""
    try:
        at, call_id = base64.urlsafe_b64decode(token.encode()).decode().split(" ")
        return float(at), call_id
    except (ValueError, binascii.Error, UnicodeError) as error:
        cause, hint = "the page_token is none of ours", "take it from the page before"
        raise InvalidRequest("list calls", cause, hint, param="page_token") from error
