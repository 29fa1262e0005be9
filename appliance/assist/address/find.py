"""One text read for addresses: candidates, house numbers, unlisted names, where beside them.

A pure function of the text and the gazetteer, kept for texts read before: a call is read again
after each final.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from appliance.assist.address import cues, tokens
from appliance.assist.address.chain import Heard, Meant, readings
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.address.house import pieces as house_pieces
from appliance.assist.address.match import Match, matches
from appliance.assist.address.nearness import Near, crossing, near
from appliance.assist.address.numerals import NUMBER
from appliance.assist.address.shapes import Shape, shapes
from appliance.assist.address.tokens import Piece
from appliance.assist.slots.turns import plain

CACHED = 4096  # texts
MOST_MENTIONS = 6  # places of one text
LEAST_MENTION = -2.0  # nats: what an answer to "where?" can still make likely
LEAST_SECOND = 1.0  # nats: of a second place in a written address, which seldom has one
LEAST_NAME = 6.0  # nats: of a misheard name before a house number
_LINK = re.compile("[的那这个边儿，,、 ]{0,3}")
_BARE = re.compile(NUMBER)  # a number alone, which may be anything
REACH = 10  # characters from a name to a house number that belongs to it
_HOUSES = {
    "street": tokens.STREET,
    "village": tokens.VILLAGE,
    "compound": tokens.HOME,
    "market": tokens.STALL,
    "city": tokens.AREA,
    "county": tokens.AREA,
    "town": tokens.AREA,
}


@dataclass(frozen=True, slots=True)
class Mention:
    """One place as one text tells it.

    Attributes:
        matches: all that the names in it may mean.
        meant: the likeliest.
        shapes: names in it that no gazetteer has.
        crossing: the number of a street that it crosses there.
        pieces: house numbers that belong to it.
        denied, corrects, mine: what the words before it say, see `cues`.
    """

    start: int
    end: int
    matches: tuple[Match, ...] = ()
    meant: Meant | None = None
    shapes: tuple[Shape, ...] = ()
    pieces: tuple[Piece, ...] = ()
    near: Near | None = None
    crossing: int | None = None
    denied: bool = False
    corrects: bool = False
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says of places.

    Attributes:
        loose: house numbers that no place in this text goes with.
        pieces: all house numbers, those too that stand for nothing without a place.
        spans: from, to of all that is part of an address: dates are not to be looked for there.
    """

    mentions: tuple[Mention, ...]
    loose: tuple[Piece, ...]
    pieces: tuple[Piece, ...]
    spans: tuple[tuple[int, int], ...]


@lru_cache(maxsize=CACHED)
def find(text: str, gazetteer: Gazetteer) -> Reading:
    """Reads one text."""
    text = plain(text)
    firm = house_pieces(text, {})
    found = [
        match
        for match in matches(text, gazetteer, gazetteer.heard(text))
        if match.exact or not any(_inside(match, piece) for piece in firm)
    ]
    meant = list(_meant(text, found, gazetteer))
    names = _names(text, meant, gazetteer)
    shaped = [
        shape
        for shape in shapes(text, names)
        if not _known(shape, meant) and (shape.kind != "town" or gazetteer.as_written)
    ]
    names |= {shape.end: _HOUSES.get(shape.kind, tokens.NAMED) for shape in shaped}
    pieces = house_pieces(text, names)
    unlisted = (_unlisted(shape, found) for shape in shaped)
    bare = sorted([*_mentioned(found, meant), *unlisted], key=lambda mention: mention.start)
    return _reading(text, _joined(bare, text), pieces, gazetteer)


def _meant(text: str, found: Sequence[Match], gazetteer: Gazetteer) -> Iterator[Meant]:
    """The likeliest place, then the likeliest of what has nothing to do with it, and so on."""
    for begin, end in pairwise(cues.turns_of(text)):
        left = [match for match in found if begin <= match.start and match.end <= end]
        least = LEAST_MENTION
        for _ in range(MOST_MENTIONS):
            best = readings([Heard(0, match) for match in left], gazetteer)
            if not best or best[0].score < least:
                break
            yield best[0]
            least = LEAST_SECOND if gazetteer.as_written else least
            used = [each.match for each in best[0].used]
            left = [match for match in left if not any(match.overlaps(other) for other in used)]


def _mentioned(found: Sequence[Match], meant: Sequence[Meant]) -> Iterator[Mention]:
    for each in meant:
        used = [heard.match for heard in each.used]
        rivals = tuple(m for m in found if any(m.overlaps(other) for other in used))
        yield Mention(min(m.start for m in used), max(m.end for m in used), rivals, each)


def _names(text: str, meant: Sequence[Meant], gazetteer: Gazetteer) -> dict[int, str]:
    """Where names end and what kind they are, for house numbers."""
    used = [heard.match for each in meant for heard in each.used]
    return {
        match.end: tokens.HOME
        if text[: match.end].endswith(("园区", "开发区", "工业区"))
        else _HOUSES.get(gazetteer.places[match.place].kind, tokens.NAMED)
        for match in used
        if match.exact or gazetteer.as_written or match.score >= LEAST_NAME
    }


