"""A stock-shaped Whisper of random weights, written as the CTranslate2 converter writes one.

Byte-level BPE tokenizer, Whisper's order of special tokens, 1501 timestamps, real names of every
weight: only the dimensions are tiny. The converter itself needs torch; this fills the very
`WhisperSpec` that it fills.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from inference.bundles import seal
from inference.training.shapes import NEVER, ModelShape, RandomWeights

LANGUAGES = ("en", "zh", "de", "ja", "yue")
TASKS = ("transcribe", "translate")
D_MODEL, LAYERS, HEADS = 16, 2, 2
SPREAD = 0.5  # of weights so few: they should decide for themselves


def _merges(*words: str) -> list[tuple[str, str]]:
    """BPE merges that make one token of each word, byte by byte."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    merges: list[tuple[str, str]] = []
    for word in words:
        ((pieces, _),) = level.pre_tokenize_str(word)
        for end in range(1, len(pieces)):
            if (pieces[:end], pieces[end]) not in merges:
                merges.append((pieces[:end], pieces[end]))
    return merges


def tokenizer(multilingual: bool = True) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {char: i for i, char in enumerate(alphabet)}
    merges = _merges("第二", "有二十", " hello")
    for one, other in merges:
        vocabulary[one + other] = len(vocabulary)
    if multilingual:
        vocabulary[""] = len(vocabulary)  # CTranslate2 takes it as the sign of such a model
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in (LANGUAGES if multilingual else ())),
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *(f"<|{i * 0.02:.2f}|>" for i in range(1501)),
    ]
    made.add_special_tokens([AddedToken(token, special=True) for token in special])
    return made


def write(
    folder: Path,
    *,
    n_mels: int = 80,
    seed: int = 0,
    tasks: tuple[str, ...] = (),
    quantization: str | None = None,
    multilingual: bool = True,
) -> Path:
    """A sealed bundle in `folder`; `n_mels` 80 or 128 as in the stock models.

    Unquantized by default: random weights decide by hair's breadths, which the rounding of int8
    turns with the size of the batch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = tokenizer(multilingual)
    vocabulary = [tokens.id_to_token(i) for i in range(tokens.get_vocab_size())]
    shape = ModelShape(D_MODEL, LAYERS, LAYERS, HEADS, n_mels, len(vocabulary))
    spec = RandomWeights(shape, seed, SPREAD).spec()
    spec.register_vocabulary(vocabulary)
    # Of the tokens most are timestamps, and none is asked for: left to chance, it says no others.
    spec.decoder.projection.bias = np.zeros(len(vocabulary), np.float32)
    spec.decoder.projection.bias[tokens.token_to_id("<|0.00|>") :] = NEVER
    spec.config.suppress_ids = [1, 2]
    spec.config.suppress_ids_begin = [220, tokens.token_to_id("<|endoftext|>")]
    if multilingual:
        spec.config.lang_ids = [tokens.token_to_id(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [[1, 0], [1, 1]]
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    tokens.save(str(folder / "tokenizer.json"))
    geometry = {"feature_size": n_mels, "hop_length": 160, "n_fft": 400, "chunk_length": 30}
    (folder / "preprocessor_config.json").write_text(json.dumps(geometry))
    seal(
        folder,
        name="tiny",
        version="0",
        licence="Apache-2.0",
        kind="ctranslate2-whisper",
        demo=True,
        tasks=list(tasks or TASKS),
    )
    return folder
