"""Neighbouring utterances of a recording, heard as one window.

What is said around it helps the model with each sentence, and one margin of silence serves them
all. A live call cannot wait for that.
"""

from __future__ import annotations

import asyncio
import bisect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np

from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Window, Word

MOST_UTTERANCES = 8  # of a passage; a leg may have more finals than that under way
LEAST_CONFIDENCE = 1e-4

Listen = Callable[[Window], Awaitable[Hypothesis]]


@dataclass(slots=True)
class Passage:
    """Utterances that will be heard together."""

    windows: list[Window] = field(default_factory=list)
    heard: list[asyncio.Future[Hypothesis]] = field(default_factory=list)

    @property
    def samples(self) -> int:
        return sum(len(window.audio) for window in self.windows)

    def takes(self, window: Window, longest_s: float) -> bool:
        """Whether another utterance still fits."""
        if len(self.windows) >= MOST_UTTERANCES or window.language != self.windows[0].language:
            return False
        return self.samples + len(window.audio) <= longest_s * SAMPLE_RATE_HZ


class Passages:
    """Gathers the utterances of one leg, which ask for nothing but their audio to differ."""

    def __init__(self, listen: Listen, longest_s: Callable[[], float]) -> None:
        """
        Args:
            listen: hears a window; raises LingtingError.
            longest_s: of a passage; 0: each utterance is heard by itself.
        """
        self._listen, self._longest_s = listen, longest_s
        self._open: Passage | None = None
        self._hearing: set[asyncio.Task[None]] = set()

    def add(self, window: Window) -> asyncio.Future[Hypothesis]:
        """Take the next utterance, whose words come once its passage is heard."""
        if self._open and not self._open.takes(window, self._longest_s()):
            self.close()
        self._open = self._open or Passage()
        heard: asyncio.Future[Hypothesis] = asyncio.get_running_loop().create_future()
        self._open.windows.append(window)
        self._open.heard.append(heard)
        if self._open.samples >= self._longest_s() * SAMPLE_RATE_HZ:
            self.close()
        return heard

    def close(self) -> None:
        """Hear what was gathered: no more is coming, or it can wait no longer."""
        if self._open:
            task = asyncio.create_task(self._hear(self._open))
            self._hearing.add(task)
            task.add_done_callback(self._hearing.discard)
        self._open = None

    def abort(self) -> None:
        """Let go of everything."""
        for task in self._hearing:
            task.cancel()
        for heard in self._open.heard if self._open else ():
            heard.cancel()

    async def _hear(self, passage: Passage) -> None:
        try:
            parts = await self._parts(passage.windows)
        except asyncio.CancelledError:
            for heard in passage.heard:
                heard.cancel()
            raise
        except Exception as error:
            for heard in passage.heard:
                if not heard.done():
                    heard.set_exception(error)
            return
        for heard, part in zip(passage.heard, parts, strict=True):
            if not heard.done():
                heard.set_result(part)

    async def _parts(self, windows: list[Window]) -> list[Hypothesis]:
        """What each utterance holds; those without a word are heard once more, alone."""
        if len(windows) == 1:
            return [await self._listen(windows[0])]
        audio = np.concatenate([window.audio for window in windows])
        together = await self._listen(replace(windows[0], audio=audio, word_times=True))
        parts = split(together, [window.duration_s for window in windows])
        return list(
            await asyncio.gather(
                *(
                    _given(part) if part else self._listen(window)
                    for window, part in zip(windows, parts, strict=True)
                )
            )
        )


async def _given(part: Hypothesis) -> Hypothesis:
    return part


def split(heard: Hypothesis, lengths_s: list[float]) -> list[Hypothesis | None]:
    """What was heard in several utterances -> what each of them holds, by the middles of words.

    None where not even the edge of a word was heard, and for all if the words do not make up the
    text: then their times say nothing.
    """
    if "".join(word.text for word in heard.words).strip() != heard.text:
        return [None] * len(lengths_s)
    ends_ms = [1000 * end for end in accumulate(lengths_s)]
    words: list[list[Word]] = [[] for _ in lengths_s]
    for word in heard.words:
        middle_ms = (word.start_ms + word.end_ms) / 2
        words[min(bisect.bisect_right(ends_ms, middle_ms), len(ends_ms) - 1)].append(word)
    parts: list[Hypothesis | None] = []
    for some, begin_ms, end_ms in zip(words, [0.0, *ends_ms], ends_ms, strict=False):
        touched = any(word.start_ms < end_ms and word.end_ms > begin_ms for word in heard.words)
        part = _part(heard, some, int(begin_ms), int(end_ms - begin_ms))
        parts.append(part if touched else None)
    return parts


def _part(heard: Hypothesis, words: list[Word], begin_ms: int, length_ms: int) -> Hypothesis:
    def within(at_ms: int) -> int:
        return min(max(at_ms - begin_ms, 0), length_ms)

    logs = [math.log(max(word.confidence, LEAST_CONFIDENCE)) for word in words]
    return replace(
        heard,
        text="".join(word.text for word in words).strip(),
        words=tuple(
            replace(word, start_ms=start, end_ms=max(within(word.end_ms), start + 1))
            for word in words
            for start in [min(within(word.start_ms), length_ms - 1)]
        ),
        confidence=round(math.exp(sum(logs) / len(logs)), 4) if logs else 0.0,
    )
