"""Hotline systems of tests' own: they call, upload, try again, and note what the box answered for.

What they note is what the box must still know after any fault.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import httpx

from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from tests.daemon import DEMO_CALL

STREAM = "/lingting.hotline.v1.Hotline/StreamCall"
BYTES_PER_S = 16_000  # two legs of A-law
PIECE_S = 0.1
RAW = {"encoding": "alaw", "sample_rate_hertz": "8000", "channels": "2", "moods": "false"}
PAUSE_S = 0.05


def alaw(start_s: float, seconds: float) -> bytes:
    """A part of the demo call, which begins again after its end; without a header."""
    data = DEMO_CALL.read_bytes()
    body = data[data.index(b"data") + 8 :]
    first = int(start_s * BYTES_PER_S) % len(body) & ~1
    return (body + body)[first : first + int(seconds * BYTES_PER_S)]


@dataclass(frozen=True, slots=True)
class HeardFinal:
    """A final that reached a caller."""

    leg: int
    utterance: str
    text: str


class Caller(threading.Thread):
    """One live call after the other, until `stop`.

    Args:
        speed: of the audio, against real time.
        key: of the hotline system; none where the door is open.
    """

    def __init__(
        self, name: str, address: str, seconds: float = 12, speed: float = 4, key: str = ""
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._address, self._seconds, self._speed = address, seconds, speed
        self._metadata = (("authorization", f"Bearer {key}"),) if key else ()
        self._stopping = threading.Event()
        self.told: dict[str, list[HeardFinal]] = {}  # call_id -> finals
        self.whole: set[str] = set()  # calls that ended as they should
        self.codes: list[str] = []  # of streams that did not

    def run(self) -> None:
        for number in itertools.count():
            if self._stopping.is_set():
                return
            call_id = f"{self.name}-{number}"
            try:
                self.call(call_id, number * 7.0)
            except grpc.RpcError as error:
                self.codes.append(error.code().name)
                time.sleep(PAUSE_S)

    def call(self, call_id: str, start_s: float = 0) -> None:
        """One call, from its first byte to its hang-up."""
        with grpc.insecure_channel(self._address) as channel:
            stream = channel.stream_stream(
                STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
            )
            calling = stream(self._requests(call_id, start_s), timeout=120, metadata=self._metadata)
            for event in calling:
                if event.WhichOneof("event") == "final" and event.final.text:
                    final = event.final
                    heard = HeardFinal(final.leg, final.utterance, final.text)
                    self.told.setdefault(call_id, []).append(heard)
            self.whole.add(call_id)

    def _requests(self, call_id: str, start_s: float) -> Iterator[pb.StreamCallRequest]:
        yield pb.StreamCallRequest(
            config=pb.CallConfig(
                encoding=pb.AUDIO_ENCODING_ALAW,
                sample_rate_hertz=8000,
                channels=2,
                call_id=call_id,
                partials=True,
            )
        )
        data, step = alaw(start_s, self._seconds), int(PIECE_S * BYTES_PER_S)
        for at in range(0, len(data), step):
            yield pb.StreamCallRequest(audio=pb.Audio(content=data[at : at + step]))
            time.sleep(PIECE_S / self._speed)

    def stop(self) -> None:
        self._stopping.set()


@dataclass
class Uploader(threading.Thread):
    """Sends recordings, tries again what got no answer, and notes what was accepted.

    Args:
        count: how many; None: until `stop`.
    """

    url: str = ""
    count: int | None = None
    seconds: float = 3
    accepted: dict[int, str] = field(default_factory=dict)  # number -> id

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stopping = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        for number in itertools.count() if self.count is None else range(self.count):
            while number not in self.accepted:
                if self._stopping.is_set():
                    return
                with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
                    self.accepted[number] = self._send(number)
                if number not in self.accepted:
                    time.sleep(PAUSE_S)

    def _send(self, number: int) -> str:
        answer = httpx.post(
            f"{self.url}/api/v1/recordings",
            files={"file": ("call", alaw(number % 50, self.seconds))},
            data={**RAW, "call_id": f"n-{number}"},
            headers={"Idempotency-Key": f"key-{number}"},
            timeout=10,
        )
        if answer.status_code != 202:
            time.sleep(0.2)
        return str(answer.json()["id"])

    def stop(self) -> None:
        self._stopping.set()


def listed(url: str) -> Iterator[dict[str, object]]:
    """Every call of the box, newest first."""
    token = ""
    while True:
        page = httpx.get(f"{url}/api/v1/calls?page_size=500&page_token={token}", timeout=30).json()
        yield from page["calls"]
        if not (token := page["next_page_token"]):
            return
