"""Recordings and their list, as `lingting adapt` and `lingting eval` read them."""

from __future__ import annotations

import csv
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from inference.adaptation.waveform import RATE_HZ, Audio

LIST = "list.tsv"


def write_list(folder: Path, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with (folder / LIST).open("w", encoding="utf-8", newline="") as listed:
        table = csv.writer(listed, delimiter="\t", lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)


def write_wav(path: Path, audio: Audio) -> None:
    """16 kHz, 16 bits; what is too loud is made softer as a whole."""
    scaled = audio / max(1.0, float(np.abs(audio).max()))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((scaled * 32767).astype("<i2").tobytes())
