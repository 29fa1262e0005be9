"""Which part of a long recording's text each of its pieces says, by what is heard in them."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein


def spread(text: str, heard: Sequence[str]) -> list[str]:
    """A part of `text` for each piece, in order; together they are all of it.

    What is heard in the pieces, one behind another, is laid along the text with the fewest edits.
    Where characters between two pieces were not heard, the cut is at a mark of punctuation.
    """
    places = [at for at, char in enumerate(text) if char.isalnum()]
    told = "".join(text[at] for at in places).casefold()
    pieces = ["".join(filter(str.isalnum, each)).casefold() for each in heard]
    matched = _matched("".join(pieces), told)
    cuts, said = [0], 0
    for piece in pieces[:-1]:
        said += len(piece)
        low = max((t + 1 for s, t in matched if s < said), default=0)
        high = min((t for s, t in matched if s >= said), default=len(told))
        cuts.append(max(cuts[-1], _place(text, places, low, max(low, high))))
    return [text[begin:end] for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _matched(said: str, told: str) -> list[tuple[int, int]]:
    """Characters of both that are the same one."""
    return [
        (code.src_start + n, code.dest_start + n)
        for code in Levenshtein.opcodes(said, told)
        if code.tag == "equal"
        for n in range(code.src_end - code.src_start)
    ]


def _place(text: str, places: Sequence[int], low: int, high: int) -> int:
    """Where in `text` the next part begins, between its letters `low` and `high`."""
    begins = [*places, len(text)]
    for at in range(low, high + 1):
        if at and begins[at] > places[at - 1] + 1:  # a mark stands before it
            return begins[at]
    return begins[(low + high + 1) // 2]
