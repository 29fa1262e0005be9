"""Legs that come apart become one stream of frames, as the call room takes it."""

from __future__ import annotations

from appliance.errors import InvalidRequest

SAMPLE_BYTES = {"pcm_s16le": 2, "alaw": 1, "mulaw": 1}
SILENCE = {"pcm_s16le": b"\x00\x00", "alaw": b"\xd5", "mulaw": b"\xff"}
LONGEST_LEAD_S = 5.0  # of one leg over another; then the other is taken to be silent


class Interleaver:
    """Samples of each leg in, interleaved frames out.

    Args:
        encoding: of both legs, without headers.
        rate_hz: sample rate.
        legs: how many.
    """

    def __init__(self, encoding: str, rate_hz: int, legs: int) -> None:
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

    def feed(self, leg: int, data: bytes) -> bytes:
        """Take samples of `leg`, from 1; returns the frames that are complete now."""
        if not 1 <= leg <= len(self._legs):
            raise InvalidRequest(
                "read a leg's audio",
                f"there is no leg {leg} of {len(self._legs)}",
                param="audio.leg",
            )
        self._legs[leg - 1] += data
        longest = max(len(waiting) for waiting in self._legs)
        for waiting in self._legs:
            missing = longest - self._lead - len(waiting)
            if missing > 0:
                waiting += self._silence * (missing // self._width)
        return self._take(min(len(waiting) for waiting in self._legs))

    def rest(self) -> bytes:
        """What is left at the end; a leg that ended sooner is silent."""
        longest = max(len(waiting) for waiting in self._legs)
        for waiting in self._legs:
            waiting += self._silence * ((longest - len(waiting)) // self._width)
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
