"""Kernel ridge regression in closed form, and what it would say of a row it had not seen.

With A = K + noise and T the targets, the fit is A⁻¹T; a row left out with its twins G misses its
targets by (A⁻¹[G,G])⁻¹ (A⁻¹T)[G] (Rasmussen & Williams 2006, 5.4.2), so one factorisation gives all
cross-validated scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

RARE = 200  # a feature in fewer rows is cheaper pair by pair than as a column
STRIPE = 1024  # rows or columns of a dense product
MOST_PAIRS = 1 << 24  # held at once
BLOCK = 512  # columns of a factor at once
SMALL = 128  # a triangle that is inverted directly


@dataclass(frozen=True, slots=True)
class Sparse:
    """Rows of unit length by features: entries ordered by row.

    Attributes:
        row, feature, value: of each entry.
        shape: rows, features.
    """

    row: Ints
    feature: Ints
    value: Floats
    shape: tuple[int, int]


def gram(x: Sparse) -> Floats:
    """Products of all rows with each other, the lower triangle; (rows, rows)."""
    rows, features = x.shape
    spread = np.bincount(x.feature, minlength=features)
    products = np.zeros((rows, rows), np.float32)
    common = np.flatnonzero(spread > RARE)
    for begin in range(0, len(common), STRIPE):
        _add_columns(products, x, common[begin : begin + STRIPE])
    _add_pairs(products, x, spread <= RARE)
    products[np.diag_indices(rows)] = 1.0
    return products


def _add_columns(products: Floats, x: Sparse, features: Ints) -> None:
    column = np.full(x.shape[1], -1)
    column[features] = np.arange(len(features))
    at = column[x.feature]
    dense = np.zeros((x.shape[0], len(features)), np.float32)
    dense[x.row[at >= 0], at[at >= 0]] = x.value[at >= 0]
    for begin in range(0, len(dense), STRIPE):
        end = min(begin + STRIPE, len(dense))
        products[begin:end, :end] += dense[begin:end] @ dense[:end].T


def _add_pairs(products: Floats, x: Sparse, rare: NDArray[np.bool_]) -> None:
    """Entries of one feature with each other: the nth neighbour of all, then the next."""
    order = np.flatnonzero(rare[x.feature])
    order = order[np.argsort(x.feature[order], kind="stable")]
    row, value, feature = x.row[order], x.value[order], x.feature[order]
    ends = np.searchsorted(feature, feature, side="right")
    flat, first, step = products.reshape(-1), np.arange(len(order)), 1
    while len(first := first[first + step < ends[first]]):
        for begin in range(0, len(first), MOST_PAIRS):
            one = first[begin : begin + MOST_PAIRS]
            other = one + step
            np.add.at(flat, row[other] * x.shape[0] + row[one], value[one] * value[other])
        step += 1


def twins(products: Floats, least: Floats) -> dict[int, list[int]]:
    """Rows whose product is `least` of both or more: row -> the others."""
    found: dict[int, list[int]] = {}
    for begin in range(0, len(products), STRIPE):
        stripe = np.tril(products[begin : begin + STRIPE], begin - 1)
        enough = np.maximum(least[begin : begin + STRIPE, None], least)
        for row, other in np.argwhere(stripe >= enough).tolist():
            found.setdefault(begin + row, []).append(other)
            found.setdefault(other, []).append(begin + row)
    return found


@dataclass(frozen=True, slots=True)
class Fit:
    """Of targets by rows.

    Attributes:
        weights: what each row adds; (rows, targets).
        left_out: scores of each row as if neither it nor its twins had been there; the same shape.
    """

    weights: Floats
    left_out: Floats


def solve(
    products: Floats, noise: Floats, targets: Floats, alike: Mapping[int, Sequence[int]]
) -> Fit:
    """The fit of `targets`.

    Args:
        products: lower triangle; overwritten.
        noise: of each row, over 0; more: it is trusted less.
        alike: twins of a row, to be left out with it.
    """
    products[np.diag_indices(len(products))] += noise
    lower = _cholesky(products)
    _invert_lower(lower)
    weights: Floats = lower.T @ (lower @ targets)
    spread = np.einsum("ij,ij->j", lower, lower)
    missed = weights / spread[:, None]
    for row, others in alike.items():
        group = [row, *others]
        rows = lower[:, group]
        missed[row] = np.linalg.solve(rows.T @ rows, weights[group])[0]
    return Fit(weights, targets - missed)


def _cholesky(square: Floats) -> Floats:
    """Of a lower triangle, in place: a block, what is under it, then the rest without both.

    numpy's own takes twice the time, as it copies and transposes, and another array of this size.
    """
    for begin in range(0, len(square), BLOCK):
        end = min(begin + BLOCK, len(square))
        corner = np.linalg.cholesky(square[begin:end, begin:end])
        square[begin:end, begin:end] = corner
        square[begin:end, end:] = 0.0
        square[end:, begin:end] = square[end:, begin:end] @ np.linalg.inv(corner).T
        for first in range(end, len(square), STRIPE):
            stripe = slice(first, first + STRIPE)
            under = square[end : first + STRIPE, begin:end]
            square[stripe, end : first + STRIPE] -= square[stripe, begin:end] @ under.T
    return square


def _invert_lower(lower: Floats) -> None:
    """A lower triangle by its inverse, in place; by halves, so that it is matrix products."""
    if len(lower) <= SMALL:
        lower[:] = np.tril(np.linalg.inv(lower))
        return
    half = len(lower) // 2
    _invert_lower(lower[:half, :half])
    _invert_lower(lower[half:, half:])
    lower[half:, :half] = -(lower[half:, half:] @ (lower[half:, :half] @ lower[:half, :half]))


def project(x: Sparse, weights: Floats) -> Floats:
    """Weights of features, of those of rows; (features, targets)."""
    found = np.empty((x.shape[1], weights.shape[1]), np.float32)
    for target, column in enumerate(weights.T):
        found[:, target] = np.bincount(x.feature, x.value * column[x.row], x.shape[1])
    return found
