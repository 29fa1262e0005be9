"""How many live legs an engine carries: reckoned from what windows cost it on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from appliance.engine.cost import CostModel
from appliance.engine.protocol import SpeechEngine
from appliance.errors import LingtingError
from inference.tensors import SAMPLE_RATE_HZ, Audio, Priority, Window

LENGTHS_S = (2.0, 4.0, 8.0)  # of windows that the cost is learned from
TOGETHER = 4  # windows asked at once, as several legs would
UTTERANCE_S = 4.0  # a middling one
SPEAKING_SHARE = 0.5  # of a call a leg speaks
MOST_LEGS = 400  # what one core, all that the gateway uses, judges for speech: see audio/vad.py
GATEWAY_LEGS = 150  # legs that cost the gateway a core in all: decoding, journal, answers, too
RESERVE = 0.7  # of what is reckoned is sold; bursts need the rest
LEAST_LEGS = 2  # one stereo call is taken, if its finals can be had at the pace of speech


async def measure(engine: SpeechEngine, audio: Audio, idle: Callable[[], bool]) -> bool:
    """Ask for windows of `audio`, alone and together, and let the engine's cost model learn.

    Returns whether the engine answered them all. Real calls go first: these wait like recordings,
    and once the engine is not `idle` any more the calls themselves tell what they cost.
    """
    for together in (1, TOGETHER):
        for length_s in LENGTHS_S:
            sound = np.resize(audio, int(length_s * SAMPLE_RATE_HZ)).astype(np.float32)
            final, partial = Window(sound), draft(sound)
            if not idle():
                return True
            for window, priority in ((final, Priority.FINAL), (partial, Priority.PARTIAL)):
                asking = (_ask(engine, window, priority) for _ in range(together))
                try:
                    await asyncio.gather(*asking)
                except LingtingError:
                    return False
    return True


def draft(sound: Audio) -> Window:
    """As a partial is asked for."""
    return Window(sound, word_times=False, retries=False, draft=True)


async def _ask(engine: SpeechEngine, window: Window, taken_for: Priority) -> None:
    answer = await engine.ask(window, Priority.RECORDING, None)
    engine.cost.learn(window, taken_for, answer)


def most_legs(cores: int) -> int:
    """That one gateway carries, however many engines answer it."""
    return min(MOST_LEGS, int(RESERVE * GATEWAY_LEGS * cores))


def legs_at(cost: CostModel, cores: int) -> int | None:
    """Live legs whose finals keep up, partials given up; None while nothing is known.

    Engine and gateway share `cores`. 0 if not one call's finals would keep up.
    """
    final_s = cost.seconds(UTTERANCE_S)  # alone: few finals of a live box meet
    if final_s is None:
        return None
    heard = cost.lanes * UTTERANCE_S / max(final_s, 1e-6) / SPEAKING_SHARE
    most = 1 / (1 / heard + 1 / (GATEWAY_LEGS * cores))
    if most < LEAST_LEGS:
        return 0
    return min(MOST_LEGS, max(LEAST_LEGS, int(RESERVE * most)))
