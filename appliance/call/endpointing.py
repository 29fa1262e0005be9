"""When an utterance begins and ends: a pure state machine over speech probabilities.

The rules are Riva's EndpointingConfig: a share of a history of frames must be speech to begin, or
silence to end. Where the caller leaves the stop history to us it shrinks as the utterance grows:
a young utterance may pause to think, a long one should reach its reader.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from appliance.messages import Endpointing
from appliance.settings.calls import CallPolicy

FRAME_MS = 32  # one VAD frame
START_HISTORY_MS = 160
START_THRESHOLD = 0.6
STOP_THRESHOLD = 0.98
EOU_SHARE = 0.45  # the early sign comes after this share of the stop history
SHRINK_FROM_S, SHRINK_TO_S = 3.0, 15.0  # utterance lengths between which the stop history shrinks
SILENCE_RATIO = 0.7  # below this share of the speech threshold a frame is silence (hysteresis)
ONSET_RATIO = 0.35  # down to this share, frames before the first that is speech belong to it
ONSET_MS = 400  # and no more of them
CUT_SEARCH_S = 3.0  # an overlong utterance is cut at its quietest place in its last seconds


class Signal(Enum):
    """What a frame brought about."""

    START = "start"
    EARLY_END = "early end"  # the speaker seems to have finished
    RESUME = "resume"  # but had not
    END = "end"
    CUT = "cut"  # too long: ended in mid-speech, the next one has begun


@dataclass(frozen=True, slots=True)
class Mark:
    """A signal and the frame it concerns: the first of the utterance, or the first after it."""

    signal: Signal
    frame: int


def _frames(ms: float) -> int:
    return max(1, round(ms / FRAME_MS))


@dataclass(slots=True)
class Endpointer:
    """One leg's endpointing state."""

    asked: Endpointing
    policy: CallPolicy
    frame: int = 0  # frames seen
    started: int | None = None  # first frame of the running utterance
    _history: deque[bool] = field(default_factory=deque)  # speech (idle) or silence (speaking)
    _probabilities: deque[float] = field(default_factory=deque)
    _last_speech: int = 0
    _ended: int = 0  # first frame after the last utterance
    _early: bool = False

    def feed(self, probability: float) -> Mark | None:
        """Take one frame's speech probability."""
        self.frame += 1
        self._probabilities.append(probability)
        if len(self._probabilities) > _frames(CUT_SEARCH_S * 1000):
            self._probabilities.popleft()
        return self._idle(probability) if self.started is None else self._speaking(probability)

    def _idle(self, probability: float) -> Mark | None:
        history = _frames(self.asked.start_history_ms or START_HISTORY_MS)
        self._remember(probability >= self.policy.speech_threshold, history)
        threshold = self.asked.start_threshold
        needed = (START_THRESHOLD if threshold is None else threshold) * history
        if sum(self._history) < max(1, needed):
            return None
        self.started = self._onset(self.frame - len(self._history) + self._history.index(True))
        self._last_speech = self.frame
        self._history.clear()
        return Mark(Signal.START, self.started)

    def _onset(self, first: int) -> int:
        """The first frame of the sound that the first frame of speech belongs to."""
        known = list(self._probabilities)
        begin = self.frame - len(known)
        earliest = max(begin, self._ended, first - _frames(ONSET_MS))
        least = self.policy.speech_threshold * ONSET_RATIO
        while first > earliest and known[first - 1 - begin] >= least:
            first -= 1
        return first

    def _speaking(self, probability: float) -> Mark | None:
        silent = probability < self.policy.speech_threshold * SILENCE_RATIO
        stop = _frames(self.stop_history_ms)
        self._remember(silent, stop)
        if not silent:
            self._last_speech = self.frame
            if self._early:
                self._early = False
                return Mark(Signal.RESUME, self.frame)
        if self._is_silent(stop, self.asked.stop_threshold):
            return self._end(Signal.END, self._last_speech)
        if self._length_s() >= self.policy.max_utterance_s:
            return self._cut()
        eou = _frames(self.asked.stop_history_eou_ms or self.stop_history_ms * EOU_SHARE)
        if not self._early and self._is_silent(min(eou, stop), self.asked.stop_threshold_eou):
            self._early = True
            return Mark(Signal.EARLY_END, self._last_speech)
        return None

    @property
    def stop_history_ms(self) -> float:
        """Silence that ends the running utterance now, ms."""
        if self.asked.stop_history_ms is not None:
            return self.asked.stop_history_ms
        grown = (self._length_s() - SHRINK_FROM_S) / (SHRINK_TO_S - SHRINK_FROM_S)
        young, old = self.policy.stop_history_ms, self.policy.stop_history_min_ms
        return young + (min(young, old) - young) * min(1.0, max(0.0, grown))

    def force(self) -> Mark | None:
        """End the running utterance now, if there is one."""
        return None if self.started is None else self._end(Signal.END, self.frame)

    def _remember(self, value: bool, length: int) -> None:
        self._history.append(value)
        while len(self._history) > length:
            self._history.popleft()

    def _is_silent(self, frames: int, threshold: float | None) -> bool:
        if len(self._history) < frames:
            return False
        recent = list(self._history)[-frames:]
        return sum(recent) >= (STOP_THRESHOLD if threshold is None else threshold) * frames

    def _length_s(self) -> float:
        return (self.frame - (self.started or 0)) * FRAME_MS / 1000

    def _cut(self) -> Mark:
        recent = list(self._probabilities)[(self.started or 0) - self.frame :]
        quietest = min(range(len(recent)), key=lambda i: (recent[i], -i))
        at = self.frame - len(recent) + quietest + 1
        mark = self._end(Signal.CUT, at)
        self.started, self._last_speech = at, self.frame
        return mark

    def _end(self, signal: Signal, frame: int) -> Mark:
        self.started, self._ended = None, frame
        self._early = False
        self._history.clear()
        return Mark(signal, frame)
