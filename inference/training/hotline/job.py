"""The job that teaches Whisper base hotline Mandarin: what voices said, and people.

python -m inference.training.hotline.job --out JOB --base BUNDLE --spoken DIR... --people DIR

Trains on the voices of speak.py and on three published sets of people whose licences let weights
be given away: AISHELL-1's sample (Apache-2.0), DSPSpeech-20 (MIT) and audio-cmn (CC-BY-SA).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from inference.adaptation.job import (
    AdaptationJob,
    AdaptationPlan,
    ClipSource,
    TrainingClip,
    write_clip,
)
from inference.adaptation.tokens import prompt_tokens
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.asr.tokenizer import WhisperTokenizer
from inference.training.hotline.speak import LIST

SENTENCES, WORDS, TAR = "aishell-1-sample", "dspspeech-20", "audio-cmn"
# Share of what is drawn, and how many words of one speaker are put behind another.
PEOPLE = {SENTENCES: (0.35, (0, 1)), WORDS: (0.08, (0, 3)), TAR: (0.07, (0, 3))}
SPOKEN_SHARE = 0.5
# Never learned from, so that the strength of what is learned can be chosen by them.
HELD_VOICE, HELD_PEOPLE = "zf_xiaobei", 3
HELD_OUT = 60  # clips of that voice, and of those people, that are looked at
SHORTEST_S, LONGEST_S = 0.3, 13.0


def people(folder: Path) -> Iterator[tuple[str, dict[str, str], Audio]]:
    """(set, row of its list, 16 kHz samples) of each clip below a folder of sets."""
    for name in PEOPLE:
        archived = dict(_archived(folder / name / "words.tar"))
        with (folder / name / "list.tsv").open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows, delimiter="\t"):
                file = row["file"]
                raw = archived.get(file) or (folder / name / file).read_bytes()
                yield name, row, _decoded(raw)


def _archived(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of an archive, if there is one."""
    if path.exists():
        with tarfile.open(path) as archive:
            for member in archive:
                if content := archive.extractfile(member):
                    yield member.name, content.read()


def _decoded(raw: bytes) -> Audio:
    import soundfile

    samples, rate = soundfile.read(BytesIO(raw), dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return np.asarray(soxr.resample(mono, rate, RATE_HZ) if rate != RATE_HZ else mono, np.float32)


def make(out: Path, base: Path, spoken: list[Path], folder: Path, plan: AdaptationPlan) -> None:
    """Write the job."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer, rng = WhisperTokenizer(base / "tokenizer.json"), random.Random(plan.seed)

    def clip(file: str, text: str, speaker: str, seconds: float, marked: bool) -> TrainingClip:
        return TrainingClip(file, tuple(tokenizer.encode(text)), speaker, seconds, marked)

    said: list[TrainingClip] = []
    held: list[TrainingClip] = []
    for each in spoken:
        for line in (each / LIST).read_text(encoding="utf-8").splitlines():
            told: dict[str, Any] = json.loads(line)
            voices = dict(told["voice"])
            path = str((each / told["file"]).resolve())
            part = clip(path, told["text"], json.dumps(voices), told["s"], marked=True)
            (held if HELD_VOICE in voices else said).append(part)
    found: dict[str, list[TrainingClip]] = {name: [] for name in PEOPLE}
    for number, (name, row, audio) in enumerate(people(folder)):
        seconds = len(audio) / RATE_HZ
        if SHORTEST_S < seconds < LONGEST_S:
            file = f"{name}-{number:06d}.npy"
            write_clip(out / file, audio)
            found[name].append(clip(file, row["text"], row["speaker"], seconds, marked=False))
    speakers = sorted({each.speaker for each in found[SENTENCES]})
    apart = set(rng.sample(speakers, min(HELD_PEOPLE, len(speakers) - 1)))
    read = [each for each in found[SENTENCES] if each.speaker in apart]
    held = [each for some in (held, read) for each in rng.sample(some, min(HELD_OUT, len(some)))]
    found[SENTENCES] = [each for each in found[SENTENCES] if each.speaker not in apart]
    sources = [ClipSource("voices", SPOKEN_SHARE, tuple(said))]
    sources += [
        ClipSource(name, share, tuple(found[name]), joined)
        for name, (share, joined) in PEOPLE.items()
    ]
    tokens = prompt_tokens(base)
    AdaptationJob(str(base.resolve()), plan, tokens, tuple(sources), tuple(held)).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True, help="bundle, float16")
    parser.add_argument("--spoken", type=Path, nargs="+", required=True, help="folders of speak.py")
    parser.add_argument("--people", type=Path, required=True, help="folder of the three sets")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--rate", type=float, default=AdaptationPlan(0).peak_rate)
    given = parser.parse_args()
    plan = AdaptationPlan(steps=given.steps, peak_rate=given.rate, patience=99)
    make(given.out, given.base, given.spoken, given.people, plan)


if __name__ == "__main__":
    main()
