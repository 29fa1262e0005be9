"""The passage of an answer that a question is about."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from appliance.assist.text.grams import counts, is_single
from appliance.assist.text.index import SearchQuery

CHARACTERS = 160  # of a passage, unless a sentence is longer
MOST = 200  # passages of an entry that are looked at
_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]*")


@dataclass(frozen=True, slots=True)
class AnswerPassage:
    """Of an answer: from character `begin` to `end`."""

    begin: int
    end: int


def passages(text: str) -> tuple[AnswerPassage, ...]:
    """Of whole sentences, one after the other."""
    found: list[AnswerPassage] = []
    begin = end = 0
    for sentence in _SENTENCE.finditer(text):
        if sentence.end() - begin > CHARACTERS and end > begin:
            found.append(AnswerPassage(begin, end))
            begin = sentence.start()
        end = sentence.end()
    if end > begin:
        found.append(AnswerPassage(begin, end))
    return tuple(found[:MOST])


def highlights(text: str, question: SearchQuery) -> list[tuple[int, int]]:
    """Where a text says what was asked: spans of characters, of two and more."""
    wanted = question.keys[~is_single(question.keys)]
    pieces = _pieces(text)
    found = counts([text[begin:end] for begin, end in pieces])
    spans: list[tuple[int, int]] = []
    for at in np.unique(found.text[np.isin(found.key, wanted)]).tolist():
        begin, end = pieces[at]
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return spans


def _pieces(text: str) -> list[tuple[int, int]]:
    """Pairs of characters, and words of letters and digits."""
    words = [match.span() for match in re.finditer(r"[0-9A-Za-z]+", text)]
    pairs = [(at, at + 2) for at in range(len(text) - 1)]
    return sorted(pairs + words)
