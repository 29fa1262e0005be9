"""What all utterances of a call say of places: which belong to one place, what was taken back.

A place is said bit by bit, the compound first and the building when it is asked for. What an agent
says counts once the citizen has agreed to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from appliance.assist.address import cues
from appliance.assist.address.chain import ELSEWHERE, Heard, Meant, readings
from appliance.assist.address.find import Mention, Reading, find
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.address.house import bare
from appliance.assist.address.nearness import Near
from appliance.assist.address.numerals import arabic
from appliance.assist.address.shapes import Shape
from appliance.assist.address.tokens import LEVELS, Piece
from appliance.assist.slots.turns import SpokenTurn, is_backchannel, says_no, says_yes, turns
from appliance.assist.slots.value import Said

AGREED = 3.0  # nats that a citizen's yes to a place that was read back adds
ANSWERED = 2.0  # nats that an agent's question for a place adds
CLEAR = 5.0  # nats of a match that can be agreed to: no noise
KEPT = 12  # matches of one mention that are weighed with those of others
MOST_LOOKED_AT = 8  # places that a mention may belong to: a call of hours has hundreds
_TELEPHONE = re.compile("电话|手机|号码|联系方式")
_ASKING = re.compile("[吗吧？?]|对不对|是不是|对么|没错")


@dataclass(slots=True)
class Gathered:
    """One place that is meant, and all that was said of it.

    Attributes:
        said: the utterances, by the numbers that `heard` has.
        house: the pieces of its house number by level, and who said them.
        denied: numbers of places that it is said not to be.
        asked_for: the agent had asked where it is.
        doubted: it was read back and found wrong.
    """

    first: int
    heard: list[Heard] = field(default_factory=list)
    said: dict[int, Said] = field(default_factory=dict)
    house: dict[str, tuple[Piece, Said]] = field(default_factory=dict)
    near: tuple[Near, Mention] | None = None
    crossing: int | None = None
    shapes: list[tuple[Shape, Said]] = field(default_factory=list)
    denied: set[int] = field(default_factory=set)
    agreed: list[tuple[Mention, Said]] = field(default_factory=list)
    mine: bool = False
    asked_for: bool = False
    doubted: bool = False
    _meant: Sequence[Meant] | None = None

    def meant(self, gazetteer: Gazetteer) -> Sequence[Meant]:
        """What it may be, the likeliest first."""
        if self._meant is None:
            self._meant = readings(self.heard, gazetteer)
        return self._meant

    def hear(self, more: Sequence[Heard]) -> None:
        self.heard += more
        self._meant = None

    def keep(self, kept: Iterable[Heard]) -> None:
        self.heard = list(kept)
        self._meant = None


def gather(said: Sequence[Said], gazetteer: Gazetteer) -> list[Gathered]:
    """The places that a call is about, in the order in which they came up."""
    gatherer = _Gatherer(gazetteer)
    for number, turn in enumerate(turns(said)):
        gatherer.take(number, turn)
    return gatherer.places


class _Gatherer:
    def __init__(self, gazetteer: Gazetteer) -> None:
        self.places: list[Gathered] = []
        self._gazetteer = gazetteer
        self._current: Gathered | None = None  # that was last spoken of
        self._read_back: tuple[int, SpokenTurn, Reading] | None = None
        self._asked: tuple[str, ...] = ()  # levels that the agent asked for last
        self._where = False  # the agent asked for a place last
        self._telephone = False  # the agent spoke of a telephone's number last

    def take(self, number: int, turn: SpokenTurn) -> None:
        reading = find(turn.said.text, self._gazetteer)
        if turn.agent:
            self._agent(number, turn, reading)
        else:
            self._citizen(number, turn, reading)

    def _agent(self, number: int, turn: SpokenTurn, reading: Reading) -> None:
        if reading.mentions or reading.loose:
            self._read_back = (number, turn, reading)
        if levels := cues.asked(turn.text):
            self._asked = levels
        self._where = self._where or cues.asks_where(turn.text)
        self._telephone = self._telephone or bool(_TELEPHONE.search(turn.text))

    def _citizen(self, number: int, turn: SpokenTurn, reading: Reading) -> None:
        answers_no = says_no(turn.text)
        if self._read_back:
            if says_yes(turn.text) and not answers_no:
                self._agree(*self._read_back)
                self._read_back = None
            elif answers_no:
                self._doubt(self._read_back[2])
                self._read_back = None
            elif not is_backchannel(turn.text):
                self._read_back = None
        for mention in reading.mentions:
            self._place(number, turn.said, mention)
        asked = self._telephone and not self._asked
        dictated = asked or _TELEPHONE.search(turn.text)
        loose = [each for each in reading.loose if not (dictated and _is_bare(each))]
        self._number(turn, loose)
        if not (loose or dictated or any(mention.pieces for mention in reading.mentions)):
            self._number(turn, bare(turn.text, self._asked))
        if not is_backchannel(turn.text):
            self._asked, self._where, self._telephone = (), False, False

    def _agree(self, number: int, turn: SpokenTurn, reading: Reading) -> None:
        asking = bool(_ASKING.search(turn.text))
        for mention in reading.mentions:
            place = self._home(number, mention)
            if not (asking or (place and self._repeats(place, mention))):
                continue  # 我转给平城区城管局, 好的: no word of where it is
            if place is None and self.places:
                continue
            place = place or self._new(number)
            self._add(place, number, turn.said, mention, AGREED)
            place.agreed.append((mention, turn.said))
            place.doubted = False
        if asking and not _TELEPHONE.search(turn.text):
            self._number(turn, reading.loose)

    def _repeats(self, place: Gathered, mention: Mention) -> bool:
        """Whether a mention only says again what was said of a place."""
        known = {heard.match.place for m in place.meant(self._gazetteer)[:1] for heard in m.used}
        return mention.meant is not None and mention.meant.leaf in known

    def _doubt(self, reading: Reading) -> None:
        for mention in reading.mentions:
            place = self._home(-1, mention)
            if place:
                place.doubted = True

    def _place(self, number: int, said: Said, mention: Mention) -> None:
        if mention.denied and mention.meant:
            self._deny(mention.meant)
            return
        if mention.corrects and self._current:
            self._correct(self._current, mention)
            place: Gathered | None = self._current
        else:
            place = self._home(number, mention)
        place = place or self._new(number)
        place.asked_for = place.asked_for or self._where
        more = AGREED if mention.corrects else ANSWERED if self._where else 0.0
        self._add(place, number, said, mention, more)

    def _new(self, number: int) -> Gathered:
        self.places.append(Gathered(number))
        return self.places[-1]

    def _add(self, place: Gathered, number: int, said: Said, mention: Mention, more: float) -> None:
        self._current = place
        place.said[number] = said
        place.hear(_heard(number, mention, more, place.denied))
        place.mine = place.mine or mention.mine
        place.shapes += [(shape, said) for shape in mention.shapes]
        place.crossing = place.crossing if mention.crossing is None else mention.crossing
        if mention.near:
            place.near = (mention.near, mention)
        _settle(place, mention.pieces, said)

    def _home(self, number: int, mention: Mention) -> Gathered | None:
        """The place that a mention most likely is of; None for one not spoken of yet."""
        if mention.meant is None:
            return self._home_of_unlisted(mention)
        best, most = None, mention.meant.score - ELSEWHERE
        for place in self.places[: -MOST_LOOKED_AT - 1 : -1]:  # the last ones first
            gain = self._gain(place, number, mention)
            if gain > most:
                best, most = place, gain
            if gain == inf:
                break
        return best

    def _home_of_unlisted(self, mention: Mention) -> Gathered | None:
        place = self._current
        if place is None or not mention.shapes:
            return place
        leaf = next(iter(place.meant(self._gazetteer)), None)
        known = {self._gazetteer.places[leaf.leaf].kind} if leaf else set()
        known |= {shape.kind for shape, _ in place.shapes}
        return None if known & {shape.kind for shape in mention.shapes} else place

    def _gain(self, place: Gathered, number: int, mention: Mention) -> float:
        """How much more the two tell as one place than the known one alone."""
        assert mention.meant
        alone = place.meant(self._gazetteer)
        if not alone:
            return mention.meant.score
        if mention.meant.leaf in {heard.match.place for heard in alone[0].used}:
            return inf
        more = _heard(number, mention, 0.0, place.denied)
        together = readings([*place.heard, *more], self._gazetteer)
        return together[0].score - alone[0].score if together else 0.0

    def _deny(self, meant: Meant) -> None:
        for place in self.places:
            place.denied.add(meant.leaf)
            place.keep(h for h in place.heard if h.match.place not in place.denied)

    def _correct(self, place: Gathered, mention: Mention) -> None:
        """What does not go with the correction was wrong."""
        if mention.meant:
            right = [heard.match.place for heard in mention.meant.used]
            agree = self._gazetteer.agree
            place.keep(h for h in place.heard if all(agree(h.match.place, r) for r in right))
        kinds = {shape.kind for shape in mention.shapes}
        place.shapes = [each for each in place.shapes if each[0].kind not in kinds]
        place.doubted = False

    def _number(self, turn: SpokenTurn, pieces: Sequence[Piece]) -> None:
        if not pieces:
            return
        if self._current is None:
            self._current = self._new(-1)
        _settle(self._current, pieces, turn.said)


def _is_bare(piece: Piece) -> bool:
    """Whether it is digits alone, which may be of anything."""
    return arabic(piece.said).isdecimal()


def _heard(number: int, mention: Mention, more: float, denied: set[int]) -> list[Heard]:
    ranked = sorted(mention.matches, key=lambda match: -match.score)
    used = {heard.match for heard in mention.meant.used} if mention.meant else set()
    kept = [match for at, match in enumerate(ranked) if at < KEPT or match in used]
    return [
        Heard(number, replace(match, score=match.score + more) if match.score >= CLEAR else match)
        for match in kept
        if match.place not in denied
    ]


def _settle(place: Gathered, pieces: Sequence[Piece], said: Said) -> None:
    """Later pieces hold; another building has other rooms."""
    for piece in sorted(pieces, key=lambda each: LEVELS.index(each.level)):
        known = place.house.get(piece.level)
        if known and known[0].text != piece.text:
            for inner in LEVELS[LEVELS.index(piece.level) + 1 :]:
                place.house.pop(inner, None)
        place.house[piece.level] = (piece, said)
