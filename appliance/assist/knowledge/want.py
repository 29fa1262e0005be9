"""What a citizen wants to know: from the last turns, not the last utterance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.assist.slots.summary import cleaned
from appliance.assist.slots.turns import is_backchannel, turns
from appliance.assist.slots.value import Said

CHARACTERS = 300  # of what was said last
FADES = 0.8  # what each turn counts of the one behind it
TOLD = 0.5  # what a sentence counts that asks nothing
LEAST = 4  # characters of a sentence that tells anything
_ASKS = re.compile(
    r"怎么|怎样|如何|咋|多少|多久|多长|几[个天号月点年]|哪[里儿些个]|什么|啥|吗|能不能|能否|可不可以|"
    r"可以.{0,8}[?？]|是不是|有没有|需不需|用不用|想问|问[一个]?下|咨询|了解|查[一]?下|怎么办"
)
_PROPOSES = re.compile(
    r"您?(?:是)?(?:想|要)(?:问|咨询|了解|查询?)(?:一下)?(?:的是)?(?P<what>[^。？?]{4,40})"
)
_PARTS = re.compile(r"[^。！？!?；;]+[。！？!?；;]*")
_NUMBERS = re.compile(r"[0-9零一二三四五六七八九十幺\s]{6,}")


@dataclass(frozen=True, slots=True)
class Want:
    """A question as it stands after some turns.

    Attributes:
        parts: sentences with how much each matters, the newest first.
        asks: whether any of them is a question.
        utterance: id of the newest that is among them.
    """

    parts: tuple[tuple[str, float], ...] = ()
    asks: bool = False
    utterance: str = ""

    @property
    def text(self) -> str:
        """In the order of speaking."""
        return "".join(text for text, _ in reversed(self.parts))


def want(said: Sequence[Said]) -> Want:
    """Of a call so far; nothing, if nobody has asked or told anything."""
    parts: list[tuple[str, float]] = []
    asks, newest, weight, length = False, "", 1.0, 0
    for turn in reversed(turns(said)):
        found = _agent(turn.text) if turn.agent else _citizen(turn.text)
        if not found:
            continue
        newest = newest or turn.said.id
        for text, is_asked in reversed(found):
            parts.append((text, weight * (1.0 if is_asked else TOLD)))
            asks, length = asks or is_asked, length + len(text)
        weight *= FADES
        if length >= CHARACTERS:
            break
    return Want(tuple(parts), asks, newest)


def _citizen(text: str) -> list[tuple[str, bool]]:
    """Its sentences, and whether each asks."""
    if is_backchannel(text):
        return []
    sentences = (cleaned(match[0]) for match in _PARTS.finditer(text))
    told = (each for each in sentences if len(_NUMBERS.sub("", each)) >= LEAST)
    return [(each, bool(_ASKS.search(each))) for each in told]


def _agent(text: str) -> list[tuple[str, bool]]:
    """What an agent repeats of the question."""
    match = _PROPOSES.search(text)
    return [(match["what"], True)] if match else []
