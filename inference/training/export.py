"""From a checkpoint to the bundle folder: transformers layout, CTranslate2 int8, manifest, card."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import tempfile
import wave
from pathlib import Path

import ctranslate2
import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from inference.adaptation.augment import at_level
from inference.adaptation.waveform import RATE_HZ
from inference.training import card, vocabulary
from inference.training.network import GUIDED_HEADS, Network, NetworkShape
from inference.training.voice import Voice, say_apart, trim

VERSION = "0.1.0"
CANARY_TEXT = "您好，请问有什么可以帮您？"
CANARY_VOICE = Voice("rob", rate_wpm=180, pitch=45)
PREPROCESSOR = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 80,
    "sampling_rate": 16000,
    "hop_length": 320,
    "n_fft": 640,
    "chunk_length": 30,
    "n_samples": 480000,
    "nb_max_frames": 1500,
    "padding_value": 0.0,
    "return_attention_mask": False,
}
_COPIED = ["tokenizer.json", "preprocessor_config.json"]


def tokenizer() -> Tokenizer:
    """One token a character, spaces dropped; ids as in `vocabulary`."""
    made = Tokenizer(models.WordLevel(dict(vocabulary.IDS), unk_token="<unk>"))
    made.normalizer = normalizers.Replace(Regex(r"\s"), "")
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    special = vocabulary.TOKENS[vocabulary.EOT :]
    made.add_special_tokens([AddedToken(token, special=True) for token in special])
    return made


def hugging_face(weights: dict[str, torch.Tensor], shape: NetworkShape, folder: Path) -> None:
    """Write the model as transformers would."""
    eot, layer = vocabulary.EOT, shape.decoder_layers - 1
    config = WhisperConfig(
        vocab_size=len(vocabulary.TOKENS),
        num_mel_bins=shape.mels,
        d_model=shape.width,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_attention_heads=shape.heads,
        decoder_attention_heads=shape.heads,
        encoder_ffn_dim=4 * shape.width,
        decoder_ffn_dim=4 * shape.width,
        max_source_positions=shape.source_positions,
        max_target_positions=shape.target_positions,
        pad_token_id=eot,
        bos_token_id=eot,
        eos_token_id=eot,
        decoder_start_token_id=vocabulary.SOT,
    )
    model = WhisperForConditionalGeneration(config)
    kept = {name: value.float() for name, value in weights.items() if not name.startswith("ctc.")}
    missing, unknown = model.load_state_dict(kept, strict=False)
    if unknown or missing not in ([], ["proj_out.weight"]):
        raise ValueError(f"weights do not fit: missing {missing}, unknown {unknown}")
    model.tie_weights()
    written = [0, vocabulary.IDS[""], *range(eot + 1, vocabulary.NO_TIMESTAMPS + 1)]
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        suppress_tokens=[i for i in written if i != eot],
        begin_suppress_tokens=[],
        lang_to_id={"<|zh|>": vocabulary.ZH},
        task_to_id={"transcribe": vocabulary.TRANSCRIBE},
        alignment_heads=[[layer, head] for head in range(GUIDED_HEADS)],
        no_timestamps_token_id=vocabulary.NO_TIMESTAMPS,
        decoder_start_token_id=vocabulary.SOT,
        eos_token_id=eot,
        pad_token_id=eot,
        is_multilingual=True,
        max_length=shape.target_positions,
    )
    model.save_pretrained(folder)
    marks = dict.fromkeys(["bos_token", "eos_token", "pad_token"], "<|endoftext|>")
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer(), unk_token="<unk>", **marks
    ).save_pretrained(folder)
    text = json.dumps(PREPROCESSOR, indent=2)
    (folder / "preprocessor_config.json").write_text(text + "\n", encoding="utf-8")


def read(checkpoint: Path) -> tuple[dict[str, torch.Tensor], NetworkShape]:
    """Averaged weights and shape of a checkpoint of train.py."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    return saved["average"], NetworkShape(**saved["shape"])


def untrained(shape: NetworkShape) -> dict[str, torch.Tensor]:
    """Seeded random weights: a fixture for the serving path."""
    torch.manual_seed(1)
    return Network(shape).state_dict()


def convert(weights: dict[str, torch.Tensor], shape: NetworkShape, folder: Path) -> None:
    """Write the CTranslate2 int8 model to `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        hugging_face(weights, shape, Path(scratch))
        converter = ctranslate2.converters.TransformersConverter(scratch, copy_files=_COPIED)
        converter.convert(str(folder), quantization="int8", force=True)


def write_canary(path: Path) -> None:
    """A short sentence in a held-out voice: 16 kHz, 16 bit, mono."""
    audio = at_level(trim(say_apart(CANARY_TEXT, CANARY_VOICE)).audio, -6.0)
    padded = np.pad(audio, (RATE_HZ // 5, RATE_HZ // 5))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.round(padded * 32767).astype("<i2").tobytes())


def manifest(folder: Path) -> dict[str, object]:
    """The manifest of the files now in `folder`."""
    files = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }
    return {
        "format": 1,
        "name": "asr-demo",
        "version": VERSION,
        "kind": "ctranslate2-whisper",
        "licence": "Apache-2.0",
        "demo": True,
        "description": "Mandarin hotline speech, trained on synthetic voices only: for "
        "demonstration and tests, not for human speech",
        "languages": ["zh"],
        "tasks": ["transcribe"],
        "serving": {"trimmed_windows": True, "window_s": 30.0, "max_tokens_per_s": 8.0},
        "canary": {"audio": "canary.wav", "text": CANARY_TEXT},
        "files": files,
    }


def bundle(
    weights: dict[str, torch.Tensor],
    shape: NetworkShape,
    out: Path,
    facts: card.Facts | None = None,
) -> None:
    """Write the whole bundle beside `out`, then put it in its place in one step."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    fresh.chmod(0o755)
    convert(weights, shape, fresh)
    write_canary(fresh / "canary.wav")
    (fresh / "README.md").write_text(card.write(shape, facts), encoding="utf-8")
    text = json.dumps(manifest(fresh), ensure_ascii=False, indent=1)
    (fresh / "manifest.json").write_text(text + "\n", encoding="utf-8")
    replace(fresh, out)


def replace(fresh: Path, out: Path) -> None:
    """`fresh` becomes `out`; what was there goes."""
    old = out.with_name(f".{out.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    """Export without training: from a checkpoint, or untrained weights."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, help="untrained weights unless given")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    weights, shape = (
        read(options.checkpoint)
        if options.checkpoint
        else (untrained(NetworkShape()), NetworkShape())
    )
    bundle(weights, shape, options.out)


if __name__ == "__main__":
    main()
