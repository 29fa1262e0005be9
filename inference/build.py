"""Makes a bundle of weights that lie in a folder, without a network:

python -m inference.build FOLDER --out BUNDLE --name NAME --version 1 --licence MIT

Takes a Whisper of Hugging Face's transformers (safetensors), a converted model of CTranslate2, or
networks in ONNX with the config.json of a diarization bundle. Pickles are refused: they run code
when they are read. pyannote's checkpoints go through `inference.training.diarization.convert`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference import stock
from inference.asr import ct2, hugging_face
from inference.asr.canary import heard_in_canary
from inference.asr.tokenizer import WhisperTokenizer
from inference.asr.whisper import ModelUnusable
from inference.bundles import (
    REFUSED_SUFFIXES,
    WHISPER,
    BundleInvalid,
    load_manifest,
    read_clip,
    seal,
    verify,
)

MODEL, CONFIG, TOKENIZER = "model.bin", "config.json", "tokenizer.json"
CANARY = "canary.wav"
DIARIZATION = "pyannote-diarization"
# Of a source; what else lies there is for training.
TAKEN = {
    WHISPER: (MODEL, CONFIG, TOKENIZER, "vocabulary.json", "vocabulary.txt"),
    DIARIZATION: (CONFIG, "segmentation.onnx", "embedding.onnx", "README.md"),
}
BESIDE = ("preprocessor_config.json", "README.md", "LICENSE")


def kind_of(folder: Path) -> tuple[str, bool]:
    """Kind of the bundle that a folder gives, and whether it must be converted first.

    Raises BundleInvalid saying what was looked for.
    """
    if (folder / MODEL).is_file():
        return WHISPER, False
    if (folder / "segmentation.onnx").is_file():
        return DIARIZATION, False
    if (folder / hugging_face.WEIGHTS).is_file() or (folder / hugging_face.INDEX).is_file():
        return WHISPER, True
    found = sorted(p.name for p in folder.glob("*")) if folder.is_dir() else []
    pickles = [n for n in found if Path(n).suffix in REFUSED_SUFFIXES or n == "pytorch_model.bin"]
    if pickles:
        cause = f"{folder / pickles[0]} is a pickle, and runs code when it is read"
        raise BundleInvalid(f"{cause}: save the weights as safetensors where you trust them")
    looked = f"{MODEL}, {hugging_face.WEIGHTS} or segmentation.onnx"
    raise BundleInvalid(f"{folder} holds no weights that are known here: {looked}")


def build(
    source: Path, out: Path, precision: str, facts: dict[str, Any], canary: Path | None = None
) -> Path:
    """Write and seal the bundle; raises BundleInvalid, FileExistsError.

    Args:
        canary: a clip, 16 kHz, one channel, 16 bit; what a Whisper hears in it now it must hear
            whenever it is started.
    """
    kind, convert = kind_of(source)
    if canary:
        _check_canary(canary)
    out.mkdir(parents=True)
    try:
        if convert:
            _convert(source, out, precision)
        for name in (*(() if convert else TAKEN[kind]), *BESIDE):
            if (source / name).is_file():
                shutil.copyfile(source / name, out / name)
        spoken = {"prompts": stock.PROMPTS, "phantoms": list(stock.PHANTOMS)}
        more: dict[str, Any] = {"tasks": ["transcribe"], **spoken} if kind == WHISPER else {}
        more |= {"kind": kind, "demo": False, **facts}
        seal(out, **more)
        if canary and kind == WHISPER:
            shutil.copyfile(canary, out / CANARY)
            unheard = {"audio": CANARY, "text": ""}
            seal(out, **more, canary=unheard)
            seal(out, **more, canary={**unheard, "text": heard_in_canary(out)})
        verify(out)
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    return out


def _check_canary(path: Path) -> None:
    try:
        read_clip(path)
    except BundleInvalid as error:
        hint = "make it one: ffmpeg -i FILE -ar 16000 -ac 1 -c:a pcm_s16le canary.wav"
        raise BundleInvalid(f"{error} ({hint})") from error


def _convert(source: Path, out: Path, precision: str) -> None:
    if not (source / TOKENIZER).is_file():
        raise BundleInvalid(f"{source / TOKENIZER} is missing: fetch it with the weights")
    tensors, config = hugging_face.read(source)
    tokenizer = WhisperTokenizer(source / TOKENIZER)
    config["lang_ids"] = config["lang_ids"] or tokenizer.language_ids()
    words = len(tensors["decoder/embeddings/weight"])
    names = [tokenizer.token(i) or f"<|unused-{i}|>" for i in range(words)]
    ct2.write(tensors, names, config, out, precision)
    shutil.copyfile(source / TOKENIZER, out / TOKENIZER)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.build", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--licence", required=True, help="SPDX name of the weights' licence")
    parser.add_argument("--origin", default="", help="where the weights come from")
    parser.add_argument(
        "--language", action="append", dest="languages", help="ISO 639-1; else all that it knows"
    )
    parser.add_argument("--precision", default="float16", help="CTranslate2's word")
    parser.add_argument("--canary", type=Path, help="a clip that it must hear when it is started")
    parser.add_argument("--requires", help="the oldest release that serves it, as 0.1.0")
    parser.add_argument("--expires", help="the last day on which it may be taken, as 2027-12-31")
    given = vars(parser.parse_args(arguments))
    names = "source", "out", "precision", "canary"
    source, out, precision, canary = (given.pop(name) for name in names)
    try:
        facts = {k: v for k, v in given.items() if v}
        print(build(source, out, precision, facts, canary))
        if told := load_manifest(out).canary:
            print(f"it hears in its canary, now and whenever it is started: {told.text}")
    except FileExistsError:
        print(f"{out} exists: name a new folder", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"{error}; building needs the dev profile: make .venv/.dev", file=sys.stderr)
        return 1
    except (
        BundleInvalid,
        ModelUnusable,
        hugging_face.NotWhisper,
        OSError,
        json.JSONDecodeError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
