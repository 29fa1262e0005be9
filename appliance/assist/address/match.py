"""A name taken for a place of the gazetteer: where it stands and how much it tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.assist.address import cues
from appliance.assist.address.forms import DIVISIONS, GENERAL, Form
from appliance.assist.address.gazetteer import SPOKEN_OF, Gazetteer
from appliance.assist.address.numerals import CHINESE
from appliance.phonetics.names import Sounded

IN_FULL = 2.0  # nats, when all of it is, to its 区 or 小区
NO_DOUBT, DOUBTS, HALF_HEARD = -99.0, 1.5, 0.0
LEAST_SHARE, LEAST_SHARE_OF_SELDOM = 0.55, 0.7  # of a name; else it is but half heard
ELSEWHERE = -6.0  # nats, of a place right behind a county that it does not lie in
RIVALLED = -2.5  # nats, of 振华 for 振华街道 where 振华 is a name itself
AS_WRITTEN = 0.5  # nats a character, when it is the very one
STRONG, STRONG_WRITTEN = 9.5, 7.0  # nats: what is beside that is likely an address too
FADED = 14.0  # nats below the best that stands in the same place: what is left out of account
MOST = 14  # that stand in one place and are kept
OUTER = 5  # the depth of what is no division: below the village


# A room is not a name that sounds like it, and no name goes from one clause to the next.
_NO_NAME = re.compile(rf"^[0-9{CHINESE}]+$|[，。！？；,.!?;\n<>]")
_DIGITS = re.compile(f"[0-9{CHINESE}]")


@dataclass(frozen=True, slots=True)
class Match:
    """One place that a stretch of a text may mean.

    Attributes:
        place: its number in the gazetteer.
        score: what it tells, in nats, its surroundings included; before how rare the place is.
        exact: written as the name is written.
        bare: without its 区, 街道, 小区.
        doubt: nats by which a place with a like name, that no gazetteer has, is likelier: 东街 is
            heard where this is 西街.
    """

    place: int
    start: int
    end: int
    score: float
    exact: bool = False
    bare: bool = False
    doubt: float = NO_DOUBT

    def overlaps(self, other: Match) -> bool:
        return self.start < other.end and other.start < self.end

    def holds(self, other: Match) -> bool:
        """Whether the other is a part of this longer name, which stands there as it is written."""
        within = self.start <= other.start and other.end <= self.end
        return self.exact and within and other.end - other.start < self.end - self.start


def depth(gazetteer: Gazetteer, match: Match) -> int:
    """How deep what it means lies: 0 province ... 4 village, OUTER for streets and compounds."""
    kind = gazetteer.places[match.place].kind
    return DIVISIONS.index(kind) if kind in DIVISIONS else OUTER


def matches(text: str, gazetteer: Gazetteer, heard: Iterable[Sounded]) -> list[Match]:
    """In the order of what they tell; of one place those that do not overlap."""
    found = [
        _match(text, gazetteer, each)
        for each in heard
        if not _NO_NAME.search(text[each.start : each.end])
        or text[each.start : each.end] == gazetteer.forms[each.name].text
    ]
    least = STRONG_WRITTEN if gazetteer.as_written else STRONG
    strong = [match for match in found if match.score >= least]
    starts = {match.start for match in strong}
    ends: dict[int, list[int]] = {}
    for match in strong:
        ends.setdefault(match.end, []).append(match.place)
    full = {(match.start, match.end): match.place for match in found if match.exact}
    return _best(_placed(text, match, starts, ends, full, gazetteer) for match in found)


def _placed(
    text: str,
    match: Match,
    starts: set[int],
    ends: Mapping[int, Sequence[int]],
    full: Mapping[tuple[int, int], int],
    gazetteer: Gazetteer,
) -> Match:
    """With what its surroundings tell; another place right beside it is as good as a cue.

    Args:
        starts: where strong matches begin.
        ends: where they end, and the places that they mean.
        full: the places whose whole names stand somewhere.
    """
    score, doubt = match.score, match.doubt
    before = ends.get(match.start - (text[match.start - 1 : match.start] == "的"), ())
    if match.start not in ends:
        score += _lead(text, match, gazetteer)
    if before and not any(gazetteer.agree(match.place, other) for other in before):
        score, doubt = score + ELSEWHERE, DOUBTS
    if match.end not in starts:
        if not (gazetteer.as_written and depth(gazetteer, match) < OUTER - 2):
            score += cues.follow(text, match.end, match.bare)
        part = match.exact and match.end - match.start > 2 and cues.has_part(text, match.end)
        if cues.goes_on(text, match.end) and not part:
            score, doubt = score + cues.ANOTHER_KIND, DOUBTS
    if match.bare and full.get((match.start, match.end), match.place) != match.place:
        score += RIVALLED
    return replace(match, score=score, doubt=doubt)


def _lead(text: str, match: Match, gazetteer: Gazetteer) -> float:
    """What stands before it tells; of 市政府 and the like more, which also do things."""
    if gazetteer.as_written and match.start == 0:
        return 0.0  # addresses begin with one
    seldom = gazetteer.places[match.place].kind not in SPOKEN_OF
    return cues.lead(text, match.start) * (1.5 if seldom else 1.0)


def _best(found: Iterable[Match]) -> list[Match]:
    kept: list[Match] = []
    for match in sorted(found, key=lambda match: -match.score):
        rivals = [other for other in kept if match.overlaps(other)]
        if any(other.holds(match) for other in rivals):
            continue
        if any(other.place == match.place for other in rivals) or len(rivals) >= MOST:
            continue
        if match.score > 0 and all(match.score > other.score - FADED for other in rivals):
            kept.append(match)
    return kept


def _match(text: str, gazetteer: Gazetteer, heard: Sounded) -> Match:
    form = gazetteer.forms[heard.name]
    said = text[heard.start : heard.end]
    kind, end = gazetteer.places[form.place].kind, heard.end
    exact, bare, doubt = said == form.text, False, NO_DOUBT
    written = _as_written(said, form)
    score = heard.score + AS_WRITTEN * written
    if exact and len(said) > 2:
        score += IN_FULL
    everyday = GENERAL.fullmatch(said) or cues.everyday(said)  # 房子 is hardly 房子村
    if written == len(said) and not (gazetteer.as_written or everyday):
        score += cues.ALONE if cues.alone(text, heard.start, end) else 0.0
    elif not exact and everyday:
        score += cues.COMMON
    if not exact:
        score += cues.common(text, heard.start, heard.end, form.text)
        tail = form.tail or form.text[-1]
        alike = gazetteer.alike(said[-1], tail[-1])
        bare = (bool(form.tail) and not alike) or 0 < form.part >= len(form.text) - len(said) > 0
        if bare or not alike:
            other, end = cues.another_kind(text, heard.start, heard.end, tail)
            score += other or ((cues.BARE if written else cues.BARE_AND_MISHEARD) if bare else 0.0)
            if bare and kind in DIVISIONS and cues.is_street(text, end, form.text[: form.core[1]]):
                score += cues.STREET
            doubt = DOUBTS if other == cues.ANOTHER_KIND else doubt
        if cues.another_number(said, form.text, gazetteer.alike):
            score, doubt = score + cues.ANOTHER_KIND, DOUBTS
        front = said[: form.within]
        if front != form.text[: form.within] and front in gazetteer.division_names:
            score, doubt = score + ELSEWHERE, DOUBTS
        if heard.share < (LEAST_SHARE if kind in SPOKEN_OF else LEAST_SHARE_OF_SELDOM):
            doubt = max(doubt, HALF_HEARD)
        if len(_DIGITS.findall(said)) * 2 >= len(said):
            score += cues.ANOTHER_KIND
    return Match(form.place, heard.start, end, score, exact, bare, doubt)


def _as_written(said: str, form: Form) -> int:
    """How many characters of the name's core are written as they are, in their order."""
    begin, end = form.core
    at = count = 0
    for char in form.text[begin:end]:
        found = said.find(char, at)
        if found >= 0:
            at, count = found + 1, count + 1
    return count
