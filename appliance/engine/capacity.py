"""How many live legs an engine carries: measured on this machine, with this model, at the start."""

from __future__ import annotations

import asyncio
import statistics
import time

import numpy as np

from appliance.engine.protocol import SpeechEngine
from appliance.errors import LingtingError
from inference.tensors import SAMPLE_RATE_HZ, Audio, Priority, Window

WINDOW_S = 4.0  # a middling partial
TOGETHER = 16  # windows asked at once, as many legs would
SLICES, SLICE_S = 7, 0.4  # measured apart: what else the machine did in one does not count
SPEAKING_SHARE = 0.5  # of a call a leg speaks
# Partials may come this much apart before calls are refused: the interval widens first.
INTERVAL_S = 1.2
MOST_LEGS = 400  # what one core of the gateway judges for speech, see audio/vad.py
RESERVE = 0.7  # of the measured rate is sold; finals and bursts need the rest
LEAST_LEGS = 2  # one stereo call is always taken


async def measure_legs(engine: SpeechEngine, audio: Audio) -> int:
    """Ask for windows of `audio`, many at once; the live legs that the median rate carries."""
    samples = int(WINDOW_S * SAMPLE_RATE_HZ)
    window = Window(np.resize(audio, samples).astype(np.float32), retries=False)
    answered = 0

    async def keep_asking() -> None:
        nonlocal answered
        while True:
            try:
                await engine.listen(window, Priority.PARTIAL, SLICES * SLICE_S)
            except LingtingError:
                return
            answered += 1

    asking = [asyncio.create_task(keep_asking()) for _ in range(TOGETHER)]
    try:
        rates = []
        for _ in range(SLICES):
            before, begun = answered, time.monotonic()
            await asyncio.sleep(SLICE_S)
            rates.append((answered - before) / (time.monotonic() - begun))
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    per_s = statistics.median(rates)
    legs = int(RESERVE * per_s * INTERVAL_S / SPEAKING_SHARE)
    return min(MOST_LEGS, max(LEAST_LEGS, legs))
