"""How many live legs an engine carries: measured on this machine, with this model, at the start."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from appliance.engine.protocol import SpeechEngine
from appliance.errors import Overloaded
from inference.tensors import SAMPLE_RATE_HZ, Audio, Priority, Window

WINDOW_S = 4.0  # a middling partial
TOGETHER = 16  # windows asked at once, as many legs would
MEASURE_S = 3.0  # how long is measured
BUSY_S = 0.02
LEAST_ROUNDS = 3  # of TOGETHER windows, to take their median
SPEAKING_SHARE = 0.5  # of a call a leg speaks
# Partials may come this much apart before calls are refused: the interval widens first.
INTERVAL_S = 1.2
MOST_LEGS = 400  # what one core, all that the gateway uses, judges for speech: see audio/vad.py
RESERVE = 0.7  # of what is measured is sold; finals and bursts need the rest
LEAST_LEGS = 2  # one stereo call is always taken


async def measure_legs(engine: SpeechEngine, audio: Audio) -> int | None:
    """Ask for windows of `audio`, many at once, for MEASURE_S; the live legs that rate carries.

    None if the engine failed meanwhile.
    """
    samples = int(WINDOW_S * SAMPLE_RATE_HZ)
    window = Window(np.resize(audio, samples).astype(np.float32), retries=False)
    answers: list[float] = []  # when each came

    async def keep_asking() -> None:
        while True:
            try:
                await engine.ask(window, Priority.PARTIAL, 2 * MEASURE_S)
                answers.append(time.monotonic())
            except Overloaded:  # its queue is shorter than we ask at once
                await asyncio.sleep(BUSY_S)

    asking = [asyncio.create_task(keep_asking()) for _ in range(TOGETHER)]
    try:
        failed, _ = await asyncio.wait(
            asking, timeout=MEASURE_S, return_when=asyncio.FIRST_EXCEPTION
        )
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return None if failed else legs_at(rate(answers), os.cpu_count() or 1)


def legs_at(windows_per_s: float, cores: int) -> int:
    """Live legs, where the engine and the gateway's judging of speech share the same cores."""
    heard = windows_per_s * INTERVAL_S / SPEAKING_SHARE
    if heard <= 0:
        return LEAST_LEGS
    legs = int(RESERVE / (1 / heard + 1 / (MOST_LEGS * cores)))
    return min(MOST_LEGS, max(LEAST_LEGS, legs))


def rate(answers: Sequence[float]) -> float:
    """Answers a second, by the median round of TOGETHER: other work of a moment does not count."""
    rounds = [later - sooner for sooner, later in pairwise(answers[::TOGETHER])]
    if len(rounds) < LEAST_ROUNDS:
        return len(answers) / MEASURE_S
    return TOGETHER / max(statistics.median(rounds), 1e-3)