def _known(shape: Shape, meant: Sequence[Meant]) -> bool:
    """Whether what looks like a name is one that was found as it is written."""
    return any(
        heard.match.exact and heard.match.start < shape.end and shape.start < heard.match.end
        for each in meant
        for heard in each.used
    )


def _unlisted(shape: Shape, found: Sequence[Match]) -> Mention:
    """A name that is in no gazetteer, with what it may be after all."""
    near = tuple(m for m in found if m.start < shape.end and shape.start < m.end)
    return Mention(shape.start, shape.end, near, shapes=(shape,))


def _inside(match: Match, piece: Piece) -> bool:
    firm = piece.level != "number" or piece.said.endswith("院")
    return firm and match.start < piece.end and piece.start < match.end


def _joined(bare: Sequence[Mention], text: str) -> list[Mention]:
    """Names that stand together are one place: those of the gazetteer with unlisted ones."""
    joined: list[Mention] = []
    for mention in bare:
        last = joined[-1] if joined else None
        if last and not (mention.meant and last.meant) and _together(last, mention, text):
            joined[-1] = _merged(last, mention)
        elif last and mention.meant and crossing(text, last.end, mention.start, mention.end):
            joined[-1] = replace(last, end=mention.end, crossing=mention.meant.leaf)
        elif mention.meant or _stands_alone(mention, text):
            joined.append(mention)
    return joined


def _together(one: Mention, other: Mention, text: str) -> bool:
    return other.start < one.end or bool(_LINK.fullmatch(text, one.end, other.start))


def _merged(one: Mention, other: Mention) -> Mention:
    return replace(
        one,
        end=max(one.end, other.end),
        matches=(*one.matches, *other.matches),
        meant=one.meant or other.meant,
        shapes=(*one.shapes, *other.shapes),
    )


def _stands_alone(mention: Mention, text: str) -> bool:
    """Whether an unlisted name is believed without another beside it."""
    return cues.lead(text, mention.start) >= cues.OPENED


def _reading(
    text: str, mentions: Sequence[Mention], pieces: Sequence[Piece], gazetteer: Gazetteer
) -> Reading:
    owned: dict[int, list[Piece]] = {}
    loose: list[Piece] = []
    for piece in pieces:
        owner = _owner(text, mentions, piece, owned)
        (loose if owner is None else owned.setdefault(owner, [])).append(piece)
    full = tuple(
        _described(text, mention, tuple(owned.get(number, ())), gazetteer)
        for number, mention in enumerate(mentions)
    )
    told = tuple(piece for piece in loose if not _BARE.fullmatch(piece.said) or len(loose) > 1)
    return Reading(full, told, tuple(pieces), tuple(_spans(full, told)))


def _owner(
    text: str, mentions: Sequence[Mention], piece: Piece, owned: dict[int, list[Piece]]
) -> int | None:
    """The mention that a house number follows closely enough."""
    ends = {
        max([mention.end, *(p.end for p in owned.get(number, ()))]): number
        for number, mention in enumerate(mentions)
        if mention.end <= piece.start
    }
    if not ends:
        return None
    end = max(ends)
    near_enough = piece.start - end <= REACH and not set(text[end : piece.start]) & set("。？！!?")
    return ends[end] if near_enough else None


def _described(
    text: str, mention: Mention, pieces: tuple[Piece, ...], gazetteer: Gazetteer
) -> Mention:
    end = max([mention.end, *(piece.end for piece in pieces)])
    return replace(
        mention,
        pieces=pieces,
        crossing=_crossing(text, mention, gazetteer),
        near=near(text, end),
        denied=cues.denied(text, mention.start),
        corrects=cues.corrects(text, mention.start),
        mine=cues.mine(text, mention.start),
    )


def _crossing(text: str, mention: Mention, gazetteer: Gazetteer) -> int | None:
    """The second of two streets of one place that are named for where they meet."""
    used = [heard.match for heard in mention.meant.used] if mention.meant else []
    streets = [match for match in used if gazetteer.places[match.place].kind == "street"]
    for one, other in pairwise(sorted(streets, key=lambda match: match.start)):
        if crossing(text, one.end, other.start, other.end):
            return other.place
    return mention.crossing


def _spans(mentions: Sequence[Mention], loose: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    for mention in mentions:
        for heard in mention.meant.used if mention.meant else ():
            yield heard.match.start, heard.match.end
        if mention.crossing is not None:
            yield mention.start, mention.end
        for shape in mention.shapes:
            yield shape.start, shape.end
        for piece in mention.pieces:
            yield piece.start, piece.end
        if mention.near:
            yield mention.near.start, mention.near.end
    for piece in loose:
        yield piece.start, piece.end
