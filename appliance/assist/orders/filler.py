"""From what was said to drafts of orders, by one city's pack. Pure, and the same live and after."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime

from appliance.assist.address.address import address
from appliance.assist.address.gazetteer import Gazetteer
from appliance.assist.category.model import Guess
from appliance.assist.city.known import Models, gazetteer_of
from appliance.assist.city.pack import CityPack
from appliance.assist.city.tiers import CHINA, Tier
from appliance.assist.orders.categorised import category_of
from appliance.assist.orders.county import Counties
from appliance.assist.orders.danger import Dangers
from appliance.assist.orders.dispatch import Dispatch, Returns, dispatch, refusal
from appliance.assist.orders.draft import Draft, OrderField
from appliance.assist.orders.learned import NOTHING, Learned, learned
from appliance.assist.orders.pii import plain_number
from appliance.assist.slots.against import against
from appliance.assist.slots.appeal import appeal
from appliance.assist.slots.complete import complete
from appliance.assist.slots.matters import matters
from appliance.assist.slots.moment import moment
from appliance.assist.slots.name import name
from appliance.assist.slots.phone import phone
from appliance.assist.slots.previous import previous
from appliance.assist.slots.request import request
from appliance.assist.slots.secrecy import secrecy
from appliance.assist.slots.summary import summary
from appliance.assist.slots.value import Evidence, Said, Value
from appliance.messages import LegRole

UNSURE_PLACE = 0.5  # what is left of a unit's confidence, where it is a county's
LEFT, NOT_ASKED = 0.95, 0.6  # that a number from the door is the one to be called
LEAST_GUESS = 0.12  # of a category, for units to be proposed by it
UNKNOWN = 0.4  # of units that a rule names, where no category is known
NAMED = {  # what is missing, by the name of the order's own field
    "since": OrderField.WHEN.value,
    "place": OrderField.ADDRESS.value,
    "cause": OrderField.CONTENT.value,
}
MOST_GUESSES = 20
MOST_TITLE = 40  # characters
MOST_SPOKEN = 400  # characters of a turn
MOST_FIRST, MOST_LAST = 100, 300  # turns of a call
MOST_TEXT = 4000  # characters of a matter that are classified


@dataclass(frozen=True, slots=True)
class CallContext:
    """What is known beside the words.

    Attributes:
        at: when the call began.
        caller: the number that the switch told; may be empty.
        written: a message: its author is the citizen, and nobody asks back.
    """

    at: datetime
    caller: str = ""
    written: bool = False


class Filler:
    """Fills orders by one pack.

    Args:
        models: what was learned of the pack; without them there is no category, and a unit only
            where a rule of the pack names it.

    Attributes:
        returns: how often units have sent matters back.
    """

    def __init__(self, pack: CityPack, models: Models | None = None) -> None:
        self.pack, self.models = pack, models
        self.gazetteer: Gazetteer = gazetteer_of(pack)
        self.dangers = Dangers(pack, models.danger if models else None)
        self.counties = Counties(pack.divisions)
        self.returns: Returns = {}

    def learned(self, models: Models) -> Filler:
        """The same with models."""
        found = copy(self)
        found.models, found.dangers = models, Dangers(self.pack, models.danger)
        return found

    def fill(self, said: Sequence[Said], context: CallContext) -> list[Draft]:
        """A draft for each matter; one, though it may be empty."""
        said = _bounded(said)
        parts = [each.said for each in matters(said)] or [tuple(said)]
        return [self._draft(number, part, said, context) for number, part in enumerate(parts)]

    def place(self, text: str) -> Value | None:
        """An address that somebody has typed in."""
        found = address([Said("typed", LegRole.CITIZEN, text)], self.gazetteer)
        return found[0] if found else None

    def _draft(
        self, number: int, part: Sequence[Said], said: Sequence[Said], context: CallContext
    ) -> Draft:
        draft = Draft(number, self.pack.version)
        citizen = [each for each in part if each.role is not LegRole.AGENT]
        text = "\n".join(each.text for each in citizen)[-MOST_TEXT:]
        self._who(draft, said, context)
        self._what(draft, part, said, context)
        guesses: Sequence[Guess] = ()
        told = NOTHING
        if self.models and text.strip():
            model, said_of_it = self.models.category, _without_places(draft, text)
            guesses = model.guesses(said_of_it, MOST_GUESSES)
            _put(draft, OrderField.CATEGORY, category_of(self.pack, model, citizen, guesses))
            told = learned(self.models, self.pack.catalogue, said_of_it, guesses)
        self._whose(draft, citizen, text, guesses, told)
        self._open(draft, said, context)
        return draft

    def _who(self, draft: Draft, said: Sequence[Said], context: CallContext) -> None:
        _put(draft, OrderField.NAME, name(said))
        _put(
            draft,
            OrderField.PHONE,
            phone(said, caller=plain_number(context.caller), area_code=self.pack.identity.area_code)
            or _of_door(context),
        )
        _put(draft, OrderField.SECRECY, secrecy(said))

    def _what(
        self, draft: Draft, part: Sequence[Said], said: Sequence[Said], context: CallContext
    ) -> None:
        places = address(part, self.gazetteer) or address(said, self.gazetteer)
        self._where(draft, places[0] if places else None, part)
        holidays = self.pack.calendar.names()
        at, spans = context.at.astimezone(CHINA), _spans(part, places)
        _put(draft, OrderField.WHEN, moment(part, at=at, holidays=holidays, spans=spans))
        _put(draft, OrderField.AGAINST, against(part))
        _put(draft, OrderField.REQUEST, request(part))
        _put(draft, OrderField.APPEAL, appeal(part))
        _put(draft, OrderField.PREVIOUS, previous(part))
        if told := summary(part):
            draft.fields[OrderField.CONTENT] = told
            draft.fields[OrderField.TITLE] = _title(told, places)

    def _where(self, draft: Draft, place: Value | None, part: Sequence[Said]) -> None:
        citizen = [each for each in part if each.role is not LegRole.AGENT]
        if place is None or "county" not in place.parts:
            county = self.counties.named(citizen)
            place = county if place is None else place
            division = county.code if county else ""
        else:
            division = ""
        _put(draft, OrderField.ADDRESS, place)
        known = str(place.parts.get("division", "")) if place else ""
        draft.codes["division"] = division or known

    def _whose(
        self,
        draft: Draft,
        citizen: Sequence[Said],
        text: str,
        guesses: Sequence[Guess],
        told: Learned,
    ) -> None:
        """Units for the likeliest category, though it may not be sure: they are as sure as that."""
        best = guesses[0] if guesses and guesses[0].probability >= LEAST_GUESS else None
        category = draft.fields.get(OrderField.CATEGORY)
        draft.codes["category"] = category.code if category else ""
        if found := refusal(self.pack, text):
            each, words = found
            draft.refusal = {
                "name": each.name,
                "goes_to": each.goes_to,
                "wording": each.wording,
                "words": words,
            }
        draft.danger = self.dangers.worst(citizen)
        if not text:
            return
        code = best.label if best else ""
        where = draft.codes.get("division", "")
        proposed = dispatch(self.pack, code, where, text, self.returns, told)
        likely = max(told.main.values(), default=0.0)
        known = best or likely >= LEAST_GUESS
        sure = likely if known else UNKNOWN
        if known or proposed.rules:  # the fallback is no answer to an unknown matter
            _dispatched(draft, proposed, citizen, sure)
        tier, why = proposed.tier, proposed.tier_why
        if (danger := draft.danger) and danger["sure"]:
            tier, why = next(iter(self.pack.tiers)), f"{danger['name']}（“{danger['words']}”）"
        _urgent(draft, tier, why, citizen, told.tier.get(tier.code, UNKNOWN))

    def _open(self, draft: Draft, said: Sequence[Said], context: CallContext) -> None:
        category = self.pack.taxonomy.get(draft.codes.get("category", ""))
        wanted = category.fields if category else ()
        caller = "" if context.written else context.caller
        found = complete(_elements(draft), said, fields=wanted, caller=caller)
        draft.missing = tuple(dict.fromkeys(NAMED.get(each, each) for each in found.missing))
        draft.question = "" if context.written else found.question


def _bounded(said: Sequence[Said]) -> Sequence[Said]:
    """How a call of hours began, and what was said last; no turn is longer than breath lasts."""
    if len(said) > MOST_FIRST + MOST_LAST:
        said = (*said[:MOST_FIRST], *said[-MOST_LAST:])
    if all(len(each.text) <= MOST_SPOKEN for each in said):
        return said
    return [replace(each, text=each.text[:MOST_SPOKEN]) for each in said]


def _elements(draft: Draft) -> dict[str, Value | None]:
    """The order's fields by the names that what is missing goes by."""
    fields = draft.fields
    content, place = fields.get(OrderField.CONTENT), fields.get(OrderField.ADDRESS)
    told = content and (content.parts.get("tried") or len(content.parts.get("sentences", ())) > 1)
    housed = place and (place.parts.keys() & {"building", "unit", "room", "number"})
    return {
        "name": fields.get(OrderField.NAME),
        "phone": fields.get(OrderField.PHONE),
        "since": fields.get(OrderField.WHEN),
        "place": place,
        "house": place if housed else None,
        "cause": content,
        "course": content if told else None,
        "against": fields.get(OrderField.AGAINST),
        "company": fields.get(OrderField.AGAINST),
        "request": fields.get(OrderField.REQUEST),
    }


