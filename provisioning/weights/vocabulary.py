"""Fewer tokens for fewer languages: the same Chinese at little more than half the decoder's cost.

At every step a decoder weighs its whole vocabulary; in Whisper base that is half of its work, and
nine tokens in ten are of languages that no caller of a Mandarin hotline speaks. What is kept: all
Chinese, every single byte and part of a character, short pieces of Latin letters, digits, marks.
Chinese comes out exactly as before; English of more and shorter pieces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from inference.asr.ct2 import Tensors
from provisioning.weights.tokenizer import TEXT_TOKENS

LANGUAGES = ("zh", "en")
LONGEST_LATIN = 4  # characters of a piece that is kept
PART = "\ufffd"  # what a part of a character decodes to
KANA = ("\u3040", "\u30ff")
CHINESE = (("\u2010", "\u2030"), ("\u3000", "\u303f"), ("\u3400", "\u9fff"), ("\uff00", "\uffef"))
TOKEN_ROWS = ("decoder/embeddings/weight", "decoder/projection/weight")
ID_LISTS = ("lang_ids", "suppress_ids", "suppress_ids_begin")


@dataclass(frozen=True, slots=True)
class Pruned:
    tensors: Tensors
    tokenizer: Tokenizer
    config: dict[str, Any]


def pruned(tensors: Tensors, tokenizer: Tokenizer, config: Mapping[str, Any]) -> Pruned:
    """The same model with a smaller vocabulary; special tokens keep their order behind the text."""
    text = [i for i in range(TEXT_TOKENS) if is_kept(tokenizer.decode([i]))]
    kept = [*text, *range(TEXT_TOKENS, tokenizer.get_vocab_size())]
    rows = {name: np.ascontiguousarray(tensors[name][kept]) for name in TOKEN_ROWS}
    ids = {old: new for new, old in enumerate(kept)}
    lists = {name: [ids[i] for i in config[name] if i in ids] for name in ID_LISTS}
    names = [tokenizer.id_to_token(i) for i in kept]
    smaller = _tokenizer(tokenizer, names[: len(text)], names[len(text) :])
    return Pruned({**tensors, **rows}, smaller, {**config, **lists})


def is_kept(text: str) -> bool:
    """Whether a token of this text is needed for Chinese, or for short Latin pieces."""
    if PART in text:
        return True
    if text.isascii():
        return len(text) <= LONGEST_LATIN
    if any(KANA[0] <= char <= KANA[1] for char in text):
        return False
    return any(first <= char <= last for char in text for first, last in CHINESE)


def _tokenizer(whole: Tokenizer, text: Sequence[str], special: Sequence[str]) -> Tokenizer:
    vocabulary = {token: i for i, token in enumerate(text)}
    pairs = (tuple(pair) for pair in json.loads(whole.to_str())["model"]["merges"])
    merges = [
        (a, b) for a, b in pairs if a in vocabulary and b in vocabulary and a + b in vocabulary
    ]
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in special])
    return made
