"""Whispers of stock shapes with random weights, to measure speed where there are no real ones.

`python -m inference.training.shapes tiny|base|small|turbo --out DIR`. What they write means
nothing, but it is as long as speech would make it: the end of the text is forbidden, and the cap
on tokens stands where a speaker of Mandarin would have come to. Figures taken with one say so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ctranslate2.specs import common_spec, whisper_spec
from tokenizers import Tokenizer

from inference.bundles import seal

POSITIONS, CONTEXT = 1500, 448
TOKENS_PER_S = 6.0  # of Mandarin, as Whisper writes it
NEVER = -1e4  # a logit; float16 holds it
SPREAD = 0.02  # standard deviation of random weights, as they are initialised for training


@dataclass(frozen=True, slots=True)
class ModelShape:
    d_model: int
    encoder_layers: int
    decoder_layers: int
    heads: int
    n_mels: int = 80
    vocabulary: int = 51_865


SHAPES = {
    "tiny": ModelShape(384, 4, 4, 6),
    "base": ModelShape(512, 6, 6, 8),
    "small": ModelShape(768, 12, 12, 12),
    "turbo": ModelShape(1280, 32, 4, 20, 128, 51_866),
}


class RandomWeights:
    """Fills a `WhisperSpec` as CTranslate2's converter would."""

    def __init__(self, shape: ModelShape, seed: int = 0, spread: float = SPREAD) -> None:
        self._shape, self._spread = shape, spread
        self._rng = np.random.default_rng(seed)

    def spec(self) -> whisper_spec.WhisperSpec:
        s = self._shape
        spec = whisper_spec.WhisperSpec(s.encoder_layers, s.heads, s.decoder_layers, s.heads)
        self._fill_encoder(spec.encoder)
        self._fill_decoder(spec.decoder)
        return spec

    def _random(self, *shape: int) -> np.ndarray:
        return (self._rng.standard_normal(shape) * self._spread).astype(np.float32)

    def _linear(self, layer: common_spec.LinearSpec, rows: int, columns: int) -> None:
        layer.weight, layer.bias = self._random(rows, columns), self._random(rows)

    def _norm(self, layer: common_spec.LayerNormSpec) -> None:
        width = self._shape.d_model
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def _attention(self, spec: object, *, own: bool) -> None:
        """Self-attention fuses query, key, value; cross-attention keeps the query apart."""
        d = self._shape.d_model
        for layer, rows in zip(spec.linear, (3 * d, d) if own else (d, 2 * d, d), strict=True):
            self._linear(layer, rows, d)
        self._norm(spec.layer_norm)

    def _feed_forward(self, spec: object) -> None:
        d = self._shape.d_model
        self._linear(spec.linear_0, 4 * d, d)
        self._linear(spec.linear_1, d, 4 * d)
        self._norm(spec.layer_norm)

    def _fill_encoder(self, spec: object) -> None:
        d = self._shape.d_model
        for conv, channels in ((spec.conv1, self._shape.n_mels), (spec.conv2, d)):
            conv.weight, conv.bias = self._random(d, channels, 3), self._random(d)
        spec.position_encodings.encodings = self._random(POSITIONS, d)
        self._norm(spec.layer_norm)
        for layer in spec.layer:
            self._attention(layer.self_attention, own=True)
            self._feed_forward(layer.ffn)

    def _fill_decoder(self, spec: object) -> None:
        d = self._shape.d_model
        spec.embeddings.weight = self._random(self._shape.vocabulary, d)
        spec.position_encodings.encodings = self._random(CONTEXT, d)
        spec.projection.weight = spec.embeddings.weight
        self._norm(spec.layer_norm)
        for layer in spec.layer:
            self._attention(layer.self_attention, own=True)
            self._attention(layer.attention, own=False)
            self._feed_forward(layer.ffn)


def write(name: str, tokenizer: Tokenizer, folder: Path, precision: str) -> Path:
    """A sealed bundle of a stock shape; `tokenizer` gives the tokens their names."""
    shape = SHAPES[name]
    folder.mkdir(parents=True, exist_ok=True)
    spec = RandomWeights(shape).spec()
    spec.register_vocabulary(_vocabulary(tokenizer, shape.vocabulary))
    eot = tokenizer.token_to_id("<|endoftext|>")
    # Neither the end of the text nor anything else that is not text: it never ends of itself. (A
    # list of suppressed tokens as long as that would cost more than the decoder.)
    spec.decoder.projection.bias = np.zeros(shape.vocabulary, np.float32)
    spec.decoder.projection.bias[eot:] = NEVER
    spec.config.suppress_ids = [eot]
    spec.config.suppress_ids_begin = [eot]
    spec.config.lang_ids = [tokenizer.token_to_id("<|zh|>"), tokenizer.token_to_id("<|en|>")]
    spec.config.alignment_heads = [[shape.decoder_layers - 1, 0]]
    spec.validate()
    spec.optimize(quantization=precision)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    geometry = {
        "feature_size": shape.n_mels,
        "hop_length": 160,
        "n_fft": 400,
        "chunk_length": 30,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(geometry), encoding="utf-8")
    seal(
        folder,
        name=f"shape-{name}",
        version="0",
        licence="Apache-2.0",
        kind="ctranslate2-whisper",
        demo=True,
        description=f"random weights in the shape of Whisper {name}: for measuring speed alone",
        tasks=["transcribe"],
        languages=["zh", "en"],
        serving={"max_tokens_per_s": TOKENS_PER_S, "forced_length": True},
    )
    return folder


def _vocabulary(tokenizer: Tokenizer, size: int) -> Sequence[str]:
    """As many tokens as the shape has; those without a name are never written."""
    names = [tokenizer.id_to_token(i) for i in range(min(size, tokenizer.get_vocab_size()))]
    return [*names, *(f"<|unused{i}|>" for i in range(size - len(names)))]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m inference.training.shapes", description=__doc__
    )
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--tokenizer", type=Path, default=Path("bundles/whisper-base"))
    parser.add_argument("--precision", default="int8_float32", help="CTranslate2's word")
    given = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(given.tokenizer / "tokenizer.json"))
    print(write(given.shape, tokenizer, given.out, given.precision))


if __name__ == "__main__":
    main()
