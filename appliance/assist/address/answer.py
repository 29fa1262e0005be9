"""What is answered of a place: the levels that are sure, what else it may be, what to ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.assist.address import common
from appliance.assist.address.chain import Heard, Meant, odds
from appliance.assist.address.find import Mention
from appliance.assist.address.forms import DIVISIONS
from appliance.assist.address.gather import ANSWERED, Gathered
from appliance.assist.address.gazetteer import (
    Gazetteer,
    Place,
    core_name,
    core_of,
    level_of,
    short_name,
)
from appliance.assist.address.match import NO_DOUBT, Match
from appliance.assist.address.shapes import Shape
from appliance.assist.address.tokens import LEVELS
from appliance.assist.slots.value import Alternative, Evidence, Value

SURE = 0.5  # of a level that is answered
CLEAR = 0.8  # below it, what is answered is asked about all the same
SINGLE = 0.6  # of one reading; or
SOLID = 3.0  # nats of the best reading, before several that agree make a division sure
WORTH = 0.15  # of an alternative that is told
UNLISTED = -1.0  # nats that speak for a name that looks like a place's and is in no gazetteer
NO_NAME = -3.0  # nats that nothing is named where something looks like a name
ALMOST = -1.0  # the same for one that differs only in its 小区 from a listed 社区
UNLISTED_SURE = 0.5  # of a name that only looks like a place's
UNPLACED = 0.3  # of a house number without a place
DOUBTED = 0.4  # of what was read back and found wrong
MOST_ALTERNATIVES = 4


@dataclass(frozen=True, slots=True)
class _Sure:
    """What is known of a place.

    Attributes:
        division: the deepest that is sure, trimmed; "" for none.
        places: those that are no divisions and are sure, by the part they are.
    """

    division: str
    places: Mapping[str, Place]
    confidence: float


def answer(place: Gathered, gazetteer: Gazetteer) -> Value:
    """As a slot's value; its confidence is that of the deepest level told."""
    found = _with_unlisted(place, place.meant(gazetteer), gazetteer)
    named = any(meant.unlisted for meant in found)  # something, listed or not
    chances = odds(found, NO_NAME if named else 0.0)
    sure = _sure(found, chances, place.crossing, gazetteer)
    unlisted = _listed(place, found, chances) < 0.5
    parts = _parts(place, sure, unlisted, gazetteer)
    others = _others(found, chances, sure, gazetteer)
    confidence = sure.confidence * (DOUBTED if place.doubted else 1.0)
    text = _text(parts)
    if "unlisted" in parts:
        confidence = min(UNLISTED_SURE, confidence or 1.0)
    elif not (sure.places or parts.keys() & {"county", "town", "village"} or others):
        confidence = UNPLACED
    elif others and not parts.get("county"):
        text, confidence = others[0].text, others[0].confidence
    return Value(
        text or (others[0].text if others else ""),
        round(confidence, 3),
        tuple(_evidence(place, found, sure, parts, gazetteer)),
        sure.division.ljust(12, "0") if sure.division else "",
        tuple(others),
        parts,
        _question(parts, others, sure, place) or _confirming(text, confidence),
    )


def _with_unlisted(place: Gathered, found: Sequence[Meant], gazetteer: Gazetteer) -> list[Meant]:
    """And that a name which looks like a place's is one that no gazetteer has."""
    unlisted = [_twin(found[0])] if found else []
    for shape, said in place.shapes:
        covered = [match for meant in found for match in _covering(place, meant, shape, said.id)]
        if not covered:
            continue
        clear = [meant for meant in found if not _covering(place, meant, shape, said.id)]
        without = clear[0] if clear else Meant((), 0.0, "")
        core = core_of(said.text[shape.start : shape.end])
        almost = any(core_name(gazetteer.places[match.place]) == core for match in covered)
        score = without.score + (ALMOST if almost else UNLISTED)
        score += ANSWERED if place.asked_for else 0.0
        unlisted.append(replace(without, score=score, unlisted=True))
        found = [meant for meant in found if meant not in clear]  # something of that kind was named
    more = sorted((m for m in unlisted if m.unlisted), key=lambda meant: -meant.score)[:1]
    return sorted([*found, *more], key=lambda meant: -meant.score)


