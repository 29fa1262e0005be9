"""Writes tests/stock_whisper_bundle/: a tiny Whisper of stock shape, by the real converter.

    python -m tests.stock_whisper

transformers makes a random `WhisperForConditionalGeneration` with large-v3's 128 mel bands and
Whisper's order of special tokens; `ctranslate2.converters.TransformersConverter`, which stock
weights go through, turns it into int8. It needs requirements/training.txt (torch), so the result
is committed and the tests load that.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from inference.bundles import seal
from tests import tiny_whisper

FOLDER = Path(__file__).with_name("stock_whisper_bundle")
COPIED = ["tokenizer.json", "preprocessor_config.json"]
GEOMETRY = {"feature_size": 128, "hop_length": 160, "n_fft": 400, "chunk_length": 30}


def stock_model(folder: Path) -> None:
    """A model folder as a hub would hold it."""
    import torch
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperForConditionalGeneration,
    )

    tokens = tiny_whisper.tokenizer()
    ids = {name: tokens.token_to_id(f"<|{name}|>") for name in ("endoftext", "startoftranscript")}
    end, start = ids["endoftext"], ids["startoftranscript"]
    layers = dict.fromkeys(("encoder_layers", "decoder_layers"), 2)
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    config = WhisperConfig(
        vocab_size=tokens.get_vocab_size(),
        num_mel_bins=GEOMETRY["feature_size"],
        d_model=16,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        **layers,
        **heads,
    )
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        suppress_tokens=[1, 2],
        begin_suppress_tokens=[220, end],
        lang_to_id={
            f"<|{code}|>": tokens.token_to_id(f"<|{code}|>") for code in tiny_whisper.LANGUAGES
        },
        task_to_id={
            task: tokens.token_to_id(f"<|{task}|>") for task in ("transcribe", "translate")
        },
        alignment_heads=[[1, 0], [1, 1]],
        no_timestamps_token_id=tokens.token_to_id("<|notimestamps|>"),
        is_multilingual=True,
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
        max_length=448,
    )
    model.save_pretrained(folder)
    marks = dict.fromkeys(["bos_token", "eos_token", "pad_token"], "<|endoftext|>")
    PreTrainedTokenizerFast(tokenizer_object=tokens, **marks).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(GEOMETRY))


def main() -> None:
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory() as scratch:
        stock_model(Path(scratch))
        converter = TransformersConverter(scratch, copy_files=COPIED)
        converter.convert(str(FOLDER), quantization="int8", force=True)
    seal(
        FOLDER,
        name="stock-shaped",
        version="0",
        licence="Apache-2.0",
        kind="ctranslate2-whisper",
        description="random weights: for tests",
        demo=True,
        languages=[],
        tasks=["transcribe", "translate"],
    )


if __name__ == "__main__":
    main()
