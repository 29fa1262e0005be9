"""Windows -> encoder output, which language, text, alignment and retries all start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from inference.asr.features import LogMel
from inference.tensors import Window


@dataclass(frozen=True, slots=True)
class Encoded:
    """One window's encoder output: a row of what it was encoded together with."""

    batch: Any  # StorageView [b, frames, d_model] on the model's device
    row: int


class Encoder:
    """Immutable. `together` windows share a pass: one on a CPU, whose caches hold no more."""

    def __init__(self, model: Any, mel: LogMel, together: int) -> None:
        self._model, self.mel, self._together = model, mel, together

    def encode(self, windows: Sequence[Window], samples: int) -> list[Encoded]:
        """Each window padded with silence to `samples`."""
        encoded: list[Encoded] = []
        for at in range(0, len(windows), self._together):
            some = windows[at : at + self._together]
            batch = np.zeros((len(some), samples), np.float32)
            for row, window in zip(batch, some, strict=True):
                row[: len(window.audio)] = window.audio
            features = ctranslate2.StorageView.from_array(self.mel(batch))
            output = self._model.encode(features)
            encoded += [Encoded(output, row) for row in range(len(some))]
        return encoded


def rows(encoded: Sequence[Encoded]) -> Any:
    """Encoder outputs of one length as one batch; those that are one already cost nothing."""
    batch = encoded[0].batch
    whole = list(range(batch.shape[0]))
    if [e.row for e in encoded] == whole and all(e.batch is batch for e in encoded):
        return batch
    arrays = {id(e.batch): e.batch for e in encoded}
    on_cpu = {key: _to_numpy(view) for key, view in arrays.items()}
    picked = np.stack([on_cpu[id(e.batch)][e.row] for e in encoded])
    return ctranslate2.StorageView.from_array(picked)


def _to_numpy(view: Any) -> NDArray[np.float32]:
    on_cpu = view if view.device == "cpu" else view.to_device(ctranslate2.Device.cpu)
    if on_cpu.dtype != ctranslate2.DataType.float32:  # numpy has no bfloat16
        on_cpu = on_cpu.to(ctranslate2.DataType.float32)
    array: NDArray[np.float32] = np.array(on_cpu)
    return array
