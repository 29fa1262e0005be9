"""A model in a file: arrays and a JSON header in one .npz, without pickles."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from appliance.assist.category.calibration import Link
from appliance.assist.category.card import Card
from appliance.assist.category.model import CategoryModel, Weights
from appliance.assist.category.vocabulary import Vocabulary
from appliance.errors import SettingsError, StoreDamaged, StoreUnavailable
from appliance.files import write_atomic

FORMAT = 1
MOST_BYTES = 64 << 20
BROKEN = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    MemoryError,
    OSError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    ValidationError,
)


def save(model: CategoryModel, path: Path) -> None:
    """Whole or not at all; raises StoreUnavailable."""
    vocabulary = model.vocabulary
    header = {
        "format": FORMAT,
        "labels": model.labels,
        "link": [model.link.sharpness, model.link.bend],
        "texts": vocabulary.texts,
        "opening": vocabulary.opening,
        "card": model.card.model_dump(),
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    arrays: dict[str, Any] = {
        "header": np.frombuffer(text, np.uint8),
        "keys": vocabulary.keys,
        "rarity": vocabulary.rarity,
        "level": model.weights.level,
        "step": model.weights.step,
        "known": model.known,
    }
    data = io.BytesIO()
    np.savez_compressed(data, allow_pickle=False, **arrays)
    try:
        write_atomic(path, data.getvalue())
    except OSError as error:
        raise StoreUnavailable("write the category model", str(error)) from error


def load(path: Path) -> CategoryModel:
    """Raises SettingsError where there is none, StoreDamaged where it is not what was written."""
    doing, hint = "read the category model", "train it again: lingting city train"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SettingsError(doing, str(error), hint) from error
    try:
        if len(data) > MOST_BYTES:
            raise ValueError(f"{len(data)} bytes")
        with zipfile.ZipFile(io.BytesIO(data)) as whole:
            if broken := whole.testzip():
                raise ValueError(f"{broken} is not what was written")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return _model({name: arrays[name] for name in arrays.files})
    except BROKEN as error:
        raise StoreDamaged(doing, f"{path}: {error or type(error).__name__}", hint) from error


def _model(arrays: dict[str, np.ndarray[Any, Any]]) -> CategoryModel:
    header = json.loads(arrays["header"].tobytes())
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']}, not {FORMAT}")
    keys, level, known = arrays["keys"], arrays["level"], arrays["known"]
    labels = [str(label) for label in header["labels"]]
    grams = len(keys)
    shapes = {
        "keys": ((grams,), np.int64),
        "rarity": ((grams,), np.float32),
        "level": ((grams, len(labels)), np.int8),
        "step": ((grams,), np.float32),
        "known": ((len(known),), np.int64),
    }
    for name, (shape, kind) in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != kind:
            raise ValueError(f"{name} is {arrays[name].dtype} {arrays[name].shape}")
    if len(set(labels)) < 2 or (np.diff(keys) <= 0).any() or (np.diff(known) < 0).any():
        raise ValueError("labels or keys are out of order")
    return CategoryModel(
        labels,
        Vocabulary(keys, arrays["rarity"], int(header["texts"]), int(header["opening"])),
        Weights(level, arrays["step"]),
        Link(*map(float, header["link"])),
        Card.model_validate(header["card"]),
        known,
    )
