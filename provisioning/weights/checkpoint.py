"""Tensors out of a torch checkpoint, without torch: only arrays and plain containers are let out.

A checkpoint is a pickle, which may run code when it is read. Here nothing is found but what makes
up a tensor; whatever else it names is refused.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provisioning.weights.source import WeightsUnusable

STORAGES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}


def read(path: Path) -> Any:
    """What was saved, its tensors as arrays; raises WeightsUnusable."""
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith("/data.pkl"))
            folder = name.removesuffix("data.pkl")
            with archive.open(name) as file:
                return _TensorReader(file, lambda key: archive.read(f"{folder}data/{key}")).load()
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, EOFError, TypeError) as error:
        raise WeightsUnusable(f"{path} is no checkpoint of torch: {error}") from error
    except pickle.UnpicklingError as error:
        raise WeightsUnusable(f"{path}: {error}") from error


class _TensorReader(pickle.Unpickler):
    def __init__(self, file: Any, raw: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self._raw = raw

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor: refused")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        _, dtype, key, _, _ = pid
        return np.frombuffer(self._raw(key), dtype)


def _tensor(
    storage: NDArray[Any], offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    count = 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if size else 1
    if min((*size, *stride, offset)) < 0 or offset + count > len(storage):
        raise pickle.UnpicklingError("a tensor reaches beyond what is stored")
    bytes_apart = [step * storage.itemsize for step in stride]
    view = np.lib.stride_tricks.as_strided(storage[offset:], size, bytes_apart, writeable=False)
    return np.array(view)