def _twin(meant: Meant) -> Meant:
    """What was heard, for a place with a like name; itself where nothing speaks for that."""
    doubts: dict[int, float] = {}  # of a place said twice, that of how it was said best
    for heard in meant.used:
        place, doubt = heard.match.place, heard.match.doubt
        doubts[place] = min(doubt, doubts.get(place, doubt))
    doubt = max(doubts.values())
    if doubt == NO_DOUBT:
        return meant
    used = tuple(heard for heard in meant.used if doubts[heard.match.place] == NO_DOUBT)
    return Meant(used, meant.score + doubt, meant.division[:6], unlisted=True)


def _covering(place: Gathered, meant: Meant, shape: Shape, said: str) -> list[Match]:
    """The names of a reading that stand where an unlisted name does."""
    return [
        heard.match
        for heard in meant.used
        if place.said[heard.text].id == said
        and heard.match.start < shape.end
        and shape.start < heard.match.end
    ]


def _sure(
    found: Sequence[Meant], chances: Sequence[float], crossed: int | None, gazetteer: Gazetteer
) -> _Sure:
    mass: dict[str, float] = {}
    places: dict[int, float] = {}
    for meant, chance in zip(found, chances, strict=True):
        for code in common.levels(meant.division):
            mass[code] = mass.get(code, 0.0) + chance
        for number in {heard.match.place for heard in meant.used}:
            places[number] = places.get(number, 0.0) + chance
    _share(places, gazetteer)
    solid = bool(found) and (found[0].score >= SOLID or max(chances) >= SINGLE)
    divisions = [code for code, share in mass.items() if share >= SURE and solid]
    division = max(divisions, key=len, default="")
    parts: dict[str, Place] = {}
    shares = [mass[division]] if division else []
    for number, share in sorted(places.items(), key=lambda each: -each[1]):
        place = gazetteer.places[number]
        if number != crossed and place.kind not in DIVISIONS and share >= SURE and solid:
            parts.setdefault(_part(place), place)
            shares.append(share)
    return _Sure(division, parts, min(shares, default=0.0))


def _listed(place: Gathered, found: Sequence[Meant], chances: Sequence[float]) -> float:
    """How likely it is that a name which looks like a place's is one of the gazetteer's."""
    return sum(
        chance
        for meant, chance in zip(found, chances, strict=True)
        if not meant.unlisted
        and any(_covering(place, meant, shape, said.id) for shape, said in place.shapes)
    )


def _share(places: dict[int, float], gazetteer: Gazetteer) -> None:
    """A compound and the community that has its name and holds it are one answer: the likelier has
    the chances of both."""
    for number in sorted(places, key=lambda each: -places[each]):
        for other in list(places):
            if other != number and places[other] <= places[number]:
                one, two = gazetteer.places[number], gazetteer.places[other]
                kinds = {one.kind, two.kind}
                same = kinds == {"compound", "village"} and core_name(one) == core_name(two)
                if same and gazetteer.agree(number, other):
                    places[number] += places[other]
                    places[other] = 0.0


def _part(place: Place) -> str:
    return place.kind if place.kind in ("street", "compound") else "landmark"


def _parts(place: Gathered, sure: _Sure, unlisted: bool, gazetteer: Gazetteer) -> dict[str, object]:
    parts: dict[str, object] = {}
    for division in gazetteer.ancestors(sure.division) if sure.division else ():
        parts[level_of(division.code)] = short_name(division)
    if sure.division:
        parts["division"] = sure.division.ljust(12, "0")
    for part, known in sure.places.items():
        parts[part] = short_name(known)
        parts["place"] = known.code
    for shape, said in place.shapes:
        if unlisted and shape.kind not in parts:
            parts[shape.kind] = said.text[shape.start : shape.end]
            parts["unlisted"] = True
    for level in LEVELS:
        if level in place.house:
            parts[level] = place.house[level][0].text
    near = place.near[0].text if place.near and _beside(place.near[1], sure, gazetteer) else ""
    if place.crossing is not None:
        near = f"与{short_name(gazetteer.places[place.crossing])}{near or '交叉口'}"
    if near and (sure.division or sure.places):
        parts["near"] = near
    return parts


def _beside(mention: Mention, sure: _Sure, gazetteer: Gazetteer) -> bool:
    """Whether a word like 对面 belongs to what is told, and not to what was not understood."""
    if mention.meant is None or mention.shapes or mention.crossing is not None:
        return True
    leaf = gazetteer.places[mention.meant.leaf]
    told = {place.code for place in sure.places.values()}
    return leaf.code in told or (
        leaf.kind in DIVISIONS and sure.division.startswith(mention.meant.division)
    )


