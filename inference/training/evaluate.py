"""Scores a bundle on the held-out sets, as it is served: CTranslate2, beam 1, trimmed windows.

python -m inference.training.evaluate bundles/asr-demo
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

import ctranslate2
import numpy as np

from inference import cer
from inference.asr.features import LogMel
from inference.training import vocabulary
from inference.training.corpus import Mark, Window, crop
from inference.training.heldout import SETS, Item, load_set, render, speak
from inference.training.text import PUNCTUATION
from inference.training.voice import RATE_HZ, Audio

_FEATURES = LogMel(feature_size=80, hop_length=320, n_fft=640, chunk_length=30)
_MAX_TOKENS_PER_S = 8.0


class Reader:
    """Reads windows with the bundle in `folder`, one at a time on one thread."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", intra_threads=threads, compute_type="int8"
        )

    def read(self, audio: Audio, beam: int = 1, padded: bool = False) -> str:
        """Text of one window; `padded` adds silence up to 30 s, as stock servers do."""
        length_s = len(audio) / RATE_HZ
        if padded:
            audio = np.pad(audio, (0, 30 * RATE_HZ - len(audio)))
        source = self._encode(audio)
        most = len(vocabulary.PROMPT) + 6 + round(length_s * _MAX_TOKENS_PER_S)
        result = self._model.generate(
            source,
            [vocabulary.PROMPT],
            beam_size=beam,
            max_length=min(448, 2 * most),  # CTranslate2 lets half of it be text
            return_no_speech_prob=True,
        )[0]
        return "".join(vocabulary.TOKENS[i] for i in result.sequences_ids[0] if i < vocabulary.EOT)

    def align(self, audio: Audio, text: str) -> list[float]:
        """When each character of `text` begins, in seconds."""
        source = self._encode(audio)
        frames = len(audio) // _FEATURES.hop_length
        ids = vocabulary.encode(text)
        aligned = self._model.align(source, vocabulary.PROMPT[:3], [ids], frames)[0].alignments
        first: dict[int, int] = {}
        for token, frame in aligned:
            first.setdefault(token, frame)
        return [first[i] / 25 for i in range(len(ids))]

    def _encode(self, audio: Audio) -> ctranslate2.StorageView:
        mel = _FEATURES(np.ascontiguousarray(audio[None], dtype=np.float32))
        return self._model.encode(ctranslate2.StorageView.from_array(mel))


Transcribe = Callable[[Item], str]


def figures(transcribe: Transcribe) -> tuple[dict[str, float], dict[str, list[tuple[Item, str]]]]:
    """The published figures, and every (item, hypothesis) of every set."""
    read = {name: [(item, transcribe(item)) for item in load_set(name)] for name in SETS}
    pairs = {name: [(item.text, said) for item, said in rows] for name, rows in read.items()}
    spoken = ("unseen_sentences", "unseen_voices", "alaw", "free")
    found = {f"cer_{name}": cer.score(pairs[name]).rate for name in spoken}
    found["digit_accuracy"] = cer.digit_accuracy(pairs["phones"])
    invented = cer.invented_characters(said for _, said in pairs["nonspeech"])
    return {**found, "invented_characters": float(invented)}, read


def score(folder: Path) -> dict[str, float]:
    """The published figures of the bundle in `folder`, and those of cut windows and word times."""
    reader = Reader(folder)
    published = figures(lambda item: reader.read(render(item)))[0]
    return published | cut_windows(reader) | word_times(reader)


def cut_windows(reader: Reader, name: str = "unseen_sentences") -> dict[str, float]:
    """CER on windows that end, or begin, in the middle of speech, as partial windows do."""
    heads, tails = list[tuple[str, str]](), list[tuple[str, str]]()
    rng = random.Random(7)
    for item in load_set(name):
        audio, at_s = render(item), rng.uniform(0.3, 0.8)
        split_s = at_s * len(audio) / RATE_HZ
        for start_s, end_s, pairs in ((0, split_s, heads), (split_s, len(audio) / RATE_HZ, tails)):
            part = crop(Window(audio, _marks(item)), start_s, end_s)
            said = "".join(mark.character for mark in part.marks)
            pairs.append((said, reader.read(part.audio)))
    return {"cer_heads": cer.score(heads).rate, "cer_tails": cer.score(tails).rate}


def _marks(item: Item) -> list[Mark]:
    speech = speak(item)
    starts = [*speech.starts_s, speech.end_s]
    each = zip(speech.text, starts, starts[1:], speech.syllables, strict=False)
    return [Mark(character, start, end, syllable) for character, start, end, syllable in each]


def word_times(reader: Reader, name: str = "unseen_sentences") -> dict[str, float]:
    """How far aligned character starts lie from espeak's, in ms: median and 90th percentile."""
    errors = list[float]()
    for item in load_set(name):
        found = reader.align(render(item), item.text)
        errors += [
            abs(mark.start_s - start)
            for mark, start in zip(_marks(item), found, strict=True)
            if mark.character not in PUNCTUATION
        ]
    median, high = np.percentile(np.array(errors) * 1000, [50, 90])
    return {"word_time_ms_p50": float(median), "word_time_ms_p90": float(high)}


def main() -> None:
    """Print the figures of a bundle, and what went wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--padded", action="store_true")
    parser.add_argument("--errors", type=int, default=0, help="of each set to show")
    parser.add_argument("--more", action="store_true", help="cut windows and word times too")
    options = parser.parse_args()
    reader = Reader(options.bundle)
    found, read = figures(lambda item: reader.read(render(item), options.beam, options.padded))
    for name, rows in read.items():
        wrong = [
            (item, said) for item, said in rows if cer.normalise(item.text) != cer.normalise(said)
        ]
        for item, said in wrong[: options.errors]:
            print(f"{name}\n  {item.text or item.sound}\n  {said}")
    if options.more:
        found |= cut_windows(reader) | word_times(reader)
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


if __name__ == "__main__":
    main()
