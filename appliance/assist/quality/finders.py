"""Where something is said in some texts: as it is written, or as it sounds."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from appliance.phonetics.homophones import same_sound
from appliance.phonetics.sounds import NOTHING, UNITS, sounds

NEAR = 1.2  # nats a character that a word may sound otherwise
NEVER = 1 << 20  # nats, of what has no sound
BETWEEN = "\n"  # texts: it has no sound
Span = tuple[int, int, str]  # begin, end, and what it is
Find = Callable[[str], Iterator[Span]]  # in a text
FindAll = Callable[[Sequence[str]], Iterator[tuple[int, Span]]]  # in which of some texts


def in_each(find: Find) -> FindAll:
    return lambda texts: (
        (number, span) for number, text in enumerate(texts) for span in find(text)
    )


def written(words: tuple[str, ...]) -> FindAll:
    return in_each(_words(words))


@lru_cache(1024)
def _words(words: tuple[str, ...]) -> Find:
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))
    return lambda text: ((*found.span(), found[0]) for found in pattern.finditer(text))


@lru_cache(256)
def sounding(words: tuple[str, ...]) -> FindAll:
    """What is written so, or sounds nearly so; all texts at once, as each alone takes too long."""
    known, plain = sounds(), written(words)
    by_length = {
        length: [word for word in words if len(word) == length] for length in set(map(len, words))
    }
    said = {length: np.array([*map(known.of, some)]) for length, some in by_length.items()}

    def find(texts: Sequence[str]) -> Iterator[tuple[int, Span]]:
        yield from plain(texts)
        joined = BETWEEN.join(texts)
        heard = np.array(known.of(joined), np.int64)
        begins = [*accumulate((len(text) + 1 for text in texts), initial=0)]
        for length, classes in said.items():
            for at, which in _near_to(heard, classes).tolist():
                word = by_length[length][which]
                if joined[at : at + length] != word:
                    number = bisect_right(begins, at) - 1
                    begin = at - begins[number]
                    yield number, (begin, begin + length, word)

    return find


def _near_to(heard: NDArray[np.int64], said: NDArray[np.int64]) -> NDArray[np.int64]:
    """[found, 2]: where something sounds nearly as one of the words, equally long, and which."""
    words, length = said.shape
    if len(heard) < length:
        return np.zeros((0, 2), np.int64)
    parts = sliding_window_view(heard, length)
    costs = np.zeros((len(parts), words), np.int32)
    for at in range(length):
        costs += sounds().costs[parts[:, at, None], said[None, :, at]]
    costs[(parts == NOTHING).any(axis=1)] = NEVER
    return np.argwhere(costs <= NEAR * UNITS * max(length - 1, 0))


@lru_cache(1024)
def written_as(expression: str) -> Find:
    pattern = re.compile(expression)
    return lambda text: ((*m.span(), m[0]) for m in pattern.finditer(text) if m[0])


_sound = lru_cache(4096)(same_sound)  # every rule asks it of the same turns


@lru_cache(1024)
def heard_as(expression: str) -> Find:
    """What is written so, or sounds the same; one character alone sounds like too many others."""
    plain, pattern = written_as(expression), re.compile(same_sound(expression))

    def find(text: str) -> Iterator[Span]:
        yield from plain(text)
        for found in pattern.finditer(_sound(text)):
            if found.end() - found.start() > 1:
                yield (*found.span(), text[slice(*found.span())])

    return find
