"""One window on its way through the model, from audio to words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from inference.asr.encoder import Encoded
from inference.asr.prompt import PromptedAsk
from inference.asr.quality import Decoding
from inference.tensors import Window, Word

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True, eq=False)
class Hearing:
    """What is known of a window so far. Each batch makes its own; the model keeps none."""

    window: Window
    samples: int  # it is padded to
    bare: bool = False  # asked without prompts
    encoded: Encoded | None = None
    ask: PromptedAsk | None = None
    decoding: Decoding | None = None  # the best one
    retries: int = 0  # decodings beyond the first
    words: tuple[Word, ...] = ()
    error: str = ""  # why it cannot be heard
    work_s: float = 0.0  # its share of the time that the model worked

    @property
    def asked(self) -> PromptedAsk:
        assert self.ask
        return self.ask

    @property
    def decoded(self) -> Decoding:
        assert self.decoding
        return self.decoding


def encoded_of(hearings: Iterable[Hearing]) -> list[Encoded]:
    return [h.encoded for h in hearings if h.encoded]


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> list[list[Item]]:
    """Items of one key each, in order of first appearance."""
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def shared_out(groups: Sequence[list[Item]], lanes: int) -> list[list[Item]]:
    """The same groups, the largest of them halved until every lane has one."""
    parts = [list(group) for group in groups]
    while parts and len(parts) < lanes:
        largest = max(parts, key=len)
        if len(largest) < 2:
            break
        parts.remove(largest)
        half = (len(largest) + 1) // 2
        parts += [largest[:half], largest[half:]]
    return sorted(parts, key=len, reverse=True)
