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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANIFEST = "manifest.json"
FORMAT = 1
REFUSED_SUFFIXES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt"}  # these execute code when loaded
READ_SIZE = 1 << 20  # bytes
CANARY_SHAPE = (16_000, 1, 2)  # Hz, channels, bytes of a sample


class BundleInvalid(ValueError):
    """A bundle is missing, incomplete or altered; the message names the file."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model may be served; stock Whisper weights keep every default."""

    margin_s: float = (
        5.0  # silence heard behind the audio; window_s or more pads to the full window
    )
    min_margin_s: float = 2.5  # the same for long windows, and for text that will be replaced
    joined_s: float = 9.75  # of utterances of a recording heard together; 0: each by itself
    window_s: float = 30.0  # longest window
    max_tokens_per_s: float = 12.0  # more text than this per second of audio is invention
    forced_length: bool = False  # random weights: text as long as that allows, and not judged
    no_speech_threshold: float = 0.6  # above this, doubtful text is silence
    no_speech_logprob: float = -1.0  # text below this mean log probability is doubtful


@dataclass(frozen=True, slots=True)
class Canary:
    """Audio with a known transcript, for health probes."""

    audio: str  # file name in the bundle, 16 kHz s16 mono WAV
    text: str


@dataclass(frozen=True, slots=True)
class Manifest:
    name: str
    version: str
    kind: str
    licence: str
    demo: bool
    files: dict[str, dict[str, Any]]  # name -> {"sha256": hex, "size": bytes}
    description: str = ""
    languages: tuple[str, ...] = ()  # empty: whatever the tokenizer knows
    tasks: tuple[str, ...] = ("transcribe",)
    serving: Serving = field(default_factory=Serving)
    canary: Canary | None = None
    prompts: dict[str, str] = field(default_factory=dict)  # language -> text said to come before
    phantoms: tuple[str, ...] = ()  # what the weights like to write where nobody speaks
    notice: str = ""  # what everybody who reads its text should know
    measured: dict[str, Any] = field(default_factory=dict)  # on whom, and how well it heard them


def load_manifest(folder: Path) -> Manifest:
    """Read DIR/manifest.json; raises BundleInvalid."""
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise BundleInvalid(f"{path}: this release reads manifests of format {FORMAT}")
        raw["languages"] = tuple(raw.get("languages", ()))
        raw["tasks"] = tuple(raw.get("tasks", ("transcribe",)))
        raw["phantoms"] = tuple(raw.get("phantoms", ()))
        raw["serving"] = _serving(raw.get("serving", {}))
        raw["canary"] = Canary(**raw["canary"]) if raw.get("canary") else None
        return Manifest(**raw)
    except FileNotFoundError as error:
        raise BundleInvalid(f"{path} is missing") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, BundleInvalid):
            raise
        raise BundleInvalid(f"{path} is not a manifest: {error}") from error


def _serving(given: dict[str, Any]) -> Serving:
    """`trimmed_windows`, of models trained on single utterances as long as they are: no margin."""
    trimmed = {"margin_s": 0.0, "min_margin_s": 0.0, "joined_s": 0.0}
    return Serving(**{**(trimmed if given.pop("trimmed_windows", False) else {}), **given})


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_SIZE):
            digest.update(block)
    return digest.hexdigest()


def verify(folder: Path) -> Manifest:
    """Check that every named file is there, unaltered, and nothing else is; return the manifest."""
    manifest = load_manifest(folder)
    for name, facts in manifest.files.items():
        path = folder / name
        if path.resolve().parent != folder.resolve():
            raise BundleInvalid(f"{path} lies outside its bundle")
        if not path.is_file():
            raise BundleInvalid(f"{path} is missing")
        if path.stat().st_size != facts["size"] or sha256(path) != facts["sha256"]:
            raise BundleInvalid(f"{path} is altered: its hash is not the manifest's")
    strangers = {p.name for p in folder.iterdir() if p.is_file()} - {MANIFEST, *manifest.files}
    if strangers:
        raise BundleInvalid(f"{folder / min(strangers)} is not in the manifest")
    return manifest


def read_canary(folder: Path, manifest: Manifest) -> NDArray[np.float32] | None:
    """Its samples, 16 kHz mono; None if the bundle has none. Raises BundleInvalid."""
    if manifest.canary is None:
        return None
    path = folder / manifest.canary.audio
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
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name != MANIFEST)
    refused = [n for n in names if Path(n).suffix in REFUSED_SUFFIXES]
    if refused:
        raise BundleInvalid(f"{folder / refused[0]}: pickles are not served, convert it first")
    files = {n: {"sha256": sha256(folder / n), "size": (folder / n).stat().st_size} for n in names}
    path = folder / MANIFEST
    temporary = path.with_suffix(".tmp")
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
    if (folder / MANIFEST).exists():
        facts |= json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        facts = {name: value for name, value in facts.items() if name not in ("format", "files")}
    if given["canary"]:
        given["canary"] = dict(zip(("audio", "text"), given["canary"], strict=True))
    return facts | {name: value for name, value in given.items() if value}


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
    write.add_argument("--canary", nargs=2, metavar=("WAV", "TEXT"), help="for health probes")
    given = vars(parser.parse_args(arguments))
    folder, command = given.pop("folder"), given.pop("command")
    try:
        if command == "verify":
            manifest = verify(folder)
            print(f"{manifest.name} {manifest.version}: {len(manifest.files)} files are as sealed")
        else:
            print(seal(folder, **_facts(folder, given)))
    except BundleInvalid as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