_ORDER = (
    "county", "town", "village", "group", "street", "number", "compound", "landmark",
    "building", "unit", "floor", "room", "near",
)  # fmt: skip


def _text(parts: Mapping[str, object]) -> str:
    inner = [str(parts.get(part, "")) for part in ("street", "compound", "landmark")]
    village = str(parts.get("village", ""))
    twice = village and any(name[:2] and village.startswith(name[:-1] or "-") for name in inner)
    told = [
        str(parts[part]) for part in _ORDER if part in parts and not (part == "village" and twice)
    ]
    return "".join(told) or str(parts.get("city", ""))


def _others(
    found: Sequence[Meant], chances: Sequence[float], sure: _Sure, gazetteer: Gazetteer
) -> list[Alternative]:
    """The readings that are not the answer and not less than it."""
    told = {place.code for place in sure.places.values()}
    names = {core_name(place) for place in sure.places.values()}
    if level_of(sure.division) == "village":
        names |= {core_name(place) for place in gazetteer.ancestors(sure.division)[-1:]}
    others = []
    for meant, chance in list(zip(found, chances, strict=True))[:MOST_ALTERNATIVES]:
        if meant.unlisted:
            continue
        leaf = gazetteer.places[meant.leaf]
        used = [gazetteer.places[heard.match.place] for heard in meant.used]
        more = bool(told) and told <= {place.code for place in used}  # and something beside it
        more = more or bool(names & {core_name(place) for place in used})
        wider = leaf.kind in DIVISIONS and sure.division.startswith(meant.division)
        known = leaf.code in told or more or wider or leaf.kind == "city"
        if chance >= WORTH and not known:
            code = meant.division.ljust(12, "0") if meant.division else ""
            others.append(Alternative(_label(meant, gazetteer), round(chance, 3), code))
    return others


def _label(meant: Meant, gazetteer: Gazetteer) -> str:
    """平城区新华街: the divisions that tell it, and its name."""
    leaf = gazetteer.places[meant.leaf]
    above = [p for p in gazetteer.ancestors(meant.division) if p.kind in ("county", "town")]
    names = [short_name(place) for place in above if place.code != leaf.code]
    return "".join([*names[: 1 if leaf.kind not in DIVISIONS else 2], short_name(leaf)])


def _confirming(text: str, confidence: float) -> str:
    return f"请问是{text}吗？" if text and confidence < CLEAR else ""


def _question(
    parts: Mapping[str, object], others: Sequence[Alternative], sure: _Sure, place: Gathered
) -> str:
    if len(others) >= 2:
        return f"请问是{others[0].text}，还是{others[1].text}？"
    if others:
        return f"请问是{others[0].text}吗？"
    if "unlisted" in parts:
        name = next(parts[shape.kind] for shape, _ in reversed(place.shapes))
        return (
            f"请问{name}是在哪个区县、哪条路上？" if "county" not in parts else f"请问是{name}吗？"
        )
    if "county" not in parts:
        return "请问具体是在哪个区县，哪个小区或者村？"
    if not sure.places and "village" not in parts:
        return "请问具体是在哪个小区、哪条街或者哪个村？"
    return ""


def _evidence(
    place: Gathered,
    found: Sequence[Meant],
    sure: _Sure,
    parts: Mapping[str, object],
    gazetteer: Gazetteer,
) -> Iterator[Evidence]:
    for heard in _told(found, sure, gazetteer):
        match = heard.match
        why = "原文" if match.exact else "近音"
        yield place.said[heard.text].evidence(match.start, match.end, why)
    for shape, said in place.shapes if "unlisted" in parts else ():
        yield said.evidence(shape.start, shape.end, "未收录")
    for level in LEVELS:
        if level in place.house:
            piece, said = place.house[level]
            yield said.evidence(piece.start, piece.end, "门牌")
    for mention, said in place.agreed[-1:]:
        yield said.evidence(mention.start, mention.end, "确认")


def _told(found: Sequence[Meant], sure: _Sure, gazetteer: Gazetteer) -> Iterable[Heard]:
    """What was heard of the answer, as the likeliest reading uses it."""
    codes = {place.code for place in sure.places.values()}
    for heard in found[0].used if found else ():
        number = heard.match.place
        if gazetteer.places[number].name == gazetteer.city:
            continue
        lies = [code for code in gazetteer.lies[number] if code and sure.division]
        within = any(sure.division.startswith(c) or c.startswith(sure.division) for c in lies)
        if gazetteer.places[number].code in codes or within:
            yield heard
