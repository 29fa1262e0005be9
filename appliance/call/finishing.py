"""Finals of one leg that are under way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Finishing:
    """Finals under way: bounded, and published in the order of their utterances."""

    places: asyncio.Semaphore
    last: asyncio.Task[None] | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
