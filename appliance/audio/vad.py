"""Who speaks when: Silero VAD, with its state in the hands of the leg.

Measured on one core of a 2-core x86-64, onnxruntime 1.32, per 32 ms frame: the model 100 us alone,
48 us in a batch of 32, 51 us in a run of frames; through `judge`, beside a busy training, 370, 84
and 65 us. So one core judges some 400 live legs.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from appliance.errors import BundleError
from appliance.messages import SAMPLE_RATE_HZ
from appliance.metrics import Metrics
from inference.tensors import Audio

if TYPE_CHECKING:
    import onnxruntime as ort

FRAME = 512  # samples, 32 ms
CONTEXT = 64  # samples of the frame before that the model sees again
HIDDEN = 128
SETTLING = 16  # frames of silence before a leg: without any it misses words in its first 0.5 s
MOST_TOGETHER = 64  # legs in one run
LONG_RUN = 16  # frames from which a leg is judged by itself, in runs
RUN_FRAMES = 256  # 13 ms of one core; then others get their turn
MODEL_ACROSS_LEGS = "silero_vad_op18_ifless.onnx"
MODEL_ALONG_A_LEG = "silero_vad_16k_sequence.onnx"  # the same weights, unrolled over time

Probabilities = NDArray[np.float32]  # [k], 0..1


def _zeros(*shape: int) -> NDArray[np.float32]:
    array = np.zeros(shape, np.float32)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True, eq=False)
class VadState:
    """All that one leg carries from frame to frame."""

    memory: NDArray[np.float32] = field(default_factory=lambda: _zeros(2, HIDDEN))  # LSTM h and c
    context: Audio = field(default_factory=lambda: _zeros(CONTEXT))  # [64]: end of the last frame


@dataclass(slots=True)
class _Job:
    """A few frames of a leg, waiting for company."""

    frames: NDArray[np.float32]  # [k, 576], context in front of each
    memory: NDArray[np.float32]  # [2, 128]
    answer: asyncio.Future[tuple[Probabilities, NDArray[np.float32]]]
    heard: list[float] = field(default_factory=list)


class Vad:
    """Judges the legs of many calls together; keeps nothing of any of them.

    While one batch runs in a thread the next one gathers, so batches grow with the load.

    Raises:
        BundleError: the model files are missing.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._models = _Models()
        self._settled: VadState | None = None
        self._metrics = metrics
        self._waiting: deque[_Job] = deque()
        self._server: asyncio.Task[None] | None = None
        self._batches = ThreadPoolExecutor(1, "vad-batch")
        self._runs = ThreadPoolExecutor(1, "vad-run")

    async def judge(self, audio: Audio, state: VadState | None) -> tuple[Probabilities, VadState]:
        """Speech probability of each frame, and the state after the last.

        Args:
            audio: [k * 512], k >= 1.
            state: after what came before; None: a leg begins.
        """
        if state is None:
            state = self._settled = self._settled or await self._silence()
        frames = _with_context(audio, state.context)
        if len(frames) >= LONG_RUN:
            heard, memory = await self._run(frames, state.memory)
        else:
            heard, memory = await self._together(frames, state.memory)
        memory.flags.writeable = False
        context = audio[-CONTEXT:].copy()
        context.flags.writeable = False
        return heard, VadState(memory, context)

    async def warm(self) -> None:
        """Load both models now (some 0.2 s), so that the first call does not wait for them."""
        silence = _zeros(FRAME * LONG_RUN)
        await self.judge(silence, None)
        await self.judge(silence[:FRAME], None)

    async def _silence(self) -> VadState:
        """As if nobody had spoken for half a second."""
        _, state = await self.judge(_zeros(FRAME * SETTLING), VadState())
        return state

    async def close(self) -> None:
        """Wait for what runs; no `judge` may be called any more."""
        if self._server:
            await self._server
        for pool in (self._batches, self._runs):
            await asyncio.to_thread(pool.shutdown)

    async def _run(
        self, frames: NDArray[np.float32], memory: NDArray[np.float32]
    ) -> tuple[Probabilities, NDArray[np.float32]]:
        loop = asyncio.get_running_loop()
        heard = []
        for at in range(0, len(frames), RUN_FRAMES):
            piece = frames[at : at + RUN_FRAMES]
            part, memory = await loop.run_in_executor(
                self._runs, self._models.along_a_leg, piece, memory
            )
            heard.append(part)
        return np.concatenate(heard), memory

    async def _together(
        self, frames: NDArray[np.float32], memory: NDArray[np.float32]
    ) -> tuple[Probabilities, NDArray[np.float32]]:
        job = _Job(frames, memory, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        return await job.answer

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            count = min(len(self._waiting), MOST_TOGETHER)
            jobs = [self._waiting.popleft() for _ in range(count)]
            jobs = [job for job in jobs if not job.answer.done()]  # done: its caller has gone
            try:
                await loop.run_in_executor(self._batches, self._judge, jobs)
            except Exception as error:  # each caller gets it; the next batch is another one
                for job in jobs:
                    if not job.answer.done():
                        job.answer.set_exception(error)
                continue
            for job in jobs:
                if not job.answer.done():
                    job.answer.set_result((np.array(job.heard, np.float32), job.memory))

    def _judge(self, jobs: Sequence[_Job]) -> None:
        """Step through the frames, each step all legs that still have one."""
        at = 0
        while running := [job for job in jobs if at < len(job.frames)]:
            heard, memory = self._models.across_legs(
                np.stack([job.frames[at] for job in running]),
                np.stack([job.memory for job in running], axis=1),
            )
            for index, job in enumerate(running):
                job.heard.append(float(heard[index]))
                job.memory = memory[:, index].copy()
            if self._metrics:
                self._metrics.vad_batch_frames.observe(len(running))
            at += 1


class _Models:
    """The two ONNX files, each loaded by the first who needs it."""

    def __init__(self) -> None:
        # The package is only looked up: to import it would import torch.
        spec = importlib.util.find_spec("silero_vad")
        places = spec.submodule_search_locations if spec else None
        if not places:
            raise BundleError("load the VAD", "package silero-vad is missing", "install it")
        self._folder = Path(places[0]) / "data"
        for name in (MODEL_ACROSS_LEGS, MODEL_ALONG_A_LEG):
            if not (self._folder / name).is_file():
                raise BundleError(
                    "load the VAD", f"{self._folder / name} is missing", "install silero-vad again"
                )

    def across_legs(
        self, frames: NDArray[np.float32], memory: NDArray[np.float32]
    ) -> tuple[Probabilities, NDArray[np.float32]]:
        """[legs, 576] and [2, legs, 128] -> [legs] and [2, legs, 128]."""
        rate = np.array(SAMPLE_RATE_HZ, np.int64)
        heard, after = self._across.run(None, {"input": frames, "state": memory, "sr": rate})
        return heard[:, 0], after

    def along_a_leg(
        self, frames: NDArray[np.float32], memory: NDArray[np.float32]
    ) -> tuple[Probabilities, NDArray[np.float32]]:
        """[k, 576] and [2, 128] -> [k] and [2, 128]."""
        h, c = memory.reshape(2, 1, 1, HIDDEN)
        heard, h, c = self._along.run(None, {"input": frames, "h": h, "c": c})
        return heard, np.stack([h, c]).reshape(2, HIDDEN)

    @cached_property
    def _across(self) -> ort.InferenceSession:
        return _session(self._folder / MODEL_ACROSS_LEGS)

    @cached_property
    def _along(self) -> ort.InferenceSession:
        return _session(self._folder / MODEL_ALONG_A_LEG)


def _session(path: Path) -> ort.InferenceSession:
    import onnxruntime as ort  # here, so that a gateway starts without waiting for it

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # the files hold unused initialisers: a warning for each
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest batch for ever
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _with_context(audio: Audio, context: Audio) -> NDArray[np.float32]:
    """[k * 512] -> [k, 576]: each frame with the 64 samples before it."""
    if not len(audio) or len(audio) % FRAME:
        raise ValueError(f"{len(audio)} samples are not whole frames of {FRAME}")
    known = np.concatenate([context, audio], dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(known, CONTEXT + FRAME)[::FRAME]
    return np.ascontiguousarray(windows)
