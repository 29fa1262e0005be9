"""The fixed utterances that moods are measured on: unseen voices, unseen sentences.

python -m inference.training.emotion.heldout --write DIR    # WAV files and labels.csv
"""

from __future__ import annotations

import argparse
import csv
import wave
from pathlib import Path

import numpy as np

from inference.adaptation.waveform import RATE_HZ, Audio
from inference.training.emotion.samples import speak

SPEAKERS = 24
COLUMNS = ("file", "speaker", "text", "emotion", "level")


def write(folder: Path) -> None:
    """Each speaker says calm utterances first, as in the beginning of a call."""
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for seed in range(SPEAKERS):
            for number, sample in enumerate(speak(seed, held_out=True)):
                name = f"{seed:02d}-{number:02d}.wav"
                _write_wav(folder / name, sample.audio)
                table.writerow((name, seed, sample.text, sample.emotion, sample.level))
            print(f"spoken: {seed + 1} of {SPEAKERS} speakers", flush=True)


def _write_wav(path: Path, audio: Audio) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(np.round(np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())


def main() -> None:
    """Write the utterances and their labels."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", type=Path, required=True)
    write(parser.parse_args().write)


if __name__ == "__main__":
    main()
