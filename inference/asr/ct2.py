"""CTranslate2's model.bin as named arrays: read, checked by content, written in another precision.

The format is that of ctranslate2.specs.model_spec, version 6, which writes it.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 6
DTYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)  # by CTranslate2's number
Tensors = dict[str, NDArray[Any]]


class NotAModel(ValueError):
    """The file is no model.bin of the version that is read here."""


def read(raw: bytes) -> Tensors:
    """Every variable of a model.bin; raises NotAModel."""
    try:
        return _Reader(memoryview(raw)).tensors()
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise NotAModel(f"no CTranslate2 model, or not whole: {error}") from error


class _Reader:
    def __init__(self, raw: memoryview) -> None:
        self._raw, self._at = raw, 0

    def tensors(self) -> Tensors:
        version = self._number("I")
        if version != VERSION:
            raise ValueError(f"version {version}, not {VERSION}")
        self._text()  # the spec's name
        self._number("I")  # its revision
        tensors = dict(self._tensor() for _ in range(self._number("I")))
        for _ in range(self._number("I")):
            alias, name = self._text(), self._text()
            tensors[alias] = tensors[name]
        return tensors

    def _tensor(self) -> tuple[str, NDArray[Any]]:
        name = self._text()
        shape = [self._number("I") for _ in range(self._number("B"))]
        dtype = np.dtype(DTYPES[self._number("B")])
        raw = self._bytes(self._number("I"))
        return name, np.frombuffer(raw, dtype).reshape(shape)

    def _text(self) -> str:
        return bytes(self._bytes(self._number("H"))).rstrip(b"\0").decode()

    def _number(self, format: str) -> int:
        (value,) = struct.unpack_from(format, self._raw, self._at)
        self._at += struct.calcsize(format)
        return int(value)

    def _bytes(self, size: int) -> memoryview:
        part = self._raw[self._at : self._at + size]
        if len(part) < size:
            raise ValueError(f"it ends {size - len(part)} bytes early")
        self._at += size
        return part


def content_sha256(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Of all weights by name, shape and value: the same whichever converter wrote the file."""
    digest = hashlib.sha256()
    for name in sorted(name for name, tensor in tensors.items() if tensor.ndim):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def write(
    tensors: Mapping[str, NDArray[Any]],
    vocabulary: Sequence[str],
    config: Mapping[str, Any],
    folder: Path,
    precision: str,
) -> None:
    """model.bin, config.json, vocabulary.json of a Whisper; `precision` is CTranslate2's word."""
    from ctranslate2.specs import whisper_spec  # here: what trains reads models without it
    from ctranslate2.specs.model_spec import index_spec

    spec = whisper_spec.WhisperSpec(*_shape(tensors))
    for name, value in tensors.items():
        scope, _, attribute = name.rpartition("/")
        setattr(
            index_spec(spec, scope), attribute, np.array(value)
        )  # a copy: it is scaled in place
    for key, value in config.items():
        setattr(spec.config, key, value)
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.optimize(precision)
    spec.save(str(folder))


def _shape(tensors: Mapping[str, NDArray[Any]]) -> tuple[int, int, int, int]:
    """Layers and heads of encoder and decoder."""
    found = [
        count
        for side in ("encoder", "decoder")
        for count in (_layers(tensors, side), int(tensors[f"{side}/num_heads"]))
    ]
    return found[0], found[1], found[2], found[3]


def _layers(tensors: Mapping[str, NDArray[Any]], side: str) -> int:
    numbers = {re.match(rf"{side}/layer_(\d+)/", name) for name in tensors}
    return 1 + max(int(number[1]) for number in numbers if number)
