"""Trains a model on labelled texts, from a pack's examples alone up to some ten thousand orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from statistics import median

import numpy as np
from numpy.typing import NDArray

from appliance.assist.category import calibration, ridge
from appliance.assist.category.card import Card
from appliance.assist.category.figures import figures
from appliance.assist.category.grams import count_grams
from appliance.assist.category.labels import LEVEL, Branches
from appliance.assist.category.model import CategoryModel, Weights, says_something
from appliance.assist.category.rows import Labelled
from appliance.assist.category.vocabulary import Vocabulary
from appliance.errors import SettingsError

Floats = NDArray[np.float32]
Progress = Callable[[str], None]

NOISE = 0.6  # of an average row; its likeness to itself is 1
EVEN = 0.85  # 1: scores are over the mean of all labels alike; less lifts those of rare ones
RAREST = 30.0  # times the average is the most that a row of a rare label counts
OPENING = 30  # characters: a title, or what is said first
LONG = 60  # characters; shorter texts are all opening
TWIN, SHORT_TWIN = 0.4, 0.7  # likeness from which on two texts are one matter written twice
SHORT = 40  # characters; short texts are alike by a word or two
MOST_ROWS = 12_000  # time grows with the cube, memory with the square: 1.2 GB
MOST_BYTES = 16 << 20  # of weights
DOING = "train the category model"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model, and what it would have said of each of its rows without that row.

    Attributes:
        rows: those that it was measured on: no hints.
        left_out: probabilities of their labels; (rows, labels).
    """

    model: CategoryModel
    rows: Sequence[Labelled]
    left_out: Floats


def train(
    rows: Sequence[Labelled], *, pack: str = "", progress: Progress | None = None
) -> CategoryModel:
    """A model of `rows`; raises SettingsError where they are too few or of one label."""
    return fit(rows, pack=pack, progress=progress).model


def fit(rows: Sequence[Labelled], *, pack: str = "", progress: Progress | None = None) -> Trained:
    """A model with all that its cross-validation found; see `train`."""
    say = progress or (lambda _: None)
    kept, card = _cleaned(rows)
    branches = Branches(_labels(kept))
    at = {label: place for place, label in enumerate(branches.labels)}
    right = np.array([at[row.label] for row in kept])
    say(f"counting characters of {len(kept)} texts")
    vocabulary, x = _features([row.text for row in kept])
    say(f"fitting {len(at)} labels")
    targets = _centred(branches.targets(), right)
    found = _fitted(x, kept, targets[right], _noise(kept, right))
    measured = _measured(kept)
    link = calibration.fit(found.left_out[measured], right[measured])
    shares = link(found.left_out[measured])
    judged = [kept[place] for place in measured]
    card = _judged(card, branches, judged, shares).model_copy(update={"pack": pack})
    say("rounding weights")
    part, weights = _weights(vocabulary, x, found.weights)
    known = np.unique([digest(row.text) for row in kept])
    return Trained(CategoryModel(branches.labels, part, weights, link, card, known), judged, shares)


def _measured(rows: Sequence[Labelled]) -> NDArray[np.int64]:
    """Numbers of those that are texts; of all where there are hints only."""
    texts = np.flatnonzero([not row.hint for row in rows])
    return texts if len(texts) else np.arange(len(rows))


def _judged(card: Card, branches: Branches, rows: Sequence[Labelled], shares: Floats) -> Card:
    """With figures, and the threshold that is best for them."""
    labels = branches.labels
    best = shares.argmax(axis=1)
    hit = np.array([labels[b] == row.label for b, row in zip(best, rows, strict=True)])
    sure = calibration.least_sure(shares.max(axis=1), hit)
    truth, told = [row.label for row in rows], branches.sure(shares, sure)
    found = figures(truth, labels, shares, told, LEVEL if branches.codes else None)
    return card.model_copy(update={"sure": sure, "figures": found.flat()})


