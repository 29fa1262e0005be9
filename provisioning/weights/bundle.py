"""Whisper base as a sealed bundle: weights, tokenizer, card, and a canary in its own words."""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from appliance.audio.g711 import ALAW
from inference import stock
from inference.adaptation import adapters
from inference.adaptation.adapters import AdaptersUnusable
from inference.asr import ct2
from inference.asr.canary import heard_in_canary
from inference.asr.whisper import KIND
from inference.bundles import seal
from inference.tensors import SAMPLE_RATE_HZ, Audio
from provisioning.weights.source import find
from provisioning.weights.vocabulary import LANGUAGES, Pruned, pruned

ROOT = Path(__file__).resolve().parents[2]
CALL = ROOT / "bundles" / "demo-call"
CANARY = "canary.wav"
CANARY_SENTENCE = 2  # of the demo call: some seconds of clear, natural speech
CALL_HZ, WAV_HEAD, LEGS = 8000, 58, ("agent", "citizen")
VERSION = "2"
HOTLINE = Path(__file__).parent / "hotline.safetensors"  # what hotline.md tells of


@dataclass(frozen=True, slots=True)
class Precision:
    name: str
    weights: str  # CTranslate2's word
    pruned: bool  # to the vocabulary of LANGUAGES, and taught hotline Mandarin
    description: str


BUNDLES = (
    Precision(
        "whisper-base",
        "int8_float32",
        True,
        "OpenAI Whisper base, int8, taught hotline Mandarin; Chinese and English: for a CPU",
    ),
    Precision(
        "whisper-base-float16",
        "float16",
        False,
        "OpenAI Whisper base, multilingual, float16 as published: for a GPU",
    ),
)


def write(precision: Precision, source: Path, folder: Path) -> None:
    """Fill an empty folder from where the weights lie, and seal it; raises WeightsUnusable."""
    weights = find(source)
    model = Pruned(weights.tensors, weights.tokenizer, weights.config)
    if precision.pruned:
        model = taught(pruned(model.tensors, model.tokenizer, model.config))
    model.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    names = [model.tokenizer.id_to_token(i) for i in range(model.tokenizer.get_vocab_size())]
    ct2.write(model.tensors, names, model.config, folder, precision.weights)
    card = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(
        card.format(name=precision.name, weights=precision.weights), encoding="utf-8"
    )
    facts = _facts(precision)
    _write_wav(folder / CANARY, canary_clip())
    unheard = {"audio": CANARY, "text": ""}
    seal(folder, **facts, canary=unheard)
    seal(folder, **facts, canary={**unheard, "text": heard_in_canary(folder)})


def taught(model: Pruned) -> Pruned:
    """With the small part in it that hears hotlines better; raises AdaptersUnusable."""
    learned = adapters.load(HOTLINE)
    if ct2.content_sha256(model.tensors) != learned.base:
        raise AdaptersUnusable(f"{HOTLINE.name} was trained on other weights than these")
    return replace(model, tensors=learned.merged(model.tensors))


def _facts(precision: Precision) -> dict[str, Any]:
    own = json.loads((Path(__file__).parent / "manifest.json").read_text(encoding="utf-8"))
    return {
        "name": precision.name,
        "version": VERSION,
        "kind": KIND,
        "licence": "MIT AND CC-BY-SA" if precision.pruned else "MIT",
        "demo": False,
        "description": precision.description,
        "languages": list(LANGUAGES) if precision.pruned else [],
        "prompts": stock.PROMPTS,
        "phantoms": list(stock.PHANTOMS),
        **own["common"],
        **own[precision.name],
    }


def canary_clip() -> Audio:
    """A sentence of the demo call, at 16 kHz."""
    sentence = json.loads((CALL / "call.json").read_text(encoding="utf-8"))[CANARY_SENTENCE]
    raw = np.frombuffer((CALL / "call.wav").read_bytes()[WAV_HEAD:], np.uint8)
    leg = ALAW[raw.reshape(-1, len(LEGS))[:, LEGS.index(sentence["leg"])]]
    begin, end = (sentence[key] * CALL_HZ // 1000 for key in ("start_ms", "end_ms"))
    narrow = leg[begin:end].astype(np.float32)
    wide: Audio = soxr.resample(narrow, CALL_HZ, SAMPLE_RATE_HZ).astype(np.float32)
    return wide


def _write_wav(path: Path, clip: Audio) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(clip, -1, 1) * 32767).astype("<i2").tobytes())
