"""Average-link clusters, by chains of nearest neighbours (Murtagh 1983): quadratic in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clusters(alike: NDArray[np.float32], least: float) -> list[list[int]]:
    """Put together what is alike in the mean by `least` and more.

    Args:
        alike: [n, n], symmetric, 0..1.

    Returns:
        Numbers of rows, ascending, by their first.
    """
    links, size = alike.copy(), np.ones(len(alike))
    np.fill_diagonal(links, -1)
    members = {at: [at] for at in range(len(alike))}
    left = dict.fromkeys(members)  # that may still be put together with others
    chain: list[int] = []
    while left:
        chain = chain or [next(iter(left))]
        last, before = chain[-1], chain[-2] if len(chain) > 1 else -1
        near = int(links[last].argmax())
        if before >= 0 and links[last, before] >= links[last, near]:
            near = before
        if links[last, near] < least:  # and nothing that others become is nearer
            del left[chain.pop()]
            links[last] = links[:, last] = -1
        elif near == before:
            kept, gone = sorted((last, before))
            del chain[-2:], left[gone]
            _merge(links, size, kept, gone)
            members[kept] += members.pop(gone)
        else:
            chain.append(near)
    return [sorted(each) for _, each in sorted(members.items())]


def _merge(links: NDArray[np.float32], size: NDArray[np.float64], kept: int, gone: int) -> None:
    """`kept` is both from now on: as near to others as its members in the mean."""
    both = (size[kept] * links[kept] + size[gone] * links[gone]) / (size[kept] + size[gone])
    both[links[kept] < 0] = -1
    both[[kept, gone]] = -1
    links[kept] = links[:, kept] = both
    links[gone] = links[:, gone] = -1
    size[kept] += size[gone]
