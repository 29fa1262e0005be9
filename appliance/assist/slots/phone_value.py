"""The number to call of all those that were named, with how sure that is and what is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from appliance.assist.slots.phone_cues import Owner
from appliance.assist.slots.phone_numbers import LOCAL_DIGITS, MOBILE_DIGITS, is_mobile
from appliance.assist.slots.value import Alternative, Evidence, Value

CONFIRMED, CONFIRMED_OTHERWISE, TWICE, AGREED = 0.98, 0.85, 0.95, 0.95
READ_BACK, ANSWERED, SAID, UNSURE, CONTESTED = 0.88, 0.8, 0.6, 0.5, 0.4
_COUNTED = "零一两三四五六七八九"


@dataclass(slots=True)
class PhoneHeard:
    """A number of which is talked, and all that is known of it."""

    digits: str
    owner: Owner = Owner.UNSAID
    evidence: list[Evidence] = field(default_factory=list)
    said: int = 0  # times by the citizen
    read: int = 0  # times by the agent
    confirmed: bool = False
    denied: bool = False
    told: bool = False  # by the agent, as one to call
    answered: bool = False  # given where the citizen's phone was asked for
    shaky: int = 0
    is_caller: bool = False
    unlike: str = ""  # what the citizen was heard to say, where the agent read something else


def chosen(phones: Iterable[PhoneHeard], *, contested: bool) -> Value | None:
    """The citizen's own number; None if there is none.

    Args:
        contested: the citizen said no to it without saying what is right.
    """
    own = [each for each in phones if _is_own(each)]
    if not own:
        return None
    best = max(own, key=_rank)
    others = [each for each in own if each is not best]
    rivals = [each for each in others if _rank(each)[:2] == _rank(best)[:2]]
    return _made(best, rivals, others, contested)


def incomplete(digits: str) -> Value:
    """No number, but the question that gets it, of the digits that were heard."""
    if not digits:
        return Value("", 0.0, question="您的电话号码请再说一遍。")
    is_local = not digits.startswith("1") and len(digits) < LOCAL_DIGITS
    missing = (LOCAL_DIGITS if is_local else MOBILE_DIGITS) - len(digits)
    lacks = f"少{_COUNTED[missing]}位" if 0 < missing < len(_COUNTED) else "位数不对"
    return Value("", 0.0, parts={"heard": digits}, question=f"您的号码{lacks}，请再说一遍。")


def _is_own(entry: PhoneHeard) -> bool:
    if entry.told or entry.denied or entry.owner is Owner.OTHER:
        return False
    return bool(entry.said or entry.confirmed or entry.answered)


def _made(
    best: PhoneHeard, rivals: Sequence[PhoneHeard], others: Sequence[PhoneHeard], contested: bool
) -> Value:
    confidence = min(_confidence(best), CONTESTED if contested else 1.0)
    question = ""
    if confidence < TWICE:
        question = f"跟您核对一下，您的电话是{_spaced(best.digits)}，对吗？"
    if rivals:
        confidence = min(confidence, UNSURE)
        numbers = "和".join(_spaced(each.digits) for each in (best, rivals[0]))
        question = f"您说的有{numbers}，联系您打哪一个？"
    return Value(
        text=best.digits,
        confidence=confidence,
        evidence=tuple(best.evidence),
        alternatives=_alternatives(best, others),
        parts={
            "kind": "mobile" if is_mobile(best.digits) else "landline",
            "confirmed": best.confirmed,
            "source": "caller" if best.is_caller else "said",
        },
        question=question,
    )


def _rank(entry: PhoneHeard) -> tuple[int, bool, int, int]:
    place = {Owner.WANTED: 2, Owner.UNSAID: 2, Owner.SPARE: 0, Owner.OTHER: -1}[entry.owner]
    wanted = entry.owner is Owner.WANTED
    return (place, entry.confirmed, entry.said + wanted + entry.answered, entry.read)


def _confidence(entry: PhoneHeard) -> float:
    if entry.confirmed:
        return CONFIRMED_OTHERWISE if entry.unlike and not entry.said else CONFIRMED
    if entry.is_caller and entry.answered:
        return AGREED
    if entry.said >= 2:
        return TWICE
    if entry.said and entry.read:
        return READ_BACK
    if entry.shaky:
        return SAID
    return ANSWERED if entry.answered else UNSURE


def _alternatives(best: PhoneHeard, others: Sequence[PhoneHeard]) -> tuple[Alternative, ...]:
    made = [Alternative(p.digits, round(_confidence(p) / 2, 2)) for p in others]
    if best.unlike and all(a.text != best.unlike for a in made):
        made.append(Alternative(best.unlike, 0.3))
    return tuple(made)


def _spaced(digits: str) -> str:
    """As one reads it to somebody: 139 3521 7746."""
    return f"{digits[:3]} {digits[3:7]} {digits[7:]}" if is_mobile(digits) else digits
