"""Whisper's multilingual tokenizer, the same whichever publisher's file it is made of.

One publisher's lost its first merge, which spells ` the` wrong, and its timestamps.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

FIRST_MERGE = ("Ġ", "t")
TEXT_TOKENS = 50_257  # byte-level BPE; the special ones follow
TIMESTAMPS = 1501
NO_SPEECH = {"<|nocaptions|>": "<|nospeech|>"}  # one token, two names


def rebuilt(given: dict[str, Any]) -> Tokenizer:
    """From a tokenizer.json; raises KeyError, ValueError or TypeError on anything else."""
    vocabulary = {t: i for t, i in given["model"]["vocab"].items() if i < TEXT_TOKENS}
    merges = [tuple(m.split(" ") if isinstance(m, str) else m) for m in given["model"]["merges"]]
    if merges[0] != FIRST_MERGE:
        merges.insert(0, FIRST_MERGE)
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    added = {t["id"]: t["content"] for t in given["added_tokens"] if t["id"] >= TEXT_TOKENS}
    special = [NO_SPEECH.get(added[i], added[i]) for i in sorted(added)]
    stamps = [f"<|{i * 0.02:.2f}|>" for i in range(TIMESTAMPS)]
    named = [token for token in special if token not in stamps]
    made.add_special_tokens([AddedToken(t, special=True) for t in (*named, *stamps)])
    return made


def content_sha256(tokenizer: Tokenizer) -> str:
    """Over every token and merge, whatever a library writes around them."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    tokens = sorted(tokenizer.get_vocab(with_added_tokens=True).items())
    return hashlib.sha256(json.dumps([tokens, merges]).encode()).hexdigest()
