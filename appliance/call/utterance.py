"""Speech under way: what a leg knows of the utterance that is being spoken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from appliance import traces
from appliance.call.agreement import Agreement
from inference.tensors import Hypothesis, Window

WORDS_FROM_S = 4.0  # windows longer than this are aligned, so that they can be shortened


@dataclass(slots=True)
class OpenUtterance:
    """Samples count from the start of the leg."""

    number: int
    begin: int
    begun_at: float  # monotonic s
    agreement: Agreement
    span: traces.Span  # of its trace
    published: bool = False  # some partial of it was
    next_partial: int = 0  # not before this sample
    partial: asyncio.Task[None] | None = None
    early: asyncio.Task[Hypothesis] | None = None  # the final pass begun at the early sign
    early_end: int = 0  # where that pass ends


def partial_window(window: Window) -> Window:
    """Quick and cheap: greedy, no retries, aligned only if it is to be shortened soon."""
    return Window(
        audio=window.audio,
        language=window.language,
        task=window.task,
        beam_size=1,
        word_times=window.duration_s > WORDS_FROM_S,
        retries=False,
        draft=True,
    )
