"""Calls of the box's own in quiet hours, so that a fault of the night is known before the morning.

The engines' canaries ask a model; this one is a call from its first byte to its last, in real time,
by the way that citizens' calls take. It is kept nowhere and told to nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import numpy as np

from appliance.call.box import Box
from appliance.call.conversation import Conversation
from appliance.call.keeping import Ending
from appliance.call.log import EventLog
from appliance.engine.canary import Canary, is_close, load_canary
from appliance.errors import LingtingError
from appliance.messages import (
    CANARY_TENANT,
    AudioFormat,
    CallConfig,
    Encoding,
    Final,
)
from appliance.watch.history import by_label
from inference.tensors import SAMPLE_RATE_HZ

log = logging.getLogger(__name__)

DOOR = "canary"
PIECE_S = 0.1
LONGEST_S = 60.0  # a call that takes longer has failed
TAIL_S = 1.0  # of silence after the words, so that the endpoint is found as in a call


class SyntheticCalls:
    """`start` and `close` it.

    Args:
        every_s: a call after so long without any other live call; 0: none.
    """

    def __init__(self, box: Box, every_s: float) -> None:
        self._box, self._every_s = box, every_s
        self._calling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._every_s:
            self._calling = asyncio.create_task(self._call_always(), name="quiet-calls")

    async def close(self) -> None:
        if self._calling:
            self._calling.cancel()
            await asyncio.gather(self._calling, return_exceptions=True)

    async def _call_always(self) -> None:
        while True:
            before = self._calls()
            await asyncio.sleep(self._every_s)
            busy = self._calls() != before or self._box.admission.live_legs
            if busy or self._box.draining:
                continue
            try:
                await self.call()
            except Exception:  # the next one is still placed
                log.exception("a call of the box's own met a bug")

    def _calls(self) -> float:
        """Live calls so far, but for our own."""
        metric = self._box.metrics.system_calls_total
        by_system = by_label(metric, "system", kind="live")
        return sum(count for system, count in by_system.items() if system != CANARY_TENANT)

    async def call(self) -> bool:
        """Place one; whether it heard what was said. Counted, and never raises an error of ours."""
        metrics = self._box.metrics
        try:
            canary = load_canary(self._box.settings.models.asr)
            async with asyncio.timeout(LONGEST_S):
                heard = await self._place(canary)
            good = canary.text is None or is_close(heard, canary.text)
            if not good:
                log.error("a call of the box's own heard %r", heard)
        except (LingtingError, TimeoutError) as error:
            good = False
            log.error("a call of the box's own failed: %s", str(error) or "it took too long")
        metrics.canary_calls_total.labels("good" if good else "failed").inc()
        metrics.canary_calls_failing.inc()
        if good:
            metrics.canary_calls_failing.set(0)
            metrics.canary_call_last_success_timestamp_seconds.set_to_current_time()
        return good

    async def _place(self, canary: Canary) -> str:
        audio = AudioFormat(Encoding.PCM_S16LE, SAMPLE_RATE_HZ, 1)
        config = CallConfig(audio=audio, tenant=CANARY_TENANT, door=DOOR)
        heard = _in_real_time(canary)
        async with Conversation(self._box, config, heard, keeper=Nobody()) as talk:
            said = [t.event.text async for t in talk.told() if isinstance(t.event, Final)]
        return "".join(said)


async def _in_real_time(canary: Canary) -> AsyncIterator[bytes]:
    silence = np.zeros(int(TAIL_S * SAMPLE_RATE_HZ), np.float32)
    audio = np.concatenate([canary.audio, silence])
    pcm = (np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes()
    step, begun = int(PIECE_S * SAMPLE_RATE_HZ) * 2, time.monotonic()
    for number, at in enumerate(range(0, len(pcm), step), start=1):
        yield pcm[at : at + step]
        await asyncio.sleep(begun + number * PIECE_S - time.monotonic())


class Nobody:
    """A `Keeper` that keeps nothing."""

    id = ""

    def __init__(self) -> None:
        self.log = EventLog()

    async def hear(self, data: bytes) -> None:
        pass

    @property
    def ended(self) -> None:
        return None

    async def settle(self) -> None:
        pass

    async def end(self, ending: Ending) -> None:
        pass