def _cleaned(rows: Sequence[Labelled]) -> tuple[list[Labelled], Card]:
    """Rows that say something, each text once, and not too many.

    The last row of a text counts: it may correct one before. A hint may be of several labels.
    """
    saying = [row for row in rows if says_something(row.text)]
    once = {(row.text.strip(), row.label if row.hint else None): row for row in saying}
    kept = _thinned(list(once.values()))
    return kept, Card(
        made=datetime.now(UTC).date().isoformat(),
        rows=len(kept),
        hints=sum(row.hint for row in kept),
        duplicates=len(saying) - len(once),
        empty=len(rows) - len(saying),
        left_out=len(once) - len(kept),
        figures={},
        sure=0.0,
    )


def _thinned(rows: list[Labelled]) -> list[Labelled]:
    """At most MOST_ROWS: the newest of those labels that have most; rare ones lose none."""
    if len(rows) <= MOST_ROWS:
        return rows
    counts = np.array(list(Counter(row.label for row in rows).values()))
    most = next(m for m in range(MOST_ROWS, 0, -1) if np.minimum(counts, m).sum() <= MOST_ROWS)
    left: Counter[str] = Counter()
    kept = []
    for row in reversed(rows):
        left[row.label] += 1
        if left[row.label] <= most:
            kept.append(row)
    return kept[::-1]


def _labels(rows: Sequence[Labelled]) -> list[str]:
    labels = sorted({row.label for row in rows})
    if not rows:
        raise SettingsError(DOING, "there is no text", "give rows with a label and a text")
    if len(labels) < 2:
        cause = f"all {len(rows)} texts have the label {labels[0]}"
        raise SettingsError(DOING, cause, "a model needs two labels at least: add rows of others")
    return labels


def _features(texts: Sequence[str]) -> tuple[Vocabulary, ridge.Sparse]:
    opening = OPENING if median(map(len, texts)) > LONG else 0
    grams = count_grams(texts, opening)
    vocabulary = Vocabulary.of(grams, opening)
    number, share = vocabulary.weigh(grams)
    return vocabulary, ridge.Sparse(grams.text, number, share, (len(texts), len(vocabulary.keys)))


def _noise(rows: Sequence[Labelled], right: NDArray[np.int64]) -> Floats:
    """Labels count alike, however many rows they have; a correction counts more."""
    counts = np.bincount(right)
    weight = np.minimum(len(rows) / (len(counts) * counts[right]), RAREST)
    weight *= np.array([row.weight for row in rows])
    return (NOISE / weight).astype(np.float32)


def _centred(targets: Floats, right: NDArray[np.int64]) -> Floats:
    """Of labels, less what is expected of a text of which nothing is known."""
    counts = np.bincount(right)
    middle: Floats = np.average(targets, axis=0, weights=counts ** (1 - EVEN))
    return (targets - middle).astype(np.float32)


def _fitted(x: ridge.Sparse, rows: Sequence[Labelled], targets: Floats, noise: Floats) -> ridge.Fit:
    products = ridge.gram(x)
    alike = ridge.twins(products, _twin_from([row.text for row in rows]))
    return ridge.solve(products, noise, targets, alike)


def twins_of(texts: Sequence[str]) -> dict[int, list[int]]:
    """Texts that say the same matter: number -> the others. Memory grows with the square."""
    return ridge.twins(ridge.gram(_features(texts)[1]), _twin_from(texts))


def _twin_from(texts: Sequence[str]) -> Floats:
    short = np.array([len(text) <= SHORT for text in texts])
    return np.where(short, SHORT_TWIN, TWIN).astype(np.float32)


def _weights(vocabulary: Vocabulary, x: ridge.Sparse, rows: Floats) -> tuple[Vocabulary, Weights]:
    """Of the commonest grams, as many as the memory is for."""
    most = MOST_BYTES // (rows.shape[1] + 16)
    order = np.argsort(vocabulary.rarity, kind="stable")[:most]
    kept = np.zeros(len(vocabulary.keys), bool)
    kept[order] = True
    place = np.cumsum(kept) - 1
    inside = kept[x.feature]
    smaller = replace(
        x,
        row=x.row[inside],
        feature=place[x.feature[inside]],
        value=x.value[inside],
        shape=(x.shape[0], int(kept.sum())),
    )
    return vocabulary.part(kept), Weights.rounded(ridge.project(smaller, rows))


def digest(text: str) -> int:
    """Tells texts apart, and tells nothing of them."""
    return int.from_bytes(blake2b(text.strip().encode(), digest_size=7).digest(), "big")
