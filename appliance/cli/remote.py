"""A running box asked over HTTP, with the standard library alone."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from appliance.errors import EngineUnavailable, InvalidRequest, LingtingError, Overloaded
from appliance.messages import AudioFormat, Final, SpokenWord, Transcript

PATH = "/v1/audio/transcriptions"
CONNECT_TIMEOUT_S = 10.0
CHUNK_BYTES = 256 << 10
TRIES_WHEN_FULL = 10
LONGEST_WAIT_S = 30.0
DOING = "ask the box"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the box for every file."""

    server: str  # http://host:port
    audio: AudioFormat
    language: str
    hotwords: tuple[str, ...]

    def fields(self) -> Iterator[tuple[str, str]]:
        yield "response_format", "verbose_json"
        yield "timestamp_granularities[]", "word"
        yield "timestamp_granularities[]", "segment"
        yield "encoding", self.audio.encoding.value
        yield "sample_rate_hertz", str(self.audio.rate_hz)
        yield "channels", str(self.audio.channels)
        if self.language:
            yield "language", self.language
        if self.hotwords:
            yield "hotwords", "\n".join(self.hotwords)


class Upload:
    """One file on its way to the box. Blocking; `ask` runs it aside."""

    def __init__(
        self, question: Request, file: BinaryIO, size: int, sent: Callable[[int], None]
    ) -> None:
        self._question, self._file, self._size, self._sent = question, file, size, sent
        self._boundary = uuid.uuid4().hex
        self._connection = connect(question.server)
        self._abandoned = threading.Event()

    def run(self) -> Transcript:
        """Raises EngineUnavailable, Overloaded or InvalidRequest."""
        for attempt in range(1, TRIES_WHEN_FULL + 1):
            try:
                return self._once()
            except Overloaded as error:
                if attempt == TRIES_WHEN_FULL or not self._file.seekable():
                    raise
                if self._abandoned.wait(min(LONGEST_WAIT_S, error.retry_after_s)):
                    raise
                self._file.seek(0)
        raise AssertionError("unreachable")

    def abandon(self) -> None:
        """Let go at once, whatever `run` waits for."""
        self._abandoned.set()
        if self._connection.sock is not None:
            with suppress(OSError):  # it may have closed by itself
                self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _once(self) -> Transcript:
        head, tail = self._frame()
        headers = {
            "content-type": f"multipart/form-data; boundary={self._boundary}",
            "content-length": str(len(head) + self._size + len(tail)),
            "connection": "close",
        }
        try:
            self._connection.connect()
            self._connection.sock.settimeout(None)  # a long recording takes its time
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # Refused before it was all sent? The answer says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._connection.request("POST", PATH, self._body(head, tail), headers)
            answer = self._connection.getresponse()
            return read_answer(answer.status, answer.headers.get("retry-after"), answer.read())
        except http.client.HTTPException as error:
            cause = f"{self._question.server} does not answer in HTTP"
            raise EngineUnavailable(DOING, cause, "name the HTTP port, not the gRPC one") from error
        except ssl.SSLCertVerificationError as error:
            cause = f"{self._question.server}: {error.verify_message}"
            hint = "name the authority's file: SSL_CERT_FILE=ca.pem lingting ..."
            raise EngineUnavailable(DOING, cause, hint) from error
        except OSError as error:
            cause = f"{self._question.server}: {error or type(error).__name__}"
            raise EngineUnavailable(DOING, cause, "is a box running there?") from error
        finally:
            self._connection.close()

    def _frame(self) -> tuple[bytes, bytes]:
        """What stands before and after the file. Its name stays here."""
        parts = [
            f"--{self._boundary}\r\ncontent-disposition: form-data; "
            f'name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self._question.fields()
        ]
        parts.append(
            f"--{self._boundary}\r\ncontent-disposition: form-data; "
            'name="file"; filename="recording"\r\n\r\n'
        )
        return "".join(parts).encode(), f"\r\n--{self._boundary}--\r\n".encode()

    def _body(self, head: bytes, tail: bytes) -> Iterator[bytes]:
        yield head
        sent = 0
        while sent < self._size and (data := self._file.read(CHUNK_BYTES)):
            yield data[: self._size - sent]
            sent += len(data)
            self._sent(sent)
        yield tail


async def ask(upload: Upload) -> Transcript:
    """Run the upload in a thread that nobody waits for when the reader has had enough."""
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

    threading.Thread(target=run, daemon=True).start()
    try:
        return await answer
    except asyncio.CancelledError:
        upload.abandon()
        raise


def connect(server: str) -> http.client.HTTPConnection:
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(DOING, f"{server} is no address", "use http://host:port")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=CONNECT_TIMEOUT_S)


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
