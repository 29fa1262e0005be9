"""Send a recording to a box's own API and wait until it has become a call."""

from __future__ import annotations

import io
import time
import wave
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from appliance.audio.g711 import ALAW
from appliance.errors import EngineUnavailable
from inference.tensors import Audio

RATE_HZ = 8000
LOOK_S = 0.05
WAIT_S = 600.0


def read_alaw(path: Path) -> Audio:
    """[samples, 2] of a stereo A-law file, which the standard library's reader refuses."""
    data = path.read_bytes()
    return ALAW[np.frombuffer(data[data.index(b"data") + 8 :], np.uint8)].reshape(-1, 2)


def as_wav(audio: Audio) -> bytes:
    """A 16-bit file of 8 kHz samples [samples, channels]."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((audio.shape[1], 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())
    return sink.getvalue()


def heard(url: str, wav: bytes, **fields: str) -> tuple[dict[str, Any], float]:
    """The call a recording became, and how long that took, s; `fields` as in docs/calls.md.

    Raises EngineUnavailable if it is not finished in WAIT_S, or failed.
    """
    begun = time.monotonic()
    with httpx.Client(base_url=url, timeout=60) as box:
        sent = box.post("/api/v1/recordings", files={"file": ("call.wav", wav)}, data=fields)
        address = sent.raise_for_status().headers["location"]
        while time.monotonic() - begun < WAIT_S:
            recording = box.get(address).raise_for_status().json()
            if recording["state"] == "finished":
                seconds = time.monotonic() - begun
                return box.get(recording["call"]).raise_for_status().json(), seconds
            if recording["state"] not in ("queued", "running"):
                break
            time.sleep(LOOK_S)
    raise EngineUnavailable("wait for a recording", recording["error"] or recording["state"])
