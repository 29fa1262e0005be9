"""Words with times out of an alignment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, groupby

from inference.asr import quality
from inference.tensors import Word

_SENTENCE = re.compile(r"[^。！？!?；;]+[。！？!?；;]*")


def timed_words(
    texts: Sequence[tuple[str, int]],
    path: Sequence[tuple[int, int]],
    probabilities: Sequence[float],
    *,
    text: str,
    ms_per_frame: float,
    length_ms: int,
) -> tuple[Word, ...]:
    """Words of one window.

    Args:
        texts: (word, number of tokens), in order.
        path: (token, encoder frame) pairs of the alignment, in order.
        probabilities: of each token.
        text: of the window; where it differs from the words' in characters alone, it is right.
        ms_per_frame: of the encoder.
        length_ms: of the window.
    """
    starts: dict[int, int] = {}
    for token, frame in path:
        starts.setdefault(token, min(length_ms, int(frame * ms_per_frame)))
    firsts = [0, *accumulate(count for _, count in texts)]
    begins = [starts.get(at, 0) for at in firsts[:-1]]
    edges = _apart([*begins, starts.get(firsts[-1], length_ms)])
    words: list[Word] = []
    at = 0
    for (piece, count), begin, end in zip(texts, edges, edges[1:], strict=False):
        confidence = sum(probabilities[at : at + count]) / max(1, count)
        piece = piece.lstrip() if not words else piece  # as the text of the whole
        if piece:
            words.append(Word(piece, begin, max(begin, end), round(confidence, 4)))
        at += count
    return _spelt_as(text, words)


def _apart(edges: list[int]) -> list[int]:
    """Never backwards; words that begin at one frame share the time until the next one begins."""
    edges = list(accumulate(edges, max))
    for first, run in groupby(range(len(edges)), key=lambda at: edges[at]):
        alike = list(run)
        after = alike[-1] + 1
        if len(alike) > 1 and after < len(edges):
            step = (edges[after] - first) / len(alike)
            for number, at in enumerate(alike):
                edges[at] = int(first + step * number)
    return edges


def _spelt_as(text: str, words: Sequence[Word]) -> tuple[Word, ...]:
    """Words with the characters of the window's text, which may be in another script."""
    if len("".join(word.text for word in words).rstrip()) != len(text):
        return tuple(words)
    spelt, at = [], 0
    for word in words:
        end = at + len(word.text)
        spelt.append(replace(word, text=text[at:end] + word.text[len(text[at:end]) :]))
        at = end
    return tuple(spelt)


def without_loop(text: str, words: tuple[Word, ...]) -> tuple[str, tuple[Word, ...]]:
    """A phrase said over and over although every retry failed: keep it once, and all the rest."""
    loop = quality.repeated(text)
    return _without(text, words, [loop]) if loop else (text, words)


def without_phantoms(
    text: str, words: tuple[Word, ...], phantoms: Sequence[str]
) -> tuple[str, tuple[Word, ...]]:
    """Leave out the sentences that a model writes where nobody speaks."""
    sentences = [match.span() for match in _SENTENCE.finditer(text)]
    invented = [span for span in sentences if quality.is_phantom(text[slice(*span)], phantoms)]
    return _without(text, words, invented) if invented else (text, words)


def _without(
    text: str, words: tuple[Word, ...], spans: Sequence[tuple[int, int]]
) -> tuple[str, tuple[Word, ...]]:
    """Without stretches [begin, end) of the text, and the words that begin there."""
    kept, at = [], 0
    for word in words:
        if not any(begin <= at < end for begin, end in spans):
            kept.append(word)
        at += len(word.text)
    for begin, end in reversed(spans):
        text = text[:begin] + text[end:]
    return text.strip(), tuple(kept)