def _without_places(draft: Draft, text: str) -> str:
    """Where it is says nothing of what it is: 法院门口的路灯 is no matter of a court."""
    place = draft.fields.get(OrderField.ADDRESS)
    for evidence in place.evidence if place else ():
        if evidence.words:
            text = text.replace(evidence.words, "")
    return text


def _spans(part: Sequence[Said], places: Sequence[Value]) -> dict[str, list[tuple[int, int]]]:
    """The characters of each utterance that an address was found in."""
    texts = {said.id: said.text for said in part}
    found: dict[str, list[tuple[int, int]]] = {}
    for evidence in (each for place in places for each in place.evidence):
        at = texts.get(evidence.utterance, "").find(evidence.words) if evidence.words else -1
        if at >= 0:
            found.setdefault(evidence.utterance, []).append((at, at + len(evidence.words)))
    return found


def _title(content: Value, places: Sequence[Value]) -> Value:
    """Where and what, in a line: the words are the citizen's."""
    where = places[0].parts if places else {}
    named = ("county", "town", "village", "street", "compound", "landmark")
    place = next((str(where[each]) for each in reversed(named) if where.get(each)), "")
    core = str(content.parts.get("title", ""))
    text = core if place and place in core else f"{place}{core}"
    return Value(text[:MOST_TITLE], content.confidence, content.evidence[:1])


