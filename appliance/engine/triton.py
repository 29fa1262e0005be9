"""SpeechEngine over Triton; with triton_server.py the only user of tritonclient."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

import numpy as np
import tritonclient.grpc.aio as grpcclient
from tritonclient.utils import InferenceServerException

from appliance.engine.triton_server import TritonServer
from appliance.errors import (
    EngineTimeout,
    EngineUnavailable,
    InvalidRequest,
    LingtingError,
    Overloaded,
)
from appliance.messages import Health
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import (
    ASR_MODEL,
    AUDIO,
    OPTIONS,
    RESULT,
    Hypothesis,
    ModelCard,
    Packed,
    Priority,
    Window,
    pack_window,
    unpack_card,
    unpack_hypothesis,
)

log = logging.getLogger(__name__)

POLL_S = 0.05  # between looks at a server that is loading
RESTART_DELAY_S = (0.5, 30.0)  # first and longest pause before a dead child is started again
QUEUE_FULL = "maximum queue size"  # in Triton's message
LISTENING = "listen through Triton"


class TritonEngine:
    """A Triton that this process starts (`child`) or that runs elsewhere (`remote`)."""

    name = "triton"

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self.server: TritonServer | None = None
        self._client: grpcclient.InferenceServerClient | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._card: ModelCard | None = None
        self._reason = "not started"
        self._failure: LingtingError | None = None  # that the reason tells of

    async def start(self) -> None:
        """Start the child, if there is to be one, and wait until the model answers.

        Called again it only asks: a child is kept alive by its keeper.
        """
        try:
            if self._keeper is None:
                await self._come_up()
            elif not await self._answers():
                raise self._failure or EngineUnavailable("reach Triton", "no answer")
        except LingtingError as error:
            self._fail(error)
            raise
        finally:
            if self._settings.triton.mode == "child" and self._keeper is None:
                self._keeper = asyncio.create_task(self._keep(), name="triton-keeper")

    def _fail(self, error: LingtingError) -> None:
        self._failure, self._reason = error, str(error)

    async def _come_up(self) -> None:
        address = self._settings.triton.address
        if self._settings.triton.mode == "child":
            self.server = self.server or TritonServer(self._settings)
            await self.server.start()
            address = self.server.address
        if self._client is None:
            self._client = grpcclient.InferenceServerClient(address)
        deadline = time.monotonic() + self._settings.triton.start_timeout_s
        while not await self._answers():
            if self.server and not self.server.running:
                raise EngineUnavailable("start Triton", _last_error(self.server.log_tail()))
            if time.monotonic() > deadline:
                raise EngineUnavailable(
                    "reach Triton",
                    f"no answer from {address}",
                    "is it running, is the model loaded?",
                )
            await asyncio.sleep(POLL_S)
        self._reason = ""

    async def _answers(self) -> bool:
        """Whether the model tells its card."""
        if self._client is None:
            return False
        nothing = Packed(np.zeros(0, np.float32), np.zeros(1, np.uint8))
        try:
            result = await self._infer(nothing, Priority.FINAL, 1.0)
        except (InferenceServerException, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            return False
        self._card, self._reason, self._failure = unpack_card(result), "", None
        return True

    async def _keep(self) -> None:
        """Start the child again whenever it has died."""
        delay, longest = RESTART_DELAY_S
        while True:
            if self.server and self.server.running:
                await self.server.wait()
                self._reason = f"Triton {self.server.how_it_ended()} and is being started again"
                log.warning("%s; %s", self._reason, _last_error(self.server.log_tail()))
            await asyncio.sleep(delay)
            self._metrics.triton_restarts_total.inc()
            try:
                if self.server:
                    await self.server.stop()
                await self._come_up()
                delay = RESTART_DELAY_S[0]
            except LingtingError as error:
                self._fail(error)
                delay = min(2 * delay, longest)
            except OSError as error:
                self._fail(EngineUnavailable("start Triton", str(error)))
                delay = min(2 * delay, longest)

    async def listen(self, window: Window, priority: Priority, timeout_s: float) -> Hypothesis:
        if self._client is None or (self._card is None and not await self._answers()):
            raise EngineUnavailable(LISTENING, self._reason or "no answer")
        try:
            result = await self._infer(pack_window(window), priority, timeout_s)
        except InferenceServerException as error:
            raise _translate(error) from error
        return unpack_hypothesis(result)

    async def _infer(
        self, packed: Packed, priority: Priority, timeout_s: float
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        assert self._client is not None
        audio = grpcclient.InferInput(AUDIO, [1, len(packed.audio)], "FP32")
        audio.set_data_from_numpy(packed.audio[None, :])
        options = grpcclient.InferInput(OPTIONS, [1, len(packed.options)], "UINT8")
        options.set_data_from_numpy(packed.options[None, :])
        answer = await self._client.infer(
            ASR_MODEL,
            [audio, options],
            priority=int(priority),
            timeout=int(timeout_s * 1e6),  # µs in Triton's queue
            client_timeout=timeout_s,
        )
        result: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = answer.as_numpy(RESULT)
        return result.reshape(-1)

    def card(self) -> ModelCard:
        if self._card is None:
            raise EngineUnavailable("describe the model", self._reason)
        return self._card

    def health(self) -> Health:
        dead_child = self.server is not None and not self.server.running
        reason = self._reason or ("Triton is not running" if dead_child else "")
        return Health(not reason, reason)

    async def close(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._client:
            with contextlib.suppress(InferenceServerException):
                await self._client.close()
            self._client = None
        if self.server:
            await self.server.stop()
            self.server = None
        self._reason = "closed"


def _translate(error: InferenceServerException) -> LingtingError:
    message, status = error.message() or "", str(error.status() or "")
    if QUEUE_FULL in message:
        return Overloaded(LISTENING, "Triton's queue is full", "send less at once, or later")
    if status.endswith("INVALID_ARGUMENT"):
        return InvalidRequest("listen", message)
    if status.endswith("DEADLINE_EXCEEDED"):
        return EngineTimeout(LISTENING, "no answer in time")
    return EngineUnavailable(LISTENING, f"{status}: {message}")


def _last_error(tail: str) -> str:
    """The line of Triton's output that says why it ended."""
    lines = [line for line in tail.splitlines() if line.startswith(("error", "E"))]
    return f"its last error line: {lines[-1]}" if lines else "it wrote no error"
