"""An emotion bundle in one command: listen, fit, seal; for the demo, speak first.

    python -m inference.training.emotion.train --work DIR --out bundles/emotion-demo
    python -m inference.training.emotion.train --labelled CALLS --encoder bundles/whisper \
        --name emotion-ours --licence ours --out bundles/emotion-ours

CALLS is what `lingting eval emotion` works on: labels.csv and the files it names. Keep a part of
them, of other people, for that. Needs scikit-learn, and `lingting` on PATH, whose lexicon reads the
sentences; for the demo espeak-ng too. What was spoken is kept in DIR; a run that was stopped goes
on there.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import cohen_kappa_score

from inference.adaptation.waveform import RATE_HZ, Audio, as_audio, resample
from inference.bundles import seal, verify
from inference.emotion.load import KIND, WhisperEncoder
from inference.emotion.model import CALM, log_softmax
from inference.emotion.prosody import NAMES, prosody
from inference.tensors import EMOTIONS, LEVELS
from inference.training.emotion.samples import BASELINE_UTTERANCES, LONGEST_S, speak

SPEAKERS = 240
FIT_SHARE = 0.75  # of the speakers; the others calibrate
WITHOUT_BASELINE = 0.35  # share of samples that are shown without the speaker's baseline
HEAD_C, FUSION_C = 0.003, 0.3  # the weaker, the simpler
KEPT_ACCURACY = 0.85  # of what is told, at the threshold below which the model is unsure
FLOOR = 1e-3
SYNTHETIC = "Synthetic moods only: for demonstration and tests, not for people"

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Data:
    """Samples of many speakers, one a row."""

    emotion: npt.NDArray[np.int64]
    level: npt.NDArray[np.int64]
    sound: Array
    baseline: Array
    encoded: Array
    lexical: Array
    speaker: npt.NDArray[np.int64]

    def of(self, rows: npt.NDArray[np.bool_]) -> Data:
        return Data(*(getattr(self, name)[rows] for name in Data.__slots__))


def listen(work: Path, encoder: WhisperEncoder, count: int) -> Data:
    """Speak and hear every speaker; those that are in `work` already are read."""
    work.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        path = work / f"{seed:04d}.npz"
        if not path.exists():
            np.savez(path, **_hear(seed, encoder))
            print(f"speakers: {seed + 1} of {count}", flush=True)
    parts: list[Any] = [np.load(work / f"{seed:04d}.npz") for seed in range(count)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].files}
    texts = [str(text) for text in columns.pop("text")]
    return Data(**columns, lexical=read_words(texts))


def _hear(seed: int, encoder: WhisperEncoder) -> dict[str, Any]:
    samples = list(speak(seed, held_out=False))
    calm = np.mean([prosody(audio) for audio in samples[0].calm], axis=0)
    return {
        "text": np.array([sample.text for sample in samples]),
        "emotion": np.array([EMOTIONS.index(sample.emotion) for sample in samples]),
        "level": np.array([LEVELS.index(sample.level) for sample in samples]),
        "sound": np.stack([prosody(sample.audio) for sample in samples]),
        "baseline": np.tile(calm.astype(np.float32), (len(samples), 1)),
        "encoded": encoder.pooled([sample.audio for sample in samples]),
        "speaker": np.full(len(samples), seed),
    }


def listen_to_calls(folder: Path, encoder: WhisperEncoder) -> Data:
    """Hear the utterances of labels.csv (columns: file, speaker, text, emotion, level)."""
    with (folder / "labels.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    audio = [_read(folder / row["file"]) for row in rows]
    sound = np.stack([prosody(each) for each in audio])
    speakers = [row["speaker"] for row in rows]
    usual = {each: _usual(each, rows, sound) for each in set(speakers)}
    order = sorted(usual)
    return Data(
        emotion=np.array([EMOTIONS.index(row["emotion"]) for row in rows]),
        level=np.array([LEVELS.index(row["level"] or "low") for row in rows]),
        sound=sound,
        baseline=np.stack([usual[speaker] for speaker in speakers]),
        encoded=encoder.pooled(audio),
        lexical=read_words([row["text"] for row in rows]),
        speaker=np.array([order.index(speaker) for speaker in speakers]),
    )


def _usual(speaker: str, rows: list[dict[str, str]], sound: Array) -> Array:
    """Prosody of a speaker's first calm utterances; zeros, which is unknown, if there are none."""
    theirs = [i for i, r in enumerate(rows) if (r["speaker"], r["emotion"]) == (speaker, "calm")]
    calm = sound[theirs[:BASELINE_UTTERANCES]]
    return np.asarray(calm.mean(axis=0) if len(calm) else np.zeros(len(NAMES)), np.float32)


def _read(path: Path) -> Audio:
    """16-bit mono WAV of any rate, as 16 kHz, its first LONGEST_S."""
    with wave.open(str(path)) as file:
        rate, samples = file.getframerate(), file.readframes(file.getnframes())
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(f"{path}: want 16-bit mono")
    audio = as_audio(np.frombuffer(samples, "<i2").astype(np.float32) / 32768)
    audio = audio if rate == RATE_HZ else resample(audio, RATE_HZ / rate)
    return audio[: int(LONGEST_S * RATE_HZ)]


