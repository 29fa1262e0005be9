"""Legs that come apart become one stream of frames, as the call room takes it."""

from __future__ import annotations

import time
from collections.abc import Callable

from appliance.errors import InvalidRequest

SAMPLE_BYTES = {"pcm_s16le": 2, "alaw": 1, "mulaw": 1}
SILENCE = {"pcm_s16le": b"\x00\x00", "alaw": b"\xd5", "mulaw": b"\xff"}
LONGEST_LEAD_S = 5.0  # of one leg over another; then the other is taken to be silent
QUIET_S = 2.0  # without anything of a leg while others come: likewise, at once


class Interleaver:
    """Samples of each leg in, interleaved frames out.

    Args:
        encoding: of both legs, without headers.
        rate_hz: sample rate.
        legs: how many.
    """

    def __init__(
        self,
        encoding: str,
        rate_hz: int,
        legs: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if encoding not in SAMPLE_BYTES or not rate_hz or not legs:
            raise InvalidRequest(
                "read a leg's audio",
                "legs that come apart need encoding, sample_rate_hertz and channels",
                "say them in config, or send all channels together as leg 0",
                param="audio.leg",
            )
        self._width, self._silence = SAMPLE_BYTES[encoding], SILENCE[encoding]
        self._lead = int(LONGEST_LEAD_S * rate_hz) * self._width
        self._legs = [bytearray() for _ in range(legs)]
        self._clock = clock
        self._fed_at = [clock()] * legs  # s
        self._behind = [False] * legs  # silence was put in the place of what did not come

    def feed(self, leg: int, data: bytes) -> bytes:
        """Take samples of `leg`, from 1; returns the frames that are complete now."""
        if not 1 <= leg <= len(self._legs):
            raise InvalidRequest(
                "read a leg's audio",
                f"there is no leg {leg} of {len(self._legs)}",
                param="audio.leg",
            )
        now, mine = self._clock(), leg - 1
        if self._behind[mine]:  # what comes now is of now
            self._pad(mine, self._longest())
        self._legs[mine] += data
        self._behind[mine], self._fed_at[mine] = False, now
        longest = self._longest()
        for number in range(len(self._legs)):
            quiet = now - self._fed_at[number] > QUIET_S
            if self._pad(number, longest - (0 if quiet else self._lead)):
                self._behind[number] = True
        return self._take(min(len(waiting) for waiting in self._legs))

    def _longest(self) -> int:
        return max(len(waiting) for waiting in self._legs)

    def _pad(self, number: int, size: int) -> bool:
        """With silence up to `size` bytes; whether there was any need."""
        waiting = self._legs[number]
        missing = (size - len(waiting)) // self._width
        waiting += self._silence * max(0, missing)
        return missing > 0

    def rest(self) -> bytes:
        """What is left at the end; a leg that ended sooner is silent."""
        for waiting in self._legs:
            del waiting[len(waiting) - len(waiting) % self._width :]  # half a sample
        longest = self._longest()
        for number in range(len(self._legs)):
            self._pad(number, longest)
        return self._take(longest)

    def _take(self, size: int) -> bytes:
        size -= size % self._width
        frames = bytearray(size * len(self._legs))
        stride = self._width * len(self._legs)
        for number, waiting in enumerate(self._legs):
            for byte in range(self._width):
                frames[number * self._width + byte :: stride] = waiting[byte : size : self._width]
            del waiting[:size]
        return bytes(frames)
