"""Bundles: folders of model files with a manifest that names every file's hash.

`python -m inference.bundles verify DIR` checks one, `seal DIR --name …` writes a manifest for
weights converted elsewhere. Nothing is loaded before it is verified, and pickles never are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import wave
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from inference import stock

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"  # over the manifest, beside it: see appliance/models/signing.py
FORMAT = 1
REFUSED_SUFFIXES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt"}  # these execute code when loaded
READ_SIZE = 1 << 20  # bytes
WHISPER = "ctranslate2-whisper"
# Files that a kind of model is loaded from; one of each.
NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    WHISPER: (
        ("model.bin",),
        ("config.json",),
        ("tokenizer.json",),
        ("vocabulary.json", "vocabulary.txt"),
    )
}
CANARY_SHAPE = (16_000, 1, 2)  # Hz, channels, bytes of a sample


class BundleInvalid(ValueError):
    """A bundle is missing, incomplete or altered; the message names the file."""


Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=30)]
STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model may be served; stock Whisper weights keep every default."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    margin_s: Seconds = 5.0  # silence heard behind the audio; window_s or more: the full window
    min_margin_s: Seconds = 2.5  # the same for long windows, and for text that will be replaced
    joined_s: Seconds = 9.75  # of utterances of a recording heard together; 0: each by itself
    window_s: Annotated[float, Field(ge=1, le=30)] = 30.0  # longest window
    max_tokens_per_s: Annotated[float, Field(gt=0, le=100)] = 12.0  # more text is invention
    forced_length: bool = False  # random weights: text as long as that allows, and not judged
    no_speech_threshold: Share = 0.6  # above this, doubtful text is silence
    no_speech_logprob: Annotated[float, Field(le=0)] = -1.0  # mean; below it text is doubtful


@dataclass(frozen=True, slots=True)
class CanaryAnswer:
    """Audio with a known transcript, for health probes."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    audio: str  # file name in the bundle, 16 kHz s16 mono WAV
    text: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a file of a bundle must be."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Manifest:
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    name: Annotated[str, Field(min_length=1)]
    version: str
    kind: str
    licence: str
    demo: bool
    files: dict[str, Sealed]
    description: str = ""
    languages: tuple[str, ...] = ()  # empty: whatever the tokenizer knows
    tasks: Annotated[tuple[str, ...], Field(min_length=1)] = ("transcribe",)
    serving: Serving = field(default_factory=Serving)
    canary: CanaryAnswer | None = None
    prompts: dict[str, str] = field(default_factory=dict)  # language -> text said to come before
    phantoms: tuple[str, ...] = ()  # what the weights like to write where nobody speaks
    notice: str = ""  # what everybody who reads its text should know
    measured: dict[str, Any] = field(default_factory=dict)  # on whom, and how well it heard them
    origin: str = ""  # where the weights come from
    requires: str = ""  # the oldest release of this product that serves it, as 0.1.0
    expires: str = ""  # the last day on which it may be imported or activated, as 2027-12-31


_MANIFEST = TypeAdapter(Manifest)


