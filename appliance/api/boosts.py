"""Riva's boosts, which NIM's sessions have, too: phrases to be heard right, and how much so."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NATS, BOOST_OF_A_NAT = 3.0, 20.0  # clients are told to boost by 20 to 100


def boosted(contexts: Iterable[tuple[Iterable[str], float]]) -> dict[str, float]:
    """Phrases, each once, with what speaks for it in nats.

    A negative boost means that a phrase is not expected: it is left out.

    Args:
        contexts: phrases and their boost.
    """
    found: dict[str, float] = {}
    for phrases, boost in contexts:
        nats = min(MOST_NATS, boost / BOOST_OF_A_NAT)
        for phrase in map(str.strip, phrases if boost >= 0 else ()):
            found[phrase] = max(nats, found.get(phrase, 0.0))
    found.pop("", None)
    return found
