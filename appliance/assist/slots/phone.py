"""The phone number at which the citizen can be reached (联系方式)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from appliance.assist.slots.digits import Group, groups
from appliance.assist.slots.phone_cues import (
    Ask,
    Owner,
    asked,
    asks_this,
    checks,
    concerns_phone,
    drops,
    goes_on,
    is_household,
    means_this,
    owner,
    switches,
    talks_of_phone,
    tells,
    wrong_length,
)
from appliance.assist.slots.phone_numbers import (
    MOBILE_DIGITS,
    PhoneNumber,
    assembled,
    corrected,
    distance,
    is_mobile,
    is_phone,
    reading,
)
from appliance.assist.slots.phone_value import PhoneHeard, chosen, incomplete
from appliance.assist.slots.turns import SpokenTurn, is_weak, says_no, says_yes, turns
from appliance.assist.slots.value import Said, Value
from appliance.messages import LegRole

LIKELY_SLIP = 2  # digits by which a read-back may differ and still mean the same number
WORTH_ASKING = 7  # digits after which one may ask for those that lack, while they may come yet
MOST = 32  # numbers kept of one call
MOST_GROUPS = 16  # of one number, however haltingly it is said
MOST_DIGITS = 3 * MOBILE_DIGITS  # that make no number: then it is begun anew
FEWEST = 3  # digits that are a number begun
WAITS = 4  # turns without digits after which a number begun is not gone on with
HEARD_WELL = 0.5  # of the recognition's confidence: below, nothing is sure that was said once


def phone(said: Sequence[Said], *, caller: str = "", area_code: str = "") -> Value | None:
    """The number to call back, as 13935217746 or 0352-6035517 (extension: ...#8012).

    Args:
        caller: the number the call comes from, as its door tells; "" if that is unknown.
        area_code: the city's, put before a local number.

    Returns:
        None if none was given. A value without text, but with a question, if one was given that
        cannot be right: digits are missing, or two numbers contradict each other.
        `parts`: kind (mobile, landline), confirmed, source (said, caller).
    """
    talk = _PhoneTalk(caller, area_code)
    for turn in turns(said):
        talk.hear(turn)
    return talk.value()


@dataclass(slots=True)
class _PhoneTalk:
    """What was said of phones so far."""

    caller: str
    area_code: str
    phones: dict[str, PhoneHeard] = field(default_factory=dict)
    ask: Ask = Ask.NOTHING
    pending: list[PhoneHeard] = field(default_factory=list)  # read back, and not answered yet
    this_asked: bool = False
    begun: list[tuple[SpokenTurn, Group]] = field(default_factory=list)
    waited: int = 0
    lacking: str = ""  # digits of a number that was never whole
    contested: bool = False  # a no without what is right instead

    def hear(self, turn: SpokenTurn) -> None:
        if not (self.pending or self.this_asked or self.begun or concerns_phone(turn.text)):
            return
        if turn.agent:
            self._agent(turn)
        else:
            self._citizen(turn)

    # The agent

    def _agent(self, turn: SpokenTurn) -> None:
        question = asked(turn.text)
        if question or not (goes_on(turn.text) or groups(turn.text)):
            self.ask = question or (self.ask if self.waited == 0 and self.begun else Ask.NOTHING)
        if wrong_length(turn.text):
            self._gives_up()
        self.pending = []
        self.this_asked = asks_this(turn.text)
        found = reading(turn.text)
        for number in found.numbers:
            self._agent_said(turn, number)
        if not found.numbers:
            self._read_in_part(turn, found.rest)
        self._wait(bool(found.numbers or found.rest))

    def _agent_said(self, turn: SpokenTurn, number: PhoneNumber) -> None:
        digits = self._written(number)
        known = self.phones.get(digits)
        near = known or self._near(digits)
        if near is None and self._is_told(turn, number):
            self._phone(digits).told = True
            return
        entry = known or self._phone(digits)
        if near is not None and not known:
            entry.unlike, entry.owner, entry.answered = near.digits, near.owner, near.answered
        if entry.told:
            return
        entry.read += 1
        entry.owner = _stronger(entry.owner, owner(turn.text, number.start, number.end), self.ask)
        entry.evidence.append(turn.said.evidence(number.start, number.end, "读回"))
        self.pending.append(entry)
        self.begun, self.lacking = [], ""

    def _is_told(self, turn: SpokenTurn, number: PhoneNumber) -> bool:
        if self._was_begun(number.digits):
            return False
        return tells(turn.text) or not (checks(turn.text) or self.ask is Ask.PHONE or self.begun)

    def _was_begun(self, digits: str) -> bool:
        """Whether the citizen said part of it: it is read back though it was not understood."""
        spoken = "".join(group.digits for _, group in self.begun)
        return len(spoken) >= 3 and digits.replace("-", "").startswith(spoken[:3])

    def _read_in_part(self, turn: SpokenTurn, rest: Sequence[Group]) -> None:
        """尾号 4477 对吗: it stands for the number that ends so."""
        if not rest or not checks(turn.text):
            return
        for entry in (*self.phones.values(), *self._of_caller()):
            if (
                not entry.told
                and entry.digits.endswith(rest[-1].digits)
                and len(rest[-1].digits) >= 3
            ):
                self.pending = [entry]

    def _of_caller(self) -> Iterator[PhoneHeard]:
        if self.caller and self.caller not in self.phones:
            yield PhoneHeard(self.caller, is_caller=True)

    # The citizen

    def _citizen(self, turn: SpokenTurn) -> None:
        found = reading(turn.text)
        pending, this_asked = self.pending, self.this_asked
        self.pending, self.this_asked = [], False
        if drops(turn.text) or (this_asked and says_no(turn.text)):
            self._drop(found.numbers)
        if pending and self._answers(turn, pending, found.numbers, found.rest):
            return
        for number in found.numbers:
            self._citizen_said(turn, number)
        if found.numbers:
            self.begun, self.lacking = [], ""
        elif found.rest:
            self._goes_on(turn, found.rest)
        elif self._means_caller(turn, this_asked):
            self._agree(turn)
        self._wait(bool(found.numbers or found.rest))

    def _answers(
        self,
        turn: SpokenTurn,
        pending: Sequence[PhoneHeard],
        numbers: Sequence[PhoneNumber],
        rest: Sequence[Group],
    ) -> bool:
        """Takes a turn for the answer to a number read back; whether it is no more than that."""
        if says_no(turn.text):
            return self._denies(turn, pending, numbers, rest)
        known = {entry.digits for entry in pending}
        if any(self._written(n) not in known for n in numbers):
            if says_yes(turn.text):
                self._confirm(turn, pending)
            return False
        if rest and not all(any(g.digits in e.digits for e in pending) for g in rest):
            return self._corrects(turn, pending[-1])
        if numbers or says_yes(turn.text) or means_this(turn.text):
            self._confirm(turn, pending)
            return not numbers
        return False

    def _confirm(self, turn: SpokenTurn, pending: Sequence[PhoneHeard]) -> None:
        for entry in pending:
            self.phones[entry.digits] = entry
            entry.confirmed = True
            entry.denied = False
            if not is_weak(turn.text) or len(entry.evidence) < 3:
                entry.evidence.append(turn.said.evidence(0, len(turn.text), "确认"))
        self.contested, self.lacking = False, ""

    def _denies(
        self,
        turn: SpokenTurn,
        pending: Sequence[PhoneHeard],
        numbers: Sequence[PhoneNumber],
        rest: Sequence[Group],
    ) -> bool:
        if numbers:
            for entry in pending:
                entry.denied = all(self._written(n) != entry.digits for n in numbers)
                entry.confirmed = entry.confirmed and not entry.denied
            return False
        if rest:
            return self._corrects(turn, pending[-1])
        for entry in pending:
            entry.denied, entry.confirmed = True, False
        self.contested = True
        return True

    def _corrects(self, turn: SpokenTurn, entry: PhoneHeard) -> bool:
        right = corrected(entry.digits, turn.text)
        entry.confirmed = False
        if right is None:
            self.contested = True
            entry.denied = says_no(turn.text)
            return True
        entry.denied = True
        made = self._phone(right)
        made.said, made.answered, made.owner, made.denied = 1, True, entry.owner, False
        made.evidence += [*entry.evidence[-1:], turn.said.evidence(0, len(turn.text), "更正")]
        return True

    def _citizen_said(self, turn: SpokenTurn, number: PhoneNumber) -> None:
        if number.local and not self._talks_of_local(turn):
            return
        entry = self._phone(self._written(number))
        if self._may_be_told(turn, entry):
            entry.told = True
            return
        entry.said += 1
        entry.answered = entry.answered or self.ask is Ask.PHONE or talks_of_phone(turn.text)
        entry.shaky = max(entry.shaky, number.shaky) if entry.said == 1 else 0
        if turn.said.confidence < HEARD_WELL and entry.said == 1:
            entry.shaky = max(entry.shaky, 1)
        entry.owner = _stronger(entry.owner, owner(turn.text, number.start, number.end), self.ask)
        entry.evidence.append(turn.said.evidence(number.start, number.end, "报号"))
        self._retract(turn, entry)

    def _may_be_told(self, turn: SpokenTurn, entry: PhoneHeard) -> bool:
        """Where nobody knows who speaks: a number that one is told to call."""
        if turn.said.role is not LegRole.UNKNOWN or entry.said or self.ask is Ask.PHONE:
            return entry.told
        return entry.told or (tells(turn.text) and "我" not in turn.text)

    def _talks_of_local(self, turn: SpokenTurn) -> bool:
        return self.ask is Ask.PHONE or is_household(turn.text) or talks_of_phone(turn.text)

    def _retract(self, turn: SpokenTurn, entry: PhoneHeard) -> None:
        """A number that takes another's place (说错了, 换了) denies it."""
        if switches(turn.text):
            for other in self.phones.values():
                other.owner = other.owner if other is entry else Owner.SPARE
        if not says_no(turn.text):
            return
        for other in self.phones.values():
            if other is not entry and 0 < distance(other.digits, entry.digits) <= 3:
                other.denied, other.confirmed = True, False

    def _goes_on(self, turn: SpokenTurn, rest: Sequence[Group]) -> None:
        if not (self.begun or self._begins(turn, rest)):
            return
        base = self._last_said()
        if not self.begun and base and says_no(turn.text):
            self._corrects(turn, base)
            return
        self.begun = [*self.begun, *((turn, group) for group in rest)][-MOST_GROUPS:]
        made = assembled([group for _, group in self.begun])
        if made and self._spans_all(made):
            self._put_together(turn, made[-1])
        else:
            self.lacking = max((self._begun_digits(), self.lacking), key=len)
            if len(self._begun_digits()) > MOST_DIGITS:
                self._gives_up()

    def _spans_all(self, made: Sequence[PhoneNumber]) -> bool:
        """A local number found in the midst of a longer one is none."""
        return (
            is_mobile(made[-1].digits) or "-" in made[-1].digits or len(self._begun_digits()) == 7
        )

    def _begins(self, turn: SpokenTurn, rest: Sequence[Group]) -> bool:
        digits = rest[0].digits
        if self.ask is Ask.PHONE or talks_of_phone(turn.text):
            return len(digits) >= 2
        return (
            self.ask is Ask.NOTHING
            and is_mobile(digits.ljust(MOBILE_DIGITS, "0"))
            and len(digits) > 6
        )

    def _begun_digits(self) -> str:
        return "".join(group.digits for _, group in self.begun)

    def _put_together(self, turn: SpokenTurn, number: PhoneNumber) -> None:
        entry = self._phone(self._written(number))
        entry.said, entry.answered = entry.said + 1, True
        entry.shaky = max(entry.shaky, number.shaky)
        entry.evidence += [
            each.said.evidence(group.start, group.end, "报号") for each, group in self.begun[-6:]
        ]
        entry.owner = _stronger(entry.owner, owner(turn.text, 0, len(turn.text)), self.ask)
        self.begun, self.lacking = [], ""

    # The number of the call

    def _means_caller(self, turn: SpokenTurn, this_asked: bool) -> bool:
        if not self.caller or not is_phone(self.caller):
            return False
        if this_asked and says_yes(turn.text):
            return True
        return means_this(turn.text) and (
            self.ask is Ask.PHONE or talks_of_phone(turn.text) or this_asked
        )

    def _agree(self, turn: SpokenTurn) -> None:
        entry = self._phone(self.caller)
        entry.is_caller, entry.answered, entry.owner = True, True, Owner.WANTED
        entry.evidence.append(turn.said.evidence(0, len(turn.text), "来电号码"))

    # What is kept

    def _phone(self, digits: str) -> PhoneHeard:
        known = self.phones.get(digits)
        if known is None:
            known = self.phones[digits] = PhoneHeard(digits, is_caller=digits == self.caller)
            if len(self.phones) > MOST:
                del self.phones[next(iter(self.phones))]
        return known

    def _written(self, number: PhoneNumber) -> str:
        return f"{self.area_code}-{number.digits}".lstrip("-") if number.local else number.digits

    def _near(self, digits: str) -> PhoneHeard | None:
        """A number of the citizen's that an agent may mean by `digits`."""
        for entry in reversed(self.phones.values()):
            if not entry.told and 0 < distance(entry.digits, digits) <= LIKELY_SLIP:
                return entry
        return None

    def _last_said(self) -> PhoneHeard | None:
        for entry in reversed(self.phones.values()):
            if entry.said and not entry.denied:
                return entry
        return None

    def _drop(self, but: Sequence[PhoneNumber]) -> None:
        kept = {self._written(number) for number in but}
        for entry in self.phones.values():
            if entry.digits not in kept:
                entry.owner = Owner.OTHER

    def _gives_up(self) -> None:
        """The agent counted: what was begun is not gone on with, but said anew."""
        self.lacking = self._begun_digits() or self.lacking
        self.begun = []

    def _wait(self, digits: bool) -> None:
        self.waited = 0 if digits else self.waited + 1
        if self.waited >= WAITS:
            self._gives_up()

    # The value

    def value(self) -> Value | None:
        return chosen(self.phones.values(), contested=self.contested) or self._incomplete()

    def _incomplete(self) -> Value | None:
        digits = self._begun_digits() or self.lacking
        goes_on_still = bool(self.begun) and self.waited == 0
        if len(digits) >= (WORTH_ASKING if goes_on_still else FEWEST):
            return incomplete(digits)
        return incomplete("") if self.contested else None


def _stronger(before: Owner, now: Owner, ask: Ask) -> Owner:
    if now is Owner.UNSAID and ask is Ask.OTHER and before is Owner.UNSAID:
        return Owner.OTHER
    return now or before
