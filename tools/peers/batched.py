"""The recordings' peer: faster-whisper's BatchedInferencePipeline, at its best, on all cores.

`python -m tools.peers.batched BUNDLE WAV FILES` prints one JSON object. The same weights as int8
hear the same legs; every sensible batch size and way to use the cores is tried and the best one
counts. It has no door to go through and nothing else to do. A bench's peer, not a product.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from appliance.audio.g711 import ALAW
from inference.tensors import SAMPLE_RATE_HZ, Audio

BATCHES = (4, 8, 16)
CALL_HZ, HEAD, LEGS = 8000, 58, 2
LANGUAGE, PROMPT = "zh", "以下是普通话的句子。"


def legs_of(wav: Path) -> list[Audio]:
    """Both legs of the bundled call, 16 kHz."""
    samples = ALAW[np.frombuffer(wav.read_bytes()[HEAD:], np.uint8)]
    samples = samples[: len(samples) // LEGS * LEGS].reshape(-1, LEGS)
    return [soxr.resample(leg.copy(), CALL_HZ, SAMPLE_RATE_HZ) for leg in samples.T]


def measure(bundle: str, legs: Sequence[Audio], files: int) -> dict[str, Any]:
    """The best of every way, seconds of stereo audio a second."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    cores, best = os.cpu_count() or 1, dict[str, Any]()
    for threads, workers in {(cores, 1), (1, cores)}:
        model = WhisperModel(
            bundle,
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            num_workers=workers,
            local_files_only=True,
        )
        pipeline = BatchedInferencePipeline(model)
        for batch in BATCHES:
            rate = (
                files
                * len(legs[0])
                / SAMPLE_RATE_HZ
                / _seconds(pipeline, [*legs] * files, workers, batch)
            )
            if rate > best.get("audio_seconds_per_second", 0.0):
                best = {
                    "audio_seconds_per_second": round(rate, 2),
                    "threads": threads,
                    "workers": workers,
                    "batch": batch,
                }
    return best


def _seconds(pipeline: Any, legs: Sequence[Audio], workers: int, batch: int) -> float:
    def hear(leg: Audio) -> str:
        segments, _ = pipeline.transcribe(
            leg,
            language=LANGUAGE,
            beam_size=1,
            batch_size=batch,
            initial_prompt=PROMPT,
            without_timestamps=True,
        )
        return "".join(segment.text for segment in segments)

    hear(legs[0])  # warm
    begun = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(hear, legs))
    return time.monotonic() - begun


def main() -> None:
    bundle, wav, files = sys.argv[1:]
    print(json.dumps(measure(bundle, legs_of(Path(wav)), int(files))))


if __name__ == "__main__":
    main()
