"""How a released bundle is scored: the published figures, cut windows, word times.

All of it is heard by the very model code that serves (`inference.asr`): int8, beam 1.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from inference import cer
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.asr.evaluate import LANGUAGE, evaluate
from inference.asr.whisper import WhisperModel
from inference.tensors import Hypothesis
from inference.tensors import TrainingWindow as Asked
from inference.training.corpus import ScriptMark, TrainingWindow, crop
from inference.training.heldout import Item, load_set, render, speak
from inference.training.text import PUNCTUATION


def score(bundle: Path) -> dict[str, float]:
    """The figures of `lingting eval asr` for a sealed bundle, of cut windows and of word times."""
    model = WhisperModel(bundle, threads=1)
    return evaluate(model, beam=1) | cut_windows(model) | word_times(model)


def cut_windows(model: WhisperModel, name: str = "unseen_sentences") -> dict[str, float]:
    """CER on windows that end, or begin, in the middle of speech, as partial windows do."""
    heads, tails = list[tuple[str, str]](), list[tuple[str, str]]()
    rng = random.Random(7)
    for item in load_set(name):
        audio, at_s = render(item), rng.uniform(0.3, 0.8)
        split_s = at_s * len(audio) / RATE_HZ
        for start_s, end_s, pairs in ((0, split_s, heads), (split_s, len(audio) / RATE_HZ, tails)):
            part = crop(TrainingWindow(audio, _marks(item)), start_s, end_s)
            said = "".join(mark.character for mark in part.marks)
            pairs.append((said, _hear(model, part.audio).text))
    return {"cer_heads": cer.score(heads).rate, "cer_tails": cer.score(tails).rate}


def word_times(model: WhisperModel, name: str = "unseen_sentences") -> dict[str, float]:
    """How far word starts lie from espeak's in the sentences heard without a fault, ms.

    Nothing if there are none yet.
    """
    errors = list[float]()
    for item in load_set(name):
        heard = _hear(model, render(item), word_times=True)
        if heard.text != item.text:
            continue
        at, marks = 0, _marks(item)
        for word in heard.words:
            if marks[at].character not in PUNCTUATION:
                errors.append(abs(1000 * marks[at].start_s - word.start_ms))
            at += len(word.text)
    if not errors:
        return {}
    median, high = np.percentile(np.array(errors), [50, 90])
    return {"word_time_ms_p50": float(median), "word_time_ms_p90": float(high)}


def _hear(model: WhisperModel, audio: Audio, *, word_times: bool = False) -> Hypothesis:
    asked = Asked(audio, language=LANGUAGE, word_times=word_times, retries=False)
    (heard,) = model.listen([asked])
    if not isinstance(heard, Hypothesis):
        raise heard
    return heard


def _marks(item: Item) -> list[ScriptMark]:
    speech = speak(item)
    starts = [*speech.starts_s, speech.end_s]
    each = zip(speech.text, starts, starts[1:], speech.syllables, strict=False)
    return [ScriptMark(character, start, end, syllable) for character, start, end, syllable in each]