def _of_door(context: CallContext) -> Value | None:
    """The number that the door told: a message's was left on purpose; a caller's stands beside
    until the citizen agrees to it."""
    if not (number := plain_number(context.caller)):
        return None
    why = (Evidence("", 0, 0, "", "渠道所留电话" if context.written else "来电号码"),)
    if context.written:
        return Value(number, LEFT, why)
    question = f"就用您现在打来的这个号码{number}联系您，可以吗？"
    return Value(number, NOT_ASKED, why, question=question)


def _put(draft: Draft, field: OrderField, value: Value | None) -> None:
    if value:
        draft.fields[field] = value


def _dispatched(draft: Draft, proposed: Dispatch, citizen: Sequence[Said], sure: float) -> None:
    """Args: sure: of the category that it is proposed by."""
    place, notes = draft.fields.get(OrderField.ADDRESS), []
    main = next((each for each in proposed.assignments if each.main), None)
    if main:
        confidence = proposed.confidence * sure
        if proposed.unsure_place:
            confidence *= UNSURE_PLACE
        elif place:
            confidence *= place.confidence
        evidence = (_spoken(citizen, main.why),)
        draft.fields[OrderField.UNIT] = Value(main.unit.name, confidence, evidence, main.unit.code)
        draft.codes["unit"] = main.unit.code
    if proposed.helpers:
        others = [each for each in proposed.assignments if not each.main]
        draft.fields[OrderField.HELPERS] = Value(
            "、".join(unit.name for unit in proposed.helpers),
            proposed.confidence * sure,
            tuple(_spoken(citizen, f"{each.unit.name}：{each.why}") for each in others),
            ";".join(unit.code for unit in proposed.helpers),
        )
    if proposed.fallback:
        notes.append("没有明确的承办单位，由属地政府兜底")
    if proposed.unsure_place:
        notes.append("承办单位随县区而定：先问清地址")
    if proposed.returned:
        notes.append(f"此类事项曾被该单位退回{proposed.returned}次")
    draft.notes = tuple(notes)


def _urgent(draft: Draft, tier: Tier, why: str, citizen: Sequence[Said], sure: float) -> None:
    evidence = (_spoken(citizen, why),)
    draft.codes["tier"] = tier.code
    draft.fields[OrderField.TIER] = Value(tier.name, sure, evidence, tier.code)


def _spoken(citizen: Sequence[Said], why: str) -> Evidence:
    """Where a rule names the words that made it hold: those words; else the reason alone."""
    if "“" in why:
        words = why.split("“", 1)[1].split("”", 1)[0]
        for said in citizen:
            if (at := said.text.find(words)) >= 0:
                return said.evidence(at, at + len(words), why)
    return Evidence("", 0, 0, "", why)