def load_manifest(folder: Path) -> Manifest:
    """Read DIR/manifest.json; raises BundleInvalid."""
    path = folder / MANIFEST
    try:
        if not path.is_file() or path.is_symlink():
            raise BundleInvalid(f"{path} is missing" if not path.exists() else f"{path} is no file")
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise BundleInvalid(f"{path}: this release reads manifests of format {FORMAT}")
        raw["serving"] = _served(dict(raw.get("serving", {})))
        return _MANIFEST.validate_json(json.dumps(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BundleInvalid(f"{path} is not a manifest: {where}: {first['msg']}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, BundleInvalid):
            raise
        raise BundleInvalid(f"{path} is not a manifest: {error!r}") from error


def _served(given: dict[str, Any]) -> dict[str, Any]:
    """`trimmed_windows`, of models trained on single utterances as long as they are: no margin."""
    trimmed = {"margin_s": 0.0, "min_margin_s": 0.0, "joined_s": 0.0}
    return {**(trimmed if given.pop("trimmed_windows", False) else {}), **given}


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_SIZE):
            digest.update(block)
    return digest.hexdigest()


def verify(folder: Path) -> Manifest:
    """Check that every named file is there, unaltered, and nothing else is; return the manifest."""
    manifest = load_manifest(folder)
    for name, sealed in manifest.files.items():
        path = folder / name
        if path.resolve().parent != folder.resolve():
            raise BundleInvalid(f"{path} lies outside its bundle")
        if not path.is_file():
            raise BundleInvalid(f"{path} is missing")
        if path.stat().st_size != sealed.size or sha256(path) != sealed.sha256:
            raise BundleInvalid(f"{path} is altered: its hash is not the manifest's")
    strangers = {path.name for path in folder.iterdir()} - {MANIFEST, SIGNATURE, *manifest.files}
    if strangers:
        raise BundleInvalid(f"{folder / min(strangers)} is not in the manifest")
    _check_whole(folder, manifest.kind, manifest.files)
    if manifest.canary and manifest.canary.audio not in manifest.files:
        raise BundleInvalid(f"{folder / manifest.canary.audio}, the canary, is missing")
    return manifest


def _check_whole(folder: Path, kind: str, names: Container[str]) -> None:
    """Whether what a kind of model is loaded from is there; raises BundleInvalid."""
    for alternatives in NEEDED.get(kind, ()):
        if not any(name in names for name in alternatives):
            raise BundleInvalid(
                f"{folder / alternatives[0]} is missing: a {kind} is loaded from it"
            )


def read_canary(folder: Path, manifest: Manifest) -> NDArray[np.float32] | None:
    """Its samples, 16 kHz mono; None if the bundle has none. Raises BundleInvalid."""
    return read_clip(folder / manifest.canary.audio) if manifest.canary else None


def read_clip(path: Path) -> NDArray[np.float32]:
    """Samples of a canary's file, 16 kHz mono; raises BundleInvalid."""
    try:
        with wave.open(str(path)) as file:
            shape = file.getframerate(), file.getnchannels(), file.getsampwidth()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    except (OSError, EOFError, wave.Error) as error:
        raise BundleInvalid(f"{path} is no canary: {error}") from error
    if shape != CANARY_SHAPE:
        raise BundleInvalid(f"{path} must be 16 kHz, one channel, 16 bit")
    return (samples / 32768).astype(np.float32)


def seal(folder: Path, **facts: Any) -> Path:
    """Write a manifest over the files of `folder`; `facts` are Manifest's other fields."""
    path = folder / MANIFEST
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)  # of one that was cut off
    (folder / SIGNATURE).unlink(missing_ok=True)  # of what the manifest said before
    found = [p for p in folder.iterdir() if p.name != MANIFEST]
    if strange := [p for p in found if p.is_symlink() or not p.is_file()]:
        raise BundleInvalid(f"{strange[0]} is no plain file: a bundle is one folder of files")
    names = sorted(p.name for p in found)
    _check_whole(folder, str(facts.get("kind", "")), names)
    refused = [n for n in names if Path(n).suffix in REFUSED_SUFFIXES]
    if refused:
        raise BundleInvalid(f"{folder / refused[0]}: pickles are not served, convert it first")
    files = {n: {"sha256": sha256(folder / n), "size": (folder / n).stat().st_size} for n in names}
    text = json.dumps({"format": FORMAT, **facts, "files": files}, ensure_ascii=False, indent=2)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    return path


def _facts(folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    """What `seal` writes: the command line over what an earlier manifest says.

    Demo weights stay demo weights, and what was added by hand stays.
    """
    if not folder.is_dir():
        raise BundleInvalid(f"{folder} is not a folder")
    facts: dict[str, Any] = {"demo": False, "tasks": ["transcribe"], "languages": []}
    plain = given.pop("plain")
    if (folder / MANIFEST).exists():
        facts |= _earlier(folder / MANIFEST)
    elif given["kind"] == WHISPER and not plain:
        facts |= {"prompts": stock.PROMPTS, "phantoms": list(stock.PHANTOMS)}
    if given["canary"]:
        given["canary"] = dict(zip(("audio", "text"), given["canary"], strict=True))
    return facts | {name: value for name, value in given.items() if value}


def _earlier(path: Path) -> dict[str, Any]:
    """What a manifest says that is to be written anew, whatever it says of files."""
    try:
        told = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise BundleInvalid(f"{path} is not a manifest: delete it to begin anew") from error
    return {name: value for name, value in told.items() if name not in ("format", "files")}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.bundles", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="check every hash of a bundle")
    check.add_argument("folder", type=Path)
    write = commands.add_parser("seal", help="write the manifest of a converted model's folder")
    write.add_argument("folder", type=Path)
    write.add_argument("--name", required=True)
    write.add_argument("--version", required=True)
    write.add_argument("--licence", required=True, help="SPDX name of the weights' licence")
    write.add_argument("--kind", default="ctranslate2-whisper")
    write.add_argument("--description")
    write.add_argument("--task", action="append", dest="tasks", choices=["transcribe", "translate"])
    write.add_argument("--language", action="append", dest="languages", help="ISO 639-1; else all")
    write.add_argument(
        "--plain",
        action="store_true",
        help="without stock Whisper's prompt and phantom phrases: weights trained otherwise",
    )
    write.add_argument("--canary", nargs=2, metavar=("WAV", "TEXT"), help="for health probes")
    given = vars(parser.parse_args(arguments))
    folder, command = given.pop("folder"), given.pop("command")
    try:
        if command == "verify":
            manifest = verify(folder)
            print(f"{manifest.name} {manifest.version}: {len(manifest.files)} files are as sealed")
        else:
            print(seal(folder, **_facts(folder, given)))
            verify(folder)
    except (BundleInvalid, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
