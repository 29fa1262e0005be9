"""Lists of recordings with their text: tab-separated, with a head line, the files beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from appliance.audio.decoder import AudioDecoder
from appliance.errors import SettingsError
from appliance.messages import AudioFormat
from inference.tensors import Audio

READING = "read the list of recordings"
COLUMNS = ("file", "text")
LONGEST_S = 3600.0


def read_rows(path: Path) -> list[dict[str, str]]:
    """By the head line's names; raises SettingsError."""
    head = "its first line names the columns: file, text and, if known, speaker; tabs between"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            names, rows = reader.fieldnames or (), list(reader)
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8 text (in Excel: Unicode Text, or CSV UTF-8 with tabs)"
        raise SettingsError(READING, f"{path} is not UTF-8 text", hint) from error
    except OSError as error:
        cause = f"{path}: {error.strerror or error}"
        raise SettingsError(READING, cause, "name a list of recordings") from error
    except csv.Error as error:
        raise SettingsError(READING, f"{path}: {error}", head) from error
    if missing := [name for name in COLUMNS if name not in names]:
        found = ", ".join(names)[:80] or "nothing"
        cause = f"{path} has no column {missing[0]}; its first line holds: {found}"
        raise SettingsError(READING, cause, head)
    if not rows:
        raise SettingsError(READING, f"{path} holds no recordings", "one a line, below the head")
    return rows


async def decode(path: Path, longest_s: float = LONGEST_S) -> Audio:
    """A recording in any format the box takes, its legs mixed, 16 kHz.

    Raises OSError or LingtingError.
    """
    return _mono(await decode_legs(path, longest_s))


async def decode_legs(path: Path, longest_s: float = LONGEST_S) -> list[Audio]:
    """Each leg of it, [n] at 16 kHz; raises OSError or LingtingError."""
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=longest_s)
    pieces: list[Sequence[Audio]] = []
    try:
        for chunk in _chunks(path):
            pieces.append(await decoder.feed(chunk))
        async for legs in decoder.drain():
            pieces.append(legs)
    finally:
        await decoder.close()
    return [
        np.concatenate(leg).astype(np.float32) for leg in zip(*filter(None, pieces), strict=True)
    ]


def _mono(legs: Sequence[Audio]) -> Audio:
    return np.mean(legs, axis=0) if legs else np.zeros(0, np.float32)


def _chunks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(64 << 10):
            yield chunk
