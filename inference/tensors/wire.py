"""How questions and answers travel: numeric tensors only, between gateway and models.

Text travels as UTF-8 JSON in UINT8, because the Python backend's numpy bridge mangles BYTES under
numpy 2.

    audio    FP32  [b, n]  16 kHz mono samples in -1..1, zeros behind the shorter ones; n may be 0
    options  UINT8 [b, m]  JSON of each question: its kind, its samples and every other field
    result   UINT8 [b, k]  JSON of each answer, or of why there is none: {"refused": ...}

Rows of JSON are filled up with spaces. CPU workers speak the same over pipes, question by question
in frames: a length (4 bytes, big-endian), a JSON list of part lengths, then the parts.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
AUDIO, OPTIONS, RESULT = "audio", "options", "result"
REFUSAL = "refused"  # instead of an answer's fields
ANSWERED, REFUSED, FAILED = b"A", b"R", b"F"  # first byte of a CPU worker's answer
BAD_BUNDLE = 3  # exit code of a worker whose bundle cannot be used
FRAME_HEAD = struct.Struct("!I")  # bytes of the JSON list that follows

Audio = NDArray[np.float32]  # [n], 16 kHz mono, -1..1
Bytes = NDArray[np.uint8]  # [n]


class Priority(IntEnum):
    """Triton's priority levels: 1 is served first."""

    PROBE = 1
    FINAL = 2
    PARTIAL = 3
    RECORDING = 4


class InvalidQuestion(ValueError):
    """A question no engine can answer; the message says why. Never retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What all answers tell besides what was asked."""

    model: str = ""  # "name version" of the bundle
    demo: bool = False  # the bundle's weights are for demonstration only
    batch: int = 1  # questions answered together with this one
    work_s: float = field(default=0.0, compare=False)  # its own share of one lane's time
    seconds: float = field(default=0.0, compare=False)  # the model worked on that batch
    engine: str = ""  # which engine answered; filled in by the gateway

    def pack(self) -> dict[str, Any]:
        """As JSON; `Question.unpack` is the inverse."""
        return fields_of(self)


AnswerT = TypeVar("AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True)
class Question(ABC, Generic[AnswerT]):
    """Something an engine is asked about audio. Each kind names its model and its answer."""

    KIND: ClassVar[str]
    MODEL: ClassVar[str]  # its name in model_repo/

    audio: Audio
    variant: str = field(default="", kw_only=True)  # of the model; empty: the one from the start

    @property
    def served_by(self) -> str:
        """Name of the model that answers it, in Triton and in a worker."""
        return served_name(self.MODEL, self.variant)

    @property
    def duration_s(self) -> float:
        return len(self.audio) / SAMPLE_RATE_HZ

    def pack(self) -> dict[str, Any]:
        """Every field but the audio, as JSON."""
        return fields_of(self, leave_out="audio")

    @classmethod
    def parse(cls, audio: Audio, fields: dict[str, Any]) -> Self:
        """The inverse of `pack`; raises ValueError or TypeError on anything malformed."""
        return cls(audio=audio, **fields)

    @classmethod
    @abstractmethod
    def unpack(cls, answer: dict[str, Any]) -> AnswerT:
        """The answer from its JSON."""


def served_name(model: str, variant: str = "") -> str:
    """As Triton and workers call a model's variant."""
    return f"{model}.{variant}" if variant else model


@dataclass(slots=True)
class Packed:
    """A question as the tensors that travel."""

    audio: Audio
    options: Bytes = field(repr=False)

    def parts(self) -> tuple[bytes, bytes]:
        """As two parts of a frame."""
        return self.audio.tobytes(), self.options.tobytes()


def pack_question(question: Question[Any]) -> Packed:
    options = {"kind": question.KIND, "samples": len(question.audio), **question.pack()}
    return Packed(np.ascontiguousarray(question.audio, np.float32), to_bytes_tensor(options))


def pack_questions(questions: Sequence[Question[Any]]) -> Packed:
    """Several as the rows of one batch."""
    packed = [pack_question(question) for question in questions]
    audio = np.zeros((len(packed), max(len(p.audio) for p in packed)), np.float32)
    for row, one in zip(audio, packed, strict=True):
        row[: len(one.audio)] = one.audio
    return Packed(audio, to_rows([p.options for p in packed]))


def unpack_question(
    audio: Audio, options: Bytes, kinds: Mapping[str, type[Question[Any]]]
) -> Question[Any]:
    """The inverse of `pack_question`; raises InvalidQuestion on anything malformed."""
    try:
        fields = from_bytes_tensor(options)
        samples = fields.pop("samples", None)
        return kinds[fields.pop("kind")].parse(np.ravel(audio)[:samples], fields)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidQuestion(f"options are no question: {error!r}") from error


def to_bytes_tensor(value: Any) -> Bytes:
    """JSON value -> UINT8 [k]."""
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return np.frombuffer(raw, dtype=np.uint8)


def to_rows(lines: Sequence[Bytes]) -> Bytes:
    """JSON of unlike length -> UINT8 [b, k]."""
    rows = np.full((len(lines), max(map(len, lines))), ord(" "), np.uint8)
    for row, line in zip(rows, lines, strict=True):
        row[: len(line)] = line
    return rows


def from_bytes_tensor(tensor: Bytes) -> Any:
    """UINT8 [k] -> JSON value."""
    return json.loads(np.ascontiguousarray(tensor).tobytes())


def to_text(array: NDArray[Any]) -> str:
    """An array's bytes for JSON; the reader knows dtype and shape."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def from_text(text: str, dtype: Any) -> NDArray[Any]:
    """The inverse of `to_text`, flat."""
    return np.frombuffer(base64.b64decode(text), dtype)


def fields_of(value: Any, *, leave_out: str = "") -> dict[str, Any]:
    """A dataclass's fields, one level deep."""
    names = (f.name for f in dataclasses.fields(value) if f.name != leave_out)
    return {name: getattr(value, name) for name in names}


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