def read_words(texts: list[str]) -> Array:
    """The lexicon's evidence [texts, emotions]."""
    done = subprocess.run(
        ["lingting", "lexicon", "--json"],
        input="\n".join(texts) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return np.array([json.loads(line) for line in done.stdout.splitlines()], np.float32)


def fit(data: Data) -> dict[str, Array]:
    """The arrays of head.npz."""
    rng = np.random.default_rng(0)
    shown = rng.random(len(data.emotion)) > WITHOUT_BASELINE
    known = (shown & data.baseline.any(axis=1)).astype(np.float32)
    raw = _raw(data, known)
    mean, deviation = raw.mean(axis=0), raw.std(axis=0) + FLOOR
    own = slice(len(NAMES), 2 * len(NAMES))
    seen = known > 0
    mean[own], deviation[own] = (
        raw[seen][:, own].mean(axis=0),
        raw[seen][:, own].std(axis=0) + FLOOR,
    )
    features = np.clip((raw - mean) / deviation, -4, 4)
    features[~seen, own] = 0.0
    first = data.speaker < FIT_SHARE * (data.speaker.max() + 1)
    head = LogisticRegression(C=HEAD_C, max_iter=2000, class_weight="balanced")
    head.fit(features[first], data.emotion[first])
    heard = log_softmax((features @ head.coef_.T + head.intercept_).astype(np.float32))
    strong = first & (data.emotion != CALM)
    level = Ridge(alpha=300.0).fit(features[strong], data.level[strong])
    rest = ~first
    both = np.concatenate([heard, data.lexical], axis=1)
    fusion = LogisticRegression(C=FUSION_C, max_iter=2000, class_weight="balanced")
    fusion.fit(both[rest], data.emotion[rest])
    fused = np.exp(log_softmax((both @ fusion.coef_.T + fusion.intercept_).astype(np.float32)))
    graded = _fit_levels(data, level.predict(features), rest)
    return {
        "mean": mean,
        "deviation": deviation,
        "weight": head.coef_.T,
        "bias": head.intercept_,
        "level_weight": level.coef_,
        "level_bias": np.array([level.intercept_]),
        "fusion": fusion.coef_.T,
        "fusion_bias": fusion.intercept_,
        **graded,
        "threshold": np.array([_threshold(fused[rest], data.emotion[rest])]),
    }


def _raw(data: Data, known: Array) -> Array:
    relative = np.where(known[:, None] > 0, data.sound - data.baseline, 0.0)
    return np.concatenate([data.sound, relative, known[:, None], data.encoded], axis=1)


def _fit_levels(data: Data, heard: Array, rest: npt.NDArray[np.bool_]) -> dict[str, Array]:
    """How sound and words add up to a strength, and where its levels are cut."""
    rows = rest & (data.emotion != CALM)
    words = data.lexical[np.arange(len(heard)), data.emotion]
    inputs = np.stack([heard, words, np.ones_like(heard)], axis=1)[rows]
    solution = np.linalg.lstsq(inputs, data.level[rows].astype(np.float64), rcond=None)[0]
    strength, truth = inputs @ solution, data.level[rows]
    grid = np.quantile(strength, np.linspace(0.1, 0.9, 25))
    best, cuts = -1.0, (0.0, 0.0)
    for i, low in enumerate(grid):
        for high in grid[i + 1 :]:
            told = (strength > low).astype(int) + (strength > high)
            agreed = cohen_kappa_score(truth, told, weights="quadratic")
            if agreed > best:
                best, cuts = agreed, (low, high)
    return {"level_fusion": solution, "cuts": np.array(cuts)}


def _threshold(probabilities: Array, truth: npt.NDArray[np.int64]) -> float:
    """The least at which what is told is right often enough."""
    surest, told = probabilities.max(axis=1), probabilities.argmax(axis=1)
    for threshold in np.linspace(0.2, 0.7, 51):
        kept = surest >= threshold
        if kept.any() and (told == truth)[kept].mean() >= KEPT_ACCURACY:
            return float(threshold)
    return 0.5


def main() -> None:
    """Make an emotion bundle, of synthetic speech or of labelled calls."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--work", type=Path, help="where synthetic speech is kept")
    source.add_argument("--labelled", type=Path, help="folder of labels.csv and what it names")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument(
        "--encoder",
        type=Path,
        default=Path("bundles/asr-demo"),
        help="bundle of a CTranslate2 Whisper; it has to lie beside this one on the box",
    )
    parser.add_argument("--speakers", type=int, default=SPEAKERS, help="synthetic ones")
    parser.add_argument("--name", default="emotion-demo")
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--licence", default="Apache-2.0")
    given = parser.parse_args()
    encoder = WhisperEncoder(given.encoder, 1, "cpu", 0)
    arrays = fit(
        listen_to_calls(given.labelled, encoder)
        if given.labelled
        else listen(given.work, encoder, given.speakers)
    )
    given.out.mkdir(parents=True, exist_ok=True)
    np.savez(given.out / "head.npz", **{k: v.astype(np.float32) for k, v in arrays.items()})
    beside = verify(given.encoder)
    config = {"encoder": beside.name, "encoder_version": beside.version}
    (given.out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    seal(
        given.out,
        name=given.name,
        version=given.version,
        kind=KIND,
        licence=given.licence,
        demo=beside.demo or not given.labelled,
        description="Fitted to labelled calls" if given.labelled else SYNTHETIC,
        languages=["zh"],
        tasks=["emotion"],
    )


if __name__ == "__main__":
    main()
