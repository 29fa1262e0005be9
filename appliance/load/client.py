"""The bench's customers: many calls from one process, by the stock Riva messages.

`python -m appliance.load.client ADDRESS PLAN.json`. The plan is a list of `Plan` fields; the
audio is played in real time and one JSON line a call comes back, with what was heard and when.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CHUNK_S = 0.1
END_TIMEOUT_S = 30.0  # after the audio, for the last finals


@dataclass(frozen=True, slots=True)
class Plan:
    """One call: A-law samples of `audio` at 8 kHz, from byte `offset` on, round and round."""

    call: int
    audio: str  # file of interleaved A-law bytes
    legs: int
    offset: int
    start_at: float  # time.time() of the first chunk
    seconds: float  # of audio; 0: none, the stream stays idle
    partials: bool = True  # whether they are asked for
    hold_s: float = 0.0  # how long the stream stays open after the audio


@dataclass(slots=True)
class HeardCall:
    """What came back, in seconds since the call's first chunk."""

    call: int
    partials: list[tuple[int, float]] = field(default_factory=list)  # leg, came
    finals: list[tuple[int, float, float]] = field(default_factory=list)  # leg, came, end of words
    characters: int = 0
    late_s: float = 0.0  # how far this client fell behind real time at worst
    refused: bool = False
    error: str = ""


class SimulatedCaller:
    """Plays one plan."""

    def __init__(self, plan: Plan, audio: bytes) -> None:
        self._plan, self._audio = plan, audio
        self._begun = 0.0
        self.heard = HeardCall(plan.call)

    async def run(self, channel: Any) -> HeardCall:
        import grpc
        from riva.client.proto import riva_asr_pb2_grpc

        await asyncio.sleep(max(0.0, self._plan.start_at - time.time()))
        self._begun = time.monotonic()
        stub = riva_asr_pb2_grpc.RivaSpeechRecognitionStub(channel)
        limit_s = self._plan.seconds + self._plan.hold_s + END_TIMEOUT_S
        try:
            async for response in stub.StreamingRecognize(self._messages(), timeout=limit_s):
                self._take(response)
        except grpc.aio.AioRpcError as error:
            self.heard.refused = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            if not self.heard.refused:
                self.heard.error = f"{error.code().name}: {error.details()}"
        return self.heard

    async def _messages(self) -> AsyncIterator[Any]:
        from riva.client.proto import riva_asr_pb2

        yield riva_asr_pb2.StreamingRecognizeRequest(streaming_config=_config(self._plan))
        size = int(CHUNK_S * 8000) * self._plan.legs
        for number in range(round(self._plan.seconds / CHUNK_S)):
            due = self._begun + number * CHUNK_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.heard.late_s = max(self.heard.late_s, time.monotonic() - due)
            chunk = self._piece(self._plan.offset + number * size, size)
            yield riva_asr_pb2.StreamingRecognizeRequest(audio_content=chunk)
        await asyncio.sleep(self._plan.hold_s)

    def _piece(self, begin: int, size: int) -> bytes:
        begin %= len(self._audio)
        piece = self._audio[begin : begin + size]
        return piece + self._audio[: size - len(piece)]

    def _take(self, response: Any) -> None:
        now = round(time.monotonic() - self._begun, 4)
        for result in response.results:
            leg, best = result.channel_tag or 1, result.alternatives[0]
            if not result.is_final:
                self.heard.partials.append((leg, now))
            elif best.transcript.strip():
                end_s = best.words[-1].end_time / 1000 if best.words else now
                self.heard.finals.append((leg, now, end_s))
                self.heard.characters += len(best.transcript.strip())


def _config(plan: Plan) -> Any:
    from riva.client.proto import riva_asr_pb2, riva_audio_pb2

    return riva_asr_pb2.StreamingRecognitionConfig(
        config=riva_asr_pb2.RecognitionConfig(
            encoding=riva_audio_pb2.AudioEncoding.ALAW,
            sample_rate_hertz=8000,
            language_code="zh-CN",
            audio_channel_count=plan.legs,
            enable_separate_recognition_per_channel=plan.legs > 1,
            enable_word_time_offsets=True,
            enable_automatic_punctuation=True,
        ),
        interim_results=plan.partials,
    )


async def run(address: str, plans: list[Plan], audio: dict[str, bytes]) -> None:
    import grpc

    async with grpc.aio.insecure_channel(address) as channel:
        callers = [SimulatedCaller(plan, audio[plan.audio]) for plan in plans]
        for ended in asyncio.as_completed([caller.run(channel) for caller in callers]):
            print(json.dumps(asdict(await ended)), flush=True)


def main() -> int:
    address, path = sys.argv[1:]
    plans = [Plan(**plan) for plan in json.loads(Path(path).read_text(encoding="utf-8"))]
    audio = {plan.audio: Path(plan.audio).read_bytes() for plan in plans}
    try:
        asyncio.run(run(address, plans, audio))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
