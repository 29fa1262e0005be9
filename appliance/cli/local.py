"""A box of one's own inside a command: the CPU engine and no doors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from appliance.call.box import Box
from appliance.engine.build import build_engine
from appliance.metrics import Metrics
from appliance.settings import Settings


@contextlib.asynccontextmanager
async def open_local_box(settings: Settings) -> AsyncIterator[Box]:
    """Start CPU workers, give a box over them, leave nothing running."""
    without_triton = settings.triton.model_copy(update={"mode": "off"})
    settings = settings.model_copy(update={"triton": without_triton})
    metrics = Metrics()
    box = Box(settings, build_engine(settings, metrics), metrics)
    try:
        await box.start()
        yield box
    finally:
        await box.close()
