"""Adapters and the bundle they stand on -> a bundle of its own, ready to be served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from inference.adaptation.adapters import Adapters, AdaptersUnusable
from inference.adaptation.weights import float_weights
from inference.asr import ct2
from inference.asr.canary import heard_in_canary
from inference.bundles import MANIFEST, load_manifest, seal

INT8 = "int8_float32"
KEPT = ("tokenizer.json", "preprocessor_config.json", "canary.wav")


def write(base: Path, learned: Adapters, folder: Path, facts: Mapping[str, Any], card: str) -> None:
    """Fill an empty folder with the adapted weights, int8, and seal it.

    Its canary is what these weights hear in the base's clip.

    Raises:
        AdaptersUnusable: they stand on other weights.
        BundleInvalid: the base's manifest is none, or they hear nothing in the clip.
    """
    fill(base, learned, folder, facts)
    (folder / "README.md").write_text(card, encoding="utf-8")
    told = {**_told(base), **facts}
    seal(folder, **told)
    if canary := load_manifest(base).canary:
        heard = {"audio": canary.audio, "text": heard_in_canary(folder)}
        seal(folder, **{**told, "canary": heard})


def fill(base: Path, learned: Adapters, folder: Path, facts: Mapping[str, Any]) -> None:
    """The same, with the base's canary: for a trial. Raises as `write` does."""
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
    seal(folder, **{**_told(base), **facts})


def _told(base: Path) -> dict[str, Any]:
    """What a manifest says, but for its files."""
    told = json.loads((base / MANIFEST).read_text(encoding="utf-8"))
    return {name: value for name, value in told.items() if name not in ("format", "files")}
