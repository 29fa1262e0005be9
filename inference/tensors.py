"""The wire contract between the gateway and the models: names, dtypes, shapes, pack and unpack.

One request is one *window* of one leg. Tensors are numeric only: text travels as UTF-8 JSON in
UINT8, because the Python backend's numpy bridge mangles BYTES under numpy 2.

    audio    FP32  [n]  16 kHz mono samples in -1..1; [0] asks for the model's card
    options  UINT8 [m]  JSON of every other `Window` field
    result   UINT8 [k]  JSON of a `Hypothesis` (or of a `ModelCard`)

CPU workers speak the same over pipes, in frames: a length (4 bytes, big-endian), a JSON list of
part lengths, then the parts.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
ASR_MODEL = "asr"  # the model's name in model_repo/
AUDIO, OPTIONS, RESULT = "audio", "options", "result"
ANSWERED, REFUSED, FAILED = b"A", b"R", b"F"  # first byte of a CPU worker's answer
BAD_BUNDLE = 3  # exit code of a worker whose bundle cannot be used
FRAME_HEAD = struct.Struct("!I")  # bytes of the JSON list that follows

Audio = NDArray[np.float32]  # [n], 16 kHz mono, -1..1


class Priority(IntEnum):
    """Triton's priority levels: 1 is served first."""

    FINAL = 1
    PARTIAL = 2
    RECORDING = 3


@dataclass(frozen=True, slots=True)
class Window:
    """What an engine sees: some audio of one leg, and how to listen to it."""

    audio: Audio
    language: str | None = None  # ISO 639-1; None lets the model detect it
    task: str = "transcribe"  # or "translate" (into English)
    prompt: str = ""  # text said before, for context
    hotwords: tuple[str, ...] = ()
    prefix: str = ""  # text the answer must begin with
    beam_size: int = 1
    temperature: float = 0.0
    word_times: bool = True
    retries: bool = True  # decode again what fails the quality checks

    @property
    def duration_s(self) -> float:
        return len(self.audio) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Word:
    """One word (in Chinese: one character) with times from the start of its window."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float  # 0..1, mean token probability


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine answers for one window."""

    text: str
    language: str
    words: tuple[Word, ...] = ()
    confidence: float = 0.0  # 0..1, exp of the mean token log probability
    no_speech: float = 0.0  # 0..1
    compression_ratio: float = 0.0
    temperature: float = 0.0  # of the decoding that was kept
    retries: int = 0  # decodings beyond the first
    batch: int = 1  # windows decoded together with this one
    model: str = ""  # "name version" of the bundle
    demo: bool = False  # the bundle's weights are for demonstration only
    engine: str = ""  # which engine answered; filled in by the gateway


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a loaded bundle says of itself; the answer to an empty audio tensor."""

    name: str
    version: str
    licence: str
    demo: bool
    languages: tuple[str, ...]
    tasks: tuple[str, ...]
    window_s: float  # the longest window it takes
    description: str = ""
    device: str = "cpu"


class InvalidWindow(ValueError):
    """A window no engine can serve; the message says why. Never retried."""


@dataclass(slots=True)
class Packed:
    """A window as the tensors that travel."""

    audio: Audio
    options: NDArray[np.uint8] = field(repr=False)


def to_bytes_tensor(value: Any) -> NDArray[np.uint8]:
    """JSON value -> UINT8 [k]."""
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return np.frombuffer(raw, dtype=np.uint8)


def from_bytes_tensor(tensor: NDArray[np.uint8]) -> Any:
    """UINT8 [k] -> JSON value."""
    return json.loads(np.ascontiguousarray(tensor).tobytes())


def _fields(value: Any, *, leave_out: str = "") -> dict[str, Any]:
    names = (f.name for f in dataclasses.fields(value) if f.name != leave_out)
    return {name: getattr(value, name) for name in names}


def pack_window(window: Window) -> Packed:
    options = _fields(window, leave_out="audio")
    return Packed(np.ascontiguousarray(window.audio, np.float32), to_bytes_tensor(options))


def unpack_window(audio: Audio, options: NDArray[np.uint8]) -> Window:
    """The inverse of `pack_window`; raises InvalidWindow on anything malformed."""
    try:
        fields = from_bytes_tensor(options)
        fields["hotwords"] = tuple(fields.get("hotwords", ()))
        return Window(audio=np.ravel(audio), **fields)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidWindow(f"options are not a window's: {error}") from error


def pack_hypothesis(hypothesis: Hypothesis) -> NDArray[np.uint8]:
    fields = _fields(hypothesis)
    fields["words"] = [[w.text, w.start_ms, w.end_ms, w.confidence] for w in hypothesis.words]
    return to_bytes_tensor(fields)


def unpack_hypothesis(result: NDArray[np.uint8]) -> Hypothesis:
    fields = from_bytes_tensor(result)
    fields["words"] = tuple(Word(*word) for word in fields["words"])
    return Hypothesis(**fields)


def pack_card(card: ModelCard) -> NDArray[np.uint8]:
    return to_bytes_tensor(_fields(card))


def unpack_card(result: NDArray[np.uint8]) -> ModelCard:
    fields = from_bytes_tensor(result)
    for name in ("languages", "tasks"):
        fields[name] = tuple(fields[name])
    return ModelCard(**fields)


def pack_frame(parts: Sequence[bytes]) -> bytes:
    """Parts -> one frame."""
    lengths = json.dumps([len(part) for part in parts]).encode()
    return b"".join((FRAME_HEAD.pack(len(lengths)), lengths, *parts))


def split_frame(lengths: Sequence[int], body: bytes) -> list[bytes]:
    """The parts of a frame's body."""
    parts, at = [], 0
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    return parts


def window_parts(window: Window) -> tuple[bytes, bytes]:
    """A window as two parts of a frame; `parts_window` is the inverse."""
    packed = pack_window(window)
    return packed.audio.tobytes(), packed.options.tobytes()


def parts_window(audio: bytes, options: bytes) -> Window:
    return unpack_window(np.frombuffer(audio, np.float32), np.frombuffer(options, np.uint8))
