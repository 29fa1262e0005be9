"""Torch checkpoints read without torch, and without running what they hold."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provisioning.weights import checkpoint
from provisioning.weights.source import WeightsUnusable

Shape = tuple[int, ...]


class Storage:
    """What torch pickles as a persistent id."""

    def __init__(self, key: str, count: int) -> None:
        self.key, self.count = key, count


class Tensor:
    """Pickled as torch pickles its own: a call of `_rebuild_tensor_v2`."""

    def __init__(self, key: str, size: Shape, stride: Shape, at: int = 0) -> None:
        hooks: OrderedDict[str, Any] = OrderedDict()
        self.parts = (Storage(key, 12), at, size, stride, False, hooks)


class Named:
    """A global of any name, written into a pickle whether it exists or not."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class CheckpointWriter(pickle._Pickler):  # the one in Python can be told what to write
    def persistent_id(self, thing: object) -> object:
        if isinstance(thing, Storage):
            return "storage", Named("torch", "FloatStorage"), thing.key, "cpu", thing.count
        return None

    def save(self, thing: Any, save_persistent_id: bool = True) -> None:
        if isinstance(thing, Named):
            self.write(b"c" + f"{thing.module}\n{thing.name}\n".encode())
        elif isinstance(thing, Tensor):
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            self.save(thing.parts)
            self.write(b"R")
        else:
            super().save(thing, save_persistent_id)


def saved(path: Path, content: object, floats: int = 12) -> Path:
    raw = io.BytesIO()
    CheckpointWriter(raw, 2).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", raw.getvalue())
        archive.writestr("weights/data/0", np.arange(floats, dtype="<f4").tobytes())
    return path


def test_tensors_and_plain_values_are_read(tmp_path: Path) -> None:
    content = {
        "size": 3,
        "state": {"a": Tensor("0", (3, 4), (4, 1)), "b": Tensor("0", (4, 3), (1, 4))},
    }
    found = checkpoint.read(saved(tmp_path / "a.pt", content))
    assert found["size"] == 3
    np.testing.assert_array_equal(found["state"]["a"], np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(found["state"]["b"], np.arange(12).reshape(3, 4).T)


def test_code_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnusable, match=r"posix\.system, which is no tensor"):
        checkpoint.read(saved(tmp_path / "a.pt", {"x": Named("posix", "system")}))


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("0", (100,), (1,)),
        Tensor("0", (4, 4), (4, 1)),
        Tensor("0", (12,), (1,), at=1),
        Tensor("0", (-1,), (1,)),
        Tensor("0", (2,), (-4,), at=2),
    ],
)
def test_a_tensor_beyond_its_bytes_is_refused(tmp_path: Path, tensor: Tensor) -> None:
    with pytest.raises(WeightsUnusable):
        checkpoint.read(saved(tmp_path / "a.pt", tensor))


@pytest.mark.parametrize("raw", [b"", b"PK", b"\x80\x02."])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(raw)
    with pytest.raises(WeightsUnusable, match=r"a\.pt"):
        checkpoint.read(tmp_path / "a.pt")
