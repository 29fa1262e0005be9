"""Adapters and the bundle they stand on -> a bundle of its own, ready to be served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from inference.adaptation.adapters import Adapters, AdaptersUnusable
from inference.asr import ct2
from inference.bundles import MANIFEST, load_manifest, seal

SCALE = "_scale"  # of int8 weights, beside them
TIED = {"decoder/projection/weight": "decoder/embeddings/weight"}  # kept once, scale and all
INT8 = "int8_float32"
KEPT = ("tokenizer.json", "preprocessor_config.json", "canary.wav")


def float_weights(folder: Path) -> ct2.Tensors:
    """A bundle's weights as float16 or float32, whatever it holds; raises NotAModel."""
    return floated(ct2.read((folder / "model.bin").read_bytes()))


def floated(tensors: Mapping[str, NDArray[Any]]) -> ct2.Tensors:
    """int8 weights as they are meant: each row divided by its scale."""
    made: ct2.Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE):
            continue
        scale = tensors.get(f"{name}{SCALE}", tensors.get(f"{TIED.get(name)}{SCALE}"))
        if scale is None or tensor.dtype != np.int8:
            made[name] = tensor
            continue
        rows = scale.astype(np.float32).reshape(-1, *[1] * (tensor.ndim - 1))
        made[name] = (tensor.astype(np.float32) / rows).astype(np.float16)
    return made


def write(base: Path, learned: Adapters, folder: Path, facts: Mapping[str, Any], card: str) -> None:
    """Fill an empty folder with the adapted weights, int8, and seal it.

    Raises:
        AdaptersUnusable: they stand on other weights.
        BundleInvalid: the base's manifest is none.
    """
    weights = float_weights(base)
    if ct2.content_sha256(weights) != learned.base:
        raise AdaptersUnusable(f"they were trained on other weights than those of {base}")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    names = [str(tokenizer.id_to_token(i)) for i in range(tokenizer.get_vocab_size())]
    ct2.write(learned.merged(weights), names, config, folder, INT8)
    manifest = load_manifest(base)
    for name in KEPT:
        if name in manifest.files:
            shutil.copy(base / name, folder / name)
    (folder / "README.md").write_text(card, encoding="utf-8")
    told = json.loads((base / MANIFEST).read_text(encoding="utf-8"))
    kept = {name: value for name, value in told.items() if name not in ("format", "files")}
    seal(folder, **{**kept, **facts})
