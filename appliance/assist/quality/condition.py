"""What a quality rule may ask for: conditions that stand in each other, as the pack has them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from appliance.assist.city.reader import Words
from appliance.assist.orders.draft import OrderField
from appliance.assist.quality.expression import checked
from appliance.messages import Emotion, Level
from appliance.phonetics.homophones import same_sound

DEEPEST = 6  # conditions in each other
OPERATORS = (
    "all",
    "any",
    "not",
    "say",
    "matches",
    "like",
    "silence_s",
    "faster_than",
    "slower_than",
    "louder_db",
    "quieter_db",
    "interrupts_ms",
    "overlap_s",
    "mood",
    "hang_up",
    "longer_s",
    "shorter_s",
    "lacks",
    "channel",
)
OF_TURNS = frozenset(
    {
        *("say", "matches", "like", "silence_s", "faster_than", "slower_than"),
        *("louder_db", "quieter_db", "interrupts_ms", "mood"),
    }
)
PARTS = frozenset({"first", "last", "first_s", "last_s"})
ANCHORS = frozenset({"after", "before", "around"})
_RANGE = re.compile(r"[\u4e00-\u9fff]-[\u4e00-\u9fff]")


Expression = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(checked)]


class Condition(BaseModel):
    """One operator, and where it looks.

    Attributes:
        say: words, any of them; `sounds`: what sounds like them counts.
        at_least: so many different words of `say`; of the others, in so many turns.
        matches: a regular expression; `sounds`: what sounds the same counts, from two characters.
        like: sentences, one of which is said nearly so (`alike`, 0..1).
        silence_s: nobody speaks so long; with `role`, before somebody of that role speaks.
        faster_than, slower_than: characters a minute, of turns of at least ten characters.
        louder_db, quieter_db: so much above or below the median of the same role's turns.
        interrupts_ms: somebody of `role` begins so long before the other has ended.
        overlap_s: both speak at once, in all.
        mood: any of these moods, at `level` or more.
        hang_up: who ended the call, where the switch tells it.
        lacks: fields that the call's order has not.
        role: whose turns.
        first, last: so many turns of that role alone.
        first_s, last_s: what lies in so many seconds of the begin or the end.
        after, before, around: only near turns for which that holds, `within` turns of anybody.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    negated: Condition | None = Field(None, alias="not")
    say: Words = ()
    at_least: int = Field(1, ge=1)
    sounds: bool = False
    matches: Expression | None = None
    like: Words = ()
    alike: float = Field(0.6, gt=0, le=1)
    silence_s: float | None = Field(None, gt=0)
    faster_than: float | None = Field(None, gt=0)
    slower_than: float | None = Field(None, gt=0)
    louder_db: float | None = Field(None, gt=0)
    quieter_db: float | None = Field(None, gt=0)
    interrupts_ms: int | None = Field(None, gt=0)
    overlap_s: float | None = Field(None, gt=0)
    mood: tuple[Emotion, ...] = ()
    level: Level = Level.LOW
    hang_up: Literal["agent", "citizen"] | None = None
    longer_s: float | None = Field(None, gt=0)
    shorter_s: float | None = Field(None, gt=0)
    lacks: tuple[OrderField, ...] = ()
    channel: Words = ()
    role: Literal["agent", "citizen", "anybody"] = "anybody"
    first: int | None = Field(None, ge=1)
    last: int | None = Field(None, ge=1)
    first_s: float | None = Field(None, gt=0)
    last_s: float | None = Field(None, gt=0)
    after: Condition | None = None
    before: Condition | None = None
    around: Condition | None = None
    within: int = Field(6, ge=1, le=200)

    @property
    def operator(self) -> str:
        return self._operators()[0]

    def _operators(self) -> list[str]:
        given = {"negated" if name == "not" else name: name for name in OPERATORS}
        return [name for field, name in given.items() if getattr(self, field) not in (None, ())]

    @model_validator(mode="after")
    def _means_one_thing(self) -> Condition:
        found = self._operators()
        if len(found) != 1:
            told = " and ".join(found) or "none"
            raise ValueError(f"it has {told}; a condition has one of {', '.join(OPERATORS)}")
        for one_of in (PARTS, ANCHORS):
            if len(given := one_of & self.model_fields_set) > 1:
                raise ValueError(f"{' and '.join(sorted(given))} shut each other out")
        idle = (PARTS | ANCHORS | {"role", "within"}) & self.model_fields_set
        if found[0] not in OF_TURNS and idle:
            told = ", ".join(sorted(idle))
            raise ValueError(f"{found[0]} looks at the whole call: {told} would change nothing")
        if self.say and self.at_least > len(self.say):
            raise ValueError(f"at_least is {self.at_least} of {len(self.say)} words")
        if self.sounds:
            self._can_be_heard()
        if self.depth > DEEPEST:
            raise ValueError(f"conditions stand in each other more than {DEEPEST} deep")
        return self

    def _can_be_heard(self) -> None:
        if not self.say and not self.matches:
            raise ValueError(f"{self.operator} is no matter of words: sounds would change nothing")
        if found := _RANGE.search(self.matches or ""):
            raise ValueError(f"{found[0]}: a range of characters cannot be told by sound")
        if self.matches:
            checked(same_sound(self.matches))

    @property
    def depth(self) -> int:
        inner = (self.negated, self.after, self.before, self.around)
        return 1 + max(
            (each.depth for each in (*self.all, *self.any, *filter(None, inner))), default=0
        )
