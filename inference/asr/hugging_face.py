"""A Whisper of Hugging Face's transformers, as safetensors -> CTranslate2's tensors; no torch.

Names are those of transformers.models.whisper and ctranslate2.specs.whisper_spec. Pickles are not
read: they run code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.asr.ct2 import Tensors

CONFIG, GENERATION, WEIGHTS, INDEX = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
)
NORM = {"weight": "gamma", "bias": "beta"}
SIDES = {"encoder": "encoder_attention_heads", "decoder": "decoder_attention_heads"}


class NotWhisper(ValueError):
    """The folder holds no Whisper that is read here; the message names the file at fault."""


def read(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """Its tensors, and CTranslate2's config; raises NotWhisper."""
    config = _json(folder / CONFIG)
    if config.get("model_type") != "whisper":
        raise NotWhisper(f"{folder / CONFIG}: model_type is {config.get('model_type')!r}")
    given = {k.removeprefix("model."): v for k, v in _weights(folder).items()}
    try:
        tensors = dict(_tensors(given, config))
    except KeyError as error:
        raise NotWhisper(f"{folder} has no tensor {error}") from error
    return tensors, _served(folder, config)


def _weights(folder: Path) -> dict[str, NDArray[Any]]:
    from safetensors.numpy import load_file  # of the build profile: boxes read no safetensors

    names = [WEIGHTS]
    if (folder / INDEX).exists():
        names = sorted(set(_json(folder / INDEX)["weight_map"].values()))
    found: dict[str, NDArray[Any]] = {}
    for name in names:
        if not (folder / name).is_file():
            held = [p.name for p in folder.glob("*.bin")] + [p.name for p in folder.glob("*.pt")]
            why = f"; {held[0]} is a pickle, and runs code: save it as safetensors" if held else ""
            raise NotWhisper(f"{folder / name} is missing{why}")
        try:
            found |= load_file(folder / name)
        except Exception as error:  # safetensors raises its own, and numpy's
            raise NotWhisper(f"{folder / name}: {error}") from error
    return found


def _tensors(
    given: Mapping[str, NDArray[Any]], config: Mapping[str, Any]
) -> Iterator[tuple[str, NDArray[Any]]]:
    for at in (1, 2):
        for part in ("weight", "bias"):
            yield f"encoder/conv{at}/{part}", given[f"encoder.conv{at}.{part}"]
    for side, heads in SIDES.items():
        yield f"{side}/num_heads", np.array(config[heads], np.int16)
        yield f"{side}/position_encodings/encodings", given[f"{side}.embed_positions.weight"]
        yield from _norm(given, f"{side}.layer_norm", f"{side}/layer_norm")
        for at in range(config[f"{side}_layers"]):
            yield from _layer(given, f"{side}.layers.{at}", f"{side}/layer_{at}")
    embeddings = given["decoder.embed_tokens.weight"]
    yield "decoder/embeddings/weight", embeddings
    yield "decoder/projection/weight", given.get("proj_out.weight", embeddings)


def _layer(
    given: Mapping[str, NDArray[Any]], old: str, new: str
) -> Iterator[tuple[str, NDArray[Any]]]:
    own = f"{old}.self_attn"
    yield from _norm(given, f"{own}_layer_norm", f"{new}/self_attention/layer_norm")
    yield from _linear(given, [f"{own}.{p}_proj" for p in "qkv"], f"{new}/self_attention/linear_0")
    yield from _linear(given, [f"{own}.out_proj"], f"{new}/self_attention/linear_1")
    cross = f"{old}.encoder_attn"
    if f"{cross}.q_proj.weight" in given:
        yield from _norm(given, f"{cross}_layer_norm", f"{new}/attention/layer_norm")
        yield from _linear(given, [f"{cross}.q_proj"], f"{new}/attention/linear_0")
        keys = [f"{cross}.{part}_proj" for part in "kv"]
        yield from _linear(given, keys, f"{new}/attention/linear_1")
        yield from _linear(given, [f"{cross}.out_proj"], f"{new}/attention/linear_2")
    yield from _norm(given, f"{old}.final_layer_norm", f"{new}/ffn/layer_norm")
    for at in (1, 2):
        yield from _linear(given, [f"{old}.fc{at}"], f"{new}/ffn/linear_{at - 1}")


def _linear(
    given: Mapping[str, NDArray[Any]], names: list[str], new: str
) -> Iterator[tuple[str, NDArray[Any]]]:
    """One of several behind each other; Whisper's keys have no bias."""
    weights = [given[f"{name}.weight"] for name in names]
    yield f"{new}/weight", np.concatenate(weights)
    biases = [
        given.get(f"{name}.bias", np.zeros(len(weight), weight.dtype))
        for name, weight in zip(names, weights, strict=True)
    ]
    yield f"{new}/bias", np.concatenate(biases)


def _norm(
    given: Mapping[str, NDArray[Any]], old: str, new: str
) -> Iterator[tuple[str, NDArray[Any]]]:
    for part, name in NORM.items():
        yield f"{new}/{name}", given[f"{old}.{part}"]


def _served(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What CTranslate2 wants to know beside the weights.

    Heads whose attention follows the sound are those of the decoder's upper half, where the folder
    does not name them, as CTranslate2's own converter has it.
    """
    told = _json(folder / GENERATION) if (folder / GENERATION).exists() else {}
    layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
    upper = [[layer, head] for layer in range(layers // 2, layers) for head in range(heads)]
    suppressed = told.get("suppress_tokens", config.get("suppress_tokens")) or []
    begin = told.get("begin_suppress_tokens", config.get("begin_suppress_tokens")) or []
    return {
        "suppress_ids": list(suppressed),
        "suppress_ids_begin": list(begin),
        "alignment_heads": told.get("alignment_heads") or upper,
        "lang_ids": sorted((told.get("lang_to_id") or {}).values()),
    }


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise NotWhisper(f"{path}: {error}") from error
