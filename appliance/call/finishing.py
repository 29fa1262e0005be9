"""Finals of one leg that are under way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from inference.tensors import Hypothesis


@dataclass(slots=True)
class Finishing:
    """Finals under way: bounded, and published in the order of their utterances."""

    places: asyncio.Semaphore
    last: asyncio.Task[None] | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


def swallow(task: asyncio.Future[Hypothesis]) -> None:
    """An early pass that was dropped may fail unheard."""
    if not task.cancelled():
        task.exception()
