"""Words with times out of an alignment."""

from __future__ import annotations

from collections.abc import Sequence

from inference.asr import quality
from inference.tensors import Word


def timed_words(
    texts: Sequence[tuple[str, int]],
    path: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    *,
    ms_per_frame: float,
    length_ms: int,
) -> tuple[Word, ...]:
    """Words of one window.

    Args:
        texts: (word, number of tokens), in order.
        path: (token, encoder frame) pairs of the alignment, in order.
        probabilities: of each token.
        ms_per_frame: of the encoder.
        length_ms: of the window.
    """
    starts: dict[int, int] = {}
    for token, frame in path:
        starts.setdefault(token, min(length_ms, int(frame * ms_per_frame)))
    words: list[Word] = []
    at = 0
    for text, count in texts:
        begin, end = starts.get(at, 0), starts.get(at + count, length_ms)
        confidence = sum(probabilities[at : at + count]) / max(1, count)
        text = text.lstrip() if not words else text  # as the text of the whole
        if text:
            words.append(Word(text, begin, max(begin, end), round(confidence, 4)))
        at += count
    return tuple(words)


def without_loop(text: str, words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...]]:
    """A phrase said over and over although every retry failed: keep it once, and all the rest."""
    loop = quality.repeated(text)
    if loop is None:
        return text, words
    kept, at = [], 0
    for word in words:
        if not loop[0] <= at < loop[1]:
            kept.append(word)
        at += len(word.text)
    return text[: loop[0]] + text[loop[1] :], tuple(kept)
