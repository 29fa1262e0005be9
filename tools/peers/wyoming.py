"""The live peer: wyoming-faster-whisper, a public server, as a process of its own.

The same weights as int8, the same calls in real time. It hears an utterance once it is over and
has neither partials nor endpointing: it is told by heart where each sentence of the call ends, for
which ours has to listen. A bench's peer, not a product.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from appliance.audio.g711 import ALAW
from appliance.engine.process import ONE_BLAS_THREAD, leash
from appliance.errors import EngineUnavailable
from appliance.load.client import CHUNK_S, Plan
from appliance.load.live import (
    ALAW_HZ,
    CLIENT_START_S,
    Recording,
    ScriptedSentence,
    make_plans,
    percentile,
    said_in,
)
from appliance.load.probe import Figures, ProcessWatch, figures_of_use
from appliance.load.running import free_port
from tools.peers.batched import LANGUAGE, PROMPT

PAD_S = 0.2  # heard around a sentence, as by ours
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
WARM_UP = 2  # calls
SAMPLE_BYTES = 2


class Server:
    """Runs for as long as the context lasts."""

    def __init__(self, bundle: Path) -> None:
        self._bundle, self._stack = bundle.resolve(), contextlib.ExitStack()
        self.port = free_port()
        self.pid = 0

    def __enter__(self) -> Server:
        cores = str(os.cpu_count() or 1)
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lingting-peer-"))
        options = {
            "--uri": f"tcp://127.0.0.1:{self.port}",
            "--model": str(self._bundle),
            "--data-dir": folder,
            "--language": LANGUAGE,
            "--initial-prompt": PROMPT,
            "--compute-type": "int8",
            "--beam-size": "1",
            "--cpu-threads": cores,
            "--stt-library": "faster-whisper",
        }
        words = [word for option in options.items() for word in option]
        server = subprocess.Popen(
            [
                *leash("run the peer"),
                *(sys.executable, "-m", "wyoming_faster_whisper", "--local-files-only", *words),
            ],
            env={**os.environ, **ONE_BLAS_THREAD, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(server.wait)
        self._stack.callback(server.kill)
        self.pid = server.pid
        asyncio.run(self._answers())
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    async def _answers(self) -> None:
        """Until it has heard a second of silence, whose model it loads for that."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, TimeoutError):
                await _hear(self.port, [b"\0" * SAMPLE_BYTES * ALAW_HZ], time.time())
                return
            await asyncio.sleep(0.2)
        raise EngineUnavailable("run the peer", "wyoming-faster-whisper does not answer")

    def trial(self, audio: Recording, calls: int, legs: int, seconds: float) -> Figures:
        """Play `calls` calls and measure; keys as in docs/bench.md."""
        asyncio.run(_play(self.port, make_plans(WARM_UP, legs, seconds / 2, audio, time.time())))
        plans = make_plans(calls, legs, seconds, audio, time.time() + CLIENT_START_S)
        with ProcessWatch(self.pid) as watch:
            heard = asyncio.run(_play(self.port, plans, audio))
        waits = [wait for wait, _, _ in heard if wait is not None]
        return {
            "calls": calls,
            "legs": calls * legs,
            "seconds": seconds,
            "endpoint_to_final_p50_s": percentile(waits, 50),
            "endpoint_to_final_p95_s": percentile(waits, 95),
            "sentences": len(heard),
            "sentences_unheard": sum(not text for _, text, _ in heard),
            "refused": 0,
            "errors": sum(wait is None for wait, _, _ in heard),
            "client_late_s": round(max((late for _, _, late in heard), default=0.0), 3),
            **figures_of_use(watch),
        }


Heard = tuple[float | None, str, float]  # from the end to the text, s; text; client's lateness, s


async def _play(port: int, plans: Sequence[Plan], audio: Recording | None = None) -> list[Heard]:
    """All sentences of all calls at their time; without a recording the calls as they are."""
    tellings = []
    for plan in plans:
        legs = _samples(plan)
        whole = ScriptedSentence(1, 0.0, plan.seconds, clear_before=True, clear_after=True)
        for sentence in said_in(plan, audio) if audio else [whole]:
            tellings.append(_tell(port, plan, sentence, legs[sentence.leg - 1]))
    return list(await asyncio.gather(*tellings))


def _samples(plan: Plan) -> np.ndarray[Any, np.dtype[np.int16]]:
    """[legs, n] from the plan's first chunk on."""
    raw = np.frombuffer(Path(plan.audio).read_bytes(), np.uint8)
    wanted = int((plan.seconds + PAD_S) * ALAW_HZ) * plan.legs
    raw = np.resize(np.roll(raw, -plan.offset), wanted)
    return (ALAW[raw].reshape(-1, plan.legs).T * 32767).astype(np.int16)


async def _tell(
    port: int, plan: Plan, sentence: ScriptedSentence, leg: np.ndarray[Any, np.dtype[np.int16]]
) -> Heard:
    begin_s = max(0.0, sentence.start_s - PAD_S)
    part = leg[int(begin_s * ALAW_HZ) : int((sentence.end_s + PAD_S) * ALAW_HZ)].tobytes()
    size = int(CHUNK_S * ALAW_HZ) * SAMPLE_BYTES
    chunks = [part[at : at + size] for at in range(0, len(part), size)]
    try:
        return await _hear(port, chunks, plan.start_at + begin_s)
    except (OSError, TimeoutError):
        return None, "", 0.0


async def _hear(port: int, chunks: Sequence[bytes], start_at: float) -> Heard:
    """One utterance in real time; raises OSError or TimeoutError."""
    from wyoming.asr import Transcribe, Transcript
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncTcpClient

    form = {"rate": ALAW_HZ, "width": SAMPLE_BYTES, "channels": 1}
    await asyncio.sleep(max(0.0, start_at - time.time()))
    late_s = 0.0
    async with asyncio.timeout(len(chunks) * CHUNK_S + ANSWER_TIMEOUT_S):
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Transcribe(language=LANGUAGE).event())
            await client.write_event(AudioStart(**form).event())
            for number, chunk in enumerate(chunks, 1):
                due = start_at + number * CHUNK_S
                await asyncio.sleep(max(0.0, due - time.time()))
                late_s = max(late_s, time.time() - due)
                await client.write_event(AudioChunk(audio=chunk, **form).event())
            await client.write_event(AudioStop().event())
            ended = time.monotonic()
            while event := await client.read_event():
                if Transcript.is_type(event.type):
                    text = Transcript.from_event(event).text
                    return time.monotonic() - ended, text, late_s
    raise ConnectionError("the peer hung up")
