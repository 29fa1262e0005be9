"""How sure it is that what was found first answers the question."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from appliance.assist.knowledge.shelf import PASSAGE
from appliance.assist.text.index import SearchQuery, TermStatistics

# Log odds by what was measured (docs/knowledge.md): the share of the question that is covered, and
# how far the first is ahead of the second. Of 2,400 questions, half of them without their answer:
# AUC .89, ECE .03.
ASSUMED = 3  # keys of the question, the heaviest, that a rival holds at least
BIAS, COVERED, AHEAD = -2.76, 1.68, 7.97


def confidence(scores: Sequence[float], question: SearchQuery, by: TermStatistics) -> list[float]:
    """Of entries, best first: that each answers; what is behind shares what the first leaves."""
    if not scores:
        return []
    covered, ahead = features(scores, question, by)
    first = 1 / (1 + math.exp(-(BIAS + COVERED * covered + AHEAD * ahead)))
    rest = [score / scores[0] for score in scores[1:]]
    beside = 1 + sum(share**4 for share in rest)
    return [first, *((1 - first) * share**4 / beside for share in rest)]


def features(
    scores: Sequence[float], question: SearchQuery, by: TermStatistics
) -> tuple[float, float]:
    """Covered, ahead; both about 0..1."""
    worth = question.weight * by.weights(question.keys) * (1 + PASSAGE)
    # Where there are few entries the second says little: a rival is assumed that holds something.
    assumed = float(np.sort(worth)[-ASSUMED:].sum())
    rival = max(scores[1] if len(scores) > 1 else 0.0, assumed)
    first = max(scores[0], 1e-6)
    return scores[0] / max(float(worth.sum()), 1e-6), max(0.0, 1 - rival / first)
