"""A call's utterances, as slots read them."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.assist.slots.value import Said
from appliance.messages import Utterance


def said_in(utterances: Iterable[Utterance]) -> list[Said]:
    return [_said(utterance) for utterance in utterances]


def _said(utterance: Utterance) -> Said:
    return Said(
        utterance.id,
        utterance.role,
        utterance.text,
        utterance.start_ms,
        utterance.end_ms,
        utterance.words,
        utterance.confidence,
    )
