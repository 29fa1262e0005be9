"""A call, a text or an order, as early warning sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody told of something.

    Attributes:
        at: s since 1970, when it happened, whenever it was heard of here.
        category: its code; empty: it is not known.
        place: code of a division, as deep as it is known; empty: it is not known.
        voice: whose it is, by a keyed hash: one voice counts once, however often it calls.
        text: what it is about, without names and numbers.
    """

    id: str
    at: float
    category: str = ""
    place: str = ""
    voice: str = ""
    text: str = ""

    @property
    def counted_as(self) -> str:
        return self.voice or self.id
