"""Who speaks on a leg that carries more than one person.

Overlapping windows of the leg are heard while it runs; the engine says from all windows so far who
speaks when. During a live call that gives provisional speakers, at hang-up the settled ones: the
same question over the same windows as for a recording. Voiceprints stay in this object, in memory,
and go with the call.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from appliance.call.timeline import Timeline, overlap_ms
from appliance.call.track import Track
from appliance.engine.protocol import SpeechEngine
from appliance.errors import EngineUnavailable, LingtingError, Overloaded
from appliance.messages import SpeakerTurn
from appliance.pauses import doubling
from appliance.settings.calls import SpeakersSettings as Policy
from inference.tensors import (
    DIARIZATION_MODEL,
    SAMPLE_RATE_HZ,
    Audio,
    Clustering,
    Priority,
    Turn,
    Voices,
    VoiceWindow,
)

log = logging.getLogger(__name__)

LIVE_UNDER_WAY, RECORDED_UNDER_WAY = 8, 16  # windows of one leg; a recording waits for them
LONGEST_LAG = int(120 * SAMPLE_RATE_HZ)  # samples a live call may be behind
LOOK_BACK = 150  # windows a provisional answer is drawn from
RETRY_DELAY_S = (0.1, 2.0)  # first and longest pause before a window is asked again
NOTHING = np.zeros(0, np.float32)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Count:
    """How many speakers a leg carries, as far as that is known."""

    least: int
    most: int


class Speakers:
    """One leg's; `hear` its audio, ask `now` while it runs, `settle` at its end.

    A diarization that fails costs the call its speakers, never its words: `failed` says why.
    """

    def __init__(self, engine: SpeechEngine, policy: Policy, count: Count, *, live: bool) -> None:
        self._engine, self._policy, self._count, self._live = engine, policy, count, live
        card = engine.card(DIARIZATION_MODEL)
        self._length, self._hop = (round(s * SAMPLE_RATE_HZ) for s in (card.window_s, card.hop_s))
        self._track = Track()
        self._voices: list[asyncio.Task[Voices]] = []  # of each whole window
        self._places = asyncio.Semaphore(LIVE_UNDER_WAY if live else RECORDED_UNDER_WAY)
        self._timeline: list[SpeakerTurn] = []  # as last told
        self._told_ms = 0  # up to where provisional turns were told
        self._asking = asyncio.Lock()  # one provisional answer at a time
        self.model, self.demo = f"{card.name} {card.version}", card.demo
        self.failed = ""

    async def hear(self, audio: Audio) -> None:
        """Take 16 kHz samples [n]; a recording waits while too many windows are under way."""
        self._track.append(audio)
        while not self.failed and self._track.end >= self._next + self._length:
            if self._live and self._places.locked():
                if self._track.end - self._next > LONGEST_LAG:
                    self._fail(Overloaded("tell speakers apart", "the engines are too slow"))
                break
            await self._ask(self._next, self._next + self._length)
        self._track.forget(self._track.end if self.failed else self._next)

    async def _ask(self, begin: int, end: int) -> None:
        window = VoiceWindow(self._track.read(begin, end))
        await self._places.acquire()
        task = asyncio.create_task(self._listen(window))
        task.add_done_callback(self._heard)
        self._voices.append(task)

    @property
    def _next(self) -> int:
        """First sample of the window that is not asked yet."""
        return len(self._voices) * self._hop

    @property
    def _rest(self) -> bool:
        """Whether there is audio that no window asked so far covers."""
        covered = self._next - self._hop + self._length if self._voices else 0
        return self._track.end > covered

    def _heard(self, task: asyncio.Task[Voices]) -> None:
        self._places.release()
        if not task.cancelled() and (error := task.exception()):
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed:
            self.failed = str(error)
            log.warning("a call goes on without its speakers: %s", error)

    async def _listen(self, window: VoiceWindow) -> Voices:
        """The window's voices, whenever they come: an engine at work is not hurried."""
        return await self._patiently(lambda: self._engine.ask(window, Priority.RECORDING, None))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer, whatever becomes of one engine; a recording waits out a full queue."""
        deadline = time.monotonic() + self._policy.deadline_s
        pauses = doubling(*RETRY_DELAY_S)
        while True:
            try:
                return await ask()
            except (EngineUnavailable, Overloaded) as error:
                patient = isinstance(error, Overloaded) and not self._live
                if time.monotonic() > deadline and not patient:
                    raise
            await asyncio.sleep(next(pauses))

    async def now(self, until_ms: int) -> list[SpeakerTurn]:
        """Provisional turns from where the last answer ended to `until_ms`; [] if none in time."""
        if self.failed:
            return []
        try:
            async with asyncio.timeout(self._policy.provisional_s), self._asking:
                return await self._now(until_ms)
        except (TimeoutError, LingtingError) as error:
            log.debug("no provisional speakers: %s", error)
            return []

    async def _now(self, until_ms: int) -> list[SpeakerTurn]:
        asked = len(self._voices)
        first = max(0, asked - LOOK_BACK)
        # Longer than a window: the engines are behind, and what is new is not known yet.
        short = self._rest and self._track.end - self._next <= self._length
        rest = VoiceWindow(self._track.read(self._next, self._track.end)) if short else None
        voices = list(await asyncio.gather(*map(asyncio.shield, self._voices[first:asked])))
        if rest:
            timeout_s = self._policy.provisional_s
            voices.append(await self._engine.ask(rest, Priority.PARTIAL, timeout_s))
        turns = await self._gather(voices, first, self._count, Priority.PARTIAL)
        self._timeline = [*before(self._timeline, turns), *same_names(self._timeline, turns)]
        begin, self._told_ms = self._told_ms, max(until_ms, self._told_ms)
        return list(within(self._timeline, begin, until_ms))

    async def settle(self, count: Count | None = None) -> list[SpeakerTurn]:
        """All turns, at the end of the leg; [] if diarization failed.

        Speakers keep the numbers of the provisional answers as far as they are the same people.

        Args:
            count: of speakers, if more is known by now.
        """
        while self._rest and not self.failed:
            await self._ask(self._next, min(self._next + self._length, self._track.end))
        try:
            voices = await asyncio.gather(*self._voices)
            priority = Priority.FINAL if self._live else Priority.RECORDING
            turns = await self._patiently(
                lambda: self._gather(voices, 0, count or self._count, priority)
            )
        except LingtingError as error:
            self._fail(error)
            return []
        return same_names(self._timeline, turns)

    async def _gather(
        self, voices: Sequence[Voices], first: int, count: Count, priority: Priority
    ) -> list[SpeakerTurn]:
        offset_s = first * self._hop / SAMPLE_RATE_HZ
        question = Clustering(
            NOTHING,
            voices=tuple(voices),
            length_s=self._track.end / SAMPLE_RATE_HZ - offset_s,
            least=count.least,
            most=count.most,
        )
        answer = await self._engine.ask(question, priority, None)
        return [_placed(turn, offset_s) for turn in answer.turns]

    def close(self) -> None:
        """Let go of everything under way, and of the voiceprints."""
        for task in self._voices:
            task.cancel()
        self._voices = []


def _placed(turn: Turn, offset_s: float) -> SpeakerTurn:
    start_ms, end_ms = (round((at + offset_s) * 1000) for at in (turn.start_s, turn.end_s))
    return SpeakerTurn(turn.speaker, start_ms, end_ms)


def within(turns: Iterable[SpeakerTurn], start_ms: int, end_ms: int) -> Iterable[SpeakerTurn]:
    """What of `turns` lies in a span."""
    for turn in turns:
        if overlap_ms(start_ms, end_ms, turn):
            begin, end = max(start_ms, turn.start_ms), min(end_ms, turn.end_ms)
            yield SpeakerTurn(turn.speaker, begin, end)


def same_names(known: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn]) -> list[SpeakerTurn]:
    """`turns` with the numbers of the speakers in `known` that they share most time with."""
    shared: dict[tuple[int, int], int] = defaultdict(int)
    timeline = Timeline(known)
    for new in turns:
        for old, time_ms in timeline.overlapping(new.start_ms, new.end_ms):
            shared[old.speaker, new.speaker] += time_ms
    names: dict[int, int] = {}
    for (old_name, new_name), time_ms in sorted(shared.items(), key=lambda item: -item[1]):
        if time_ms and new_name not in names and old_name not in names.values():
            names[new_name] = old_name
    taken = {turn.speaker for turn in known} | set(names.values())
    free = (number for number in range(len(taken) + len(turns) + 1) if number not in taken)
    for turn in turns:
        if turn.speaker not in names:
            names[turn.speaker] = next(free)
    return [SpeakerTurn(names[t.speaker], t.start_ms, t.end_ms) for t in turns]


def before(known: Sequence[SpeakerTurn], turns: Sequence[SpeakerTurn]) -> Iterable[SpeakerTurn]:
    """What of `known` lies before the first of `turns`."""
    return within(known, 0, turns[0].start_ms) if turns else known
