"""LocalAgreement: what two consecutive hypotheses of a growing window agree on is stable.

The window a partial looks back on is bounded: once it is long, stable words leave it and stay as
text, so that a partial costs the same however long the utterance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from appliance.call.itn import DIGITS, NUMERALS
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Word

KEEP_S = 3.0  # speech that stays in the window as context when the rest leaves it
LEAST_ECHO = 3  # characters said twice in a row that may be a decoder's echo


@dataclass(slots=True)
class Agreement:
    """The partial text of one utterance. Samples count from the start of the leg."""

    window_from: int  # first sample the next partial looks at
    window_to: int = 0  # sample after the last one looked at
    committed: str = ""  # text of what has left the window
    last: str = ""  # the last hypothesis of the window
    stable: str = ""  # its agreed head

    def update(self, heard: Hypothesis, window_to: int) -> None:
        """Take the hypothesis of the window from `window_from` to `window_to`."""
        self.window_to = window_to
        text = without_echo(heard.text)
        self.stable = _common_head(self.last, text)
        self.last = text

    @property
    def text(self) -> str:
        return self.committed + self.last

    @property
    def stable_text(self) -> str:
        return self.committed + self.stable

    def shrink(self, words: Sequence[Word]) -> None:
        """Let stable words that ended KEEP_S ago leave the window."""
        latest_ms = (self.window_to - self.window_from) * 1000 // SAMPLE_RATE_HZ - KEEP_S * 1000
        text, left_ms = "", 0
        for word in words:
            if word.end_ms > latest_ms or not self.stable.startswith(text + word.text):
                break
            text, left_ms = text + word.text, word.end_ms
        if not text:
            return
        self.committed += text
        self.window_from += left_ms * SAMPLE_RATE_HZ // 1000
        self.last, self.stable = self.last[len(text) :], self.stable[len(text) :]

    def give_up(self, window_from: int) -> None:
        """Move the window on although nothing is agreed: what leaves it becomes text as it is."""
        share = (window_from - self.window_from) / max(1, self.window_to - self.window_from)
        leaving = round(len(self.last) * min(1.0, share))
        self.committed += self.last[:leaving]
        self.last, self.stable = self.last[leaving:], self.stable[leaving:]
        self.window_from = window_from


def without_echo(text: str) -> str:
    """A window cut in mid-speech tempts a decoder to say its last words twice: shown once.

    Should they have been said twice, the final says so. Numbers, and spellings, do repeat
    themselves: only tails with LEAST_ECHO characters of ordinary Chinese count.
    """
    for size in range(len(text) // 2, LEAST_ECHO - 1, -1):
        tail = text[-size:]
        if text.endswith(tail + tail) and sum(map(_ordinary, tail)) >= LEAST_ECHO:
            return text[:-size]
    return text


def _ordinary(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff" and character not in DIGITS + NUMERALS


def _common_head(one: str, other: str) -> str:
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return one[: sum(1 for _ in alike)]
