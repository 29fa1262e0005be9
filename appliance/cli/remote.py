"""A running box asked over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import httpx

from appliance.errors import EngineUnavailable, InvalidRequest, LingtingError, Overloaded
from appliance.messages import AudioFormat, Final, SpokenWord, Transcript

PATH = "/v1/audio/transcriptions"
TIMEOUT = httpx.Timeout(None, connect=10.0)  # a long recording takes its time
TRIES_WHEN_FULL = 10
LONGEST_WAIT_S = 30.0
DOING = "ask the box"
KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the box for every file. Raises InvalidRequest if `server` is no address."""

    server: str  # http://host:port
    audio: AudioFormat
    language: str
    hotwords: tuple[str, ...]

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.server)
        except (httpx.InvalidURL, ValueError):
            url = httpx.URL()
        if url.scheme not in ("http", "https") or not url.host or url.path != "/":
            raise InvalidRequest(DOING, f"{self.server} is no address", "use http://host:port")

    def fields(self) -> dict[str, str | list[str]]:
        found: dict[str, str | list[str]] = {
            "response_format": "verbose_json",
            "timestamp_granularities[]": ["word", "segment"],
            "encoding": self.audio.encoding.value,
            "sample_rate_hertz": str(self.audio.rate_hz),
            "channels": str(self.audio.channels),
        }
        if self.language:
            found["language"] = self.language
        if self.hotwords:
            found["hotwords"] = "\n".join(self.hotwords)
        return found


class SentFile:
    """As much of a file as there was at first, though it may grow; tells how far it was read."""

    def __init__(self, file: BinaryIO, sent: Callable[[int], None]) -> None:
        self._file, self._sent = file, sent
        self.size = file.seek(0, os.SEEK_END)

    def read(self, size: int = -1) -> bytes:
        left = self.size - self._file.tell()
        data = self._file.read(left if size < 0 else min(size, left))
        self._sent(self._file.tell())
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            offset, whence = self.size + offset, os.SEEK_SET
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class Upload:
    """One file on its way to the box. Blocking, for a box that refuses answers before it has all,
    and asyncio loses what comes after a failed write; `ask` runs it aside."""

    def __init__(self, question: Request, file: SentFile) -> None:
        self._question, self._file = question, file
        self._abandoned = threading.Event()
        self._socket: socket.socket | None = None

    def run(self) -> Transcript:
        for _ in range(TRIES_WHEN_FULL - 1):
            try:
                return self._once()
            except Overloaded as error:
                if self._abandoned.wait(min(LONGEST_WAIT_S, error.retry_after_s)):
                    raise
        return self._once()

    def abandon(self) -> None:
        """Let go at once, whatever `run` waits for."""
        self._abandoned.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it may have closed by itself
                self._socket.shutdown(socket.SHUT_RDWR)

    def _once(self) -> Transcript:
        server = self._question.server
        # Nothing of it goes by a proxy; whom to believe is the system's to say.
        context = ssl.create_default_context()
        file = ("recording", cast(BinaryIO, self._file))  # its name stays here
        transport = httpx.HTTPTransport(verify=context, socket_options=[KEEPALIVE])
        try:
            with httpx.Client(transport=transport, timeout=TIMEOUT) as client:
                answer = client.post(
                    f"{server.rstrip('/')}{PATH}",
                    data=self._question.fields(),
                    files={"file": file},
                    extensions={"trace": self._remember},
                )
        except httpx.RemoteProtocolError as error:
            cause = f"{server} does not answer in HTTP"
            hint = "name the HTTP port, not the gRPC one"
            raise EngineUnavailable(DOING, cause, hint) from error
        except httpx.HTTPError as error:
            hint = "is a box running there?"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                hint = "name the authority's file: SSL_CERT_FILE=ca.pem lingting ..."
            cause = f"{server}: {str(error) or type(error).__name__}"
            raise EngineUnavailable(DOING, cause, hint) from error
        return read_answer(answer.status_code, answer.headers.get("retry-after"), answer.content)

    def _remember(self, event: str, about: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = about["return_value"].get_extra_info("socket")


async def ask(question: Request, file: BinaryIO, sent: Callable[[int], None]) -> Transcript:
    """What a box hears in a file.

    Args:
        file: can be sought in.
        sent: told how many bytes have gone, by another thread.

    Raises:
        EngineUnavailable, Overloaded, InvalidRequest.
    """
    upload = Upload(question, SentFile(file, sent))
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Transcript] = loop.create_future()

    def settle(result: Transcript | Exception) -> None:
        if answer.done():
            return
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def run() -> None:
        result: Transcript | Exception
        try:
            result = upload.run()
        except Exception as error:
            result = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result)

    # Nobody waits for it when the reader has had enough.
    threading.Thread(target=run, daemon=True).start()
    try:
        return await answer
    except asyncio.CancelledError:
        upload.abandon()
        raise


def read_answer(status: int, retry_after: str | None, body: bytes) -> Transcript:
    try:
        answer = json.loads(body)
        if status == 200:
            return as_transcript(answer)
        message = str(answer["error"]["message"])
    except (ValueError, KeyError, TypeError) as error:
        cause = f"its answer (status {status}) is not that of a speech box"
        raise EngineUnavailable(DOING, cause, "check the address") from error
    raise _refusal(status, retry_after, message)


def _refusal(status: int, retry_after: str | None, message: str) -> LingtingError:
    if status == 429:
        wait_s = float(retry_after) if retry_after and retry_after.isdecimal() else 1.0
        return Overloaded(DOING, message, retry_after_s=wait_s)
    if status >= 500:
        return EngineUnavailable(DOING, message)
    return InvalidRequest(DOING, message)


def as_transcript(body: dict[str, Any]) -> Transcript:
    """verbose_json back into a Transcript; fields that are ours may be missing."""
    extras = body.get("lingting", {})
    model, demo = str(extras.get("model", "")), bool(extras.get("demo", False))
    language = str(extras.get("language", body["language"]))
    words = body.get("words") or []
    finals = tuple(
        Final(
            leg=int(segment.get("leg", 0)),
            utterance=int(segment["id"]),
            text=segment["text"],
            words=tuple(_word(word) for word in words if _belongs(word, segment)),
            start_ms=_ms(segment["start"]),
            end_ms=_ms(segment["end"]),
            confidence=float(segment.get("confidence", 0.0)),
            no_speech=float(segment.get("no_speech_prob", 0.0)),
            temperature=float(segment.get("temperature", 0.0)),
            language=language,
            engine=str(segment.get("engine", "")),
            model=model,
            demo=demo,
        )
        for segment in body.get("segments") or []
    )
    legs = int(extras.get("legs", 1))
    cut_short = bool(extras.get("cut_short", False))
    return Transcript(finals, _ms(body["duration"]), legs, language, model, demo, cut_short)


def _belongs(word: dict[str, Any], segment: dict[str, Any]) -> bool:
    """Utterances of one leg follow each other, so the start decides."""
    if word.get("leg", 0) != segment.get("leg", 0):
        return False
    return float(segment["start"]) <= float(word["start"]) < float(segment["end"])


def _word(word: dict[str, Any]) -> SpokenWord:
    confidence = float(word.get("confidence", 0.0))
    return SpokenWord(word["word"], _ms(word["start"]), _ms(word["end"]), confidence)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
