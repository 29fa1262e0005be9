"""Clients that are slow, half open, or far too many; beside them a hotline system makes its calls.

Whatever they do, it notices nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from tests.callers import STREAM, Caller, alaw, listed
from tests.daemon import Daemon, daemon

pytestmark = pytest.mark.timeout(300)
SETTINGS = {
    "LINGTING_TRITON__MODE": "off",
    "LINGTING_LIMITS__IDLE_STREAMS": "1000",
}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0)[1:] + bytes([4, 0, 0, 0, 0, 0])
GROWN_MIB = 250  # of the gateway, at most


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, local: Path) -> Iterator[Daemon]:
    settings = {**SETTINGS, "LINGTING_LOCAL__FOLDER": str(local)}
    with daemon(tmp_path_factory.mktemp("box"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def key(box: Daemon, local: Path) -> str:
    """Of a hotline system of its own, beside those that call without any."""
    root = httpx.Client(
        transport=httpx.HTTPTransport(uds=str(local / "http.sock")), base_url="http://box"
    )
    with root:
        admins = root.post("/api/v1/admin/first", json={}).json()["credentials"]
        security = next(each["key"] for each in admins if "security_admin" in each["roles"])
        made = root.post(
            "/api/v1/admin/credentials",
            json={"name": "bystander", "roles": ["caller"], "tenant": "bystander"},
            headers={"Authorization": f"Bearer {security}"},
        )
    return str(made.json()["key"])


@pytest.fixture
def bystander(box: Daemon, key: str) -> Iterator[Caller]:
    """Calls in real time's double, from the beginning of a test to its end; none may fail."""
    address = f"127.0.0.1:{box.grpc_port}"
    caller = Caller(f"bystander-{time.time()}", address, seconds=6, speed=2, key=key)
    before = memory_mib(box)
    caller.start()
    yield caller
    caller.stop()
    caller.join(60)
    assert not caller.codes, caller.codes
    assert caller.whole and all(caller.told.get(name) for name in caller.whole)
    assert memory_mib(box) - before < GROWN_MIB


def memory_mib(box: Daemon) -> float:
    return float(psutil.Process(box.process.pid).memory_info().rss) / (1 << 20)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def closed(connection: socket.socket) -> bool:
    """Whether the box has hung up; reads what it still had to say."""
    with contextlib.suppress(OSError):
        connection.settimeout(0.05)
        while data := connection.recv(65536):
            del data
        return True
    return False


def test_heads_that_never_end_are_cut_off(
    box: Daemon, bystander: Caller, rng: random.Random, scale: int
) -> None:
    """Slowloris: a byte of a header now and then."""
    slow = [connect(box.http_port) for _ in range(150 * min(scale, 8))]
    for number, connection in enumerate(slow):
        if number % 2:  # after a request like any other
            connection.sendall(b"GET /v1/health/live HTTP/1.1\r\nhost: box\r\n\r\n")
            assert b"200 OK" in connection.recv(65536)
        connection.sendall(b"GET /v1/models HTTP/1.1\r\nhost: box\r\nx-slow: ")
    deadline = time.monotonic() + 40
    while slow:
        assert time.monotonic() < deadline, f"{len(slow)} are still open"
        assert httpx.get(f"{box.url}/v1/health/live", timeout=5).status_code == 200
        for connection in rng.sample(slow, len(slow) // 4):
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
        slow = [connection for connection in slow if not closed(connection)]
        time.sleep(1)


def test_half_open_connections_hold_nobody_up(box: Daemon, bystander: Caller, scale: int) -> None:
    """Nothing, half a handshake, a handshake and silence, a reset in the middle of a message."""
    held = []
    for number in range(100 * min(scale, 8)):
        for port in (box.grpc_port, box.http_port):
            connection = connect(port)
            held.append(connection)
            if number % 4 == 1:
                connection.sendall(PREFACE[:11])
            elif number % 4 == 2:
                connection.sendall(PREFACE)
            elif number % 4 == 3:
                connection.sendall(PREFACE + b"\x00\x01")
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()
    until_whole(bystander, 2)
    for connection in held:
        connection.close()


def until_whole(bystander: Caller, calls: int, within_s: float = 60) -> None:
    """Until so many more of its calls have ended as they should."""
    enough, deadline = len(bystander.whole) + calls, time.monotonic() + within_s
    while len(bystander.whole) < enough:
        assert time.monotonic() < deadline, bystander.codes
        time.sleep(0.1)


async def idle(channel: grpc.aio.Channel, stop: asyncio.Event) -> None:
    """A stream that says how it will speak, and then does not."""

    async def requests() -> AsyncIterator[pb.StreamCallRequest]:
        config = pb.CallConfig(encoding=pb.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000, channels=2)
        yield pb.StreamCallRequest(config=config)
        await stop.wait()

    stream = channel.stream_stream(
        STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
    )
    with contextlib.suppress(grpc.aio.AioRpcError):
        async for _ in stream(requests()):
            pass


def answered(box: Daemon) -> Counter[str]:
    """How the box has ended its streams, by status."""
    found = Counter[str]()
    for line in box.get("/metrics").splitlines():
        if line.startswith("lingting_requests_total{") and "StreamCall" in line:
            found[line.partition('status="')[2].partition('"')[0]] += int(float(line.split()[-1]))
    return found


def until_refused(box: Daemon, before: Counter[str], count: int, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while (answered(box) - before)["RESOURCE_EXHAUSTED"] < count and time.monotonic() < deadline:
        time.sleep(0.5)


def all_answered(box: Daemon, before: Counter[str], within_s: float = 30) -> Counter[str]:
    """What came since, but for the bystander's calls, once nothing more comes: an answer is
    counted after it was sent."""
    deadline, found = time.monotonic() + within_s, Counter[str]()
    while time.monotonic() < deadline:
        time.sleep(1)
        now = answered(box) - before
        now.pop("OK", None)
        if now and now == found:
            break
        found = now
    return found


@pytest.mark.parametrize("count", [900, 2500])
async def test_idle_streams_cost_little_and_too_many_are_refused(
    box: Daemon, bystander: Caller, count: int
) -> None:
    """Another hotline system keeps its place, however long the crowd knocks. What the box answered
    is asked of the box: grpc.aio has words of its own (INTERNAL, CANCELLED) for streams that were
    refused before it had sent their first message."""
    await asyncio.to_thread(until_whole, bystander, 1)  # the box knows that it is there
    stop, before = asyncio.Event(), await asyncio.to_thread(answered, box)
    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{box.grpc_port}", options) for _ in range(10)]
    streams = [asyncio.create_task(idle(channels[n % 10], stop)) for n in range(count)]
    await asyncio.sleep(4)
    await asyncio.to_thread(until_whole, bystander, 1)
    if count > 1000:  # until all have knocked, however busy this machine is
        await asyncio.to_thread(until_refused, box, before, 1001)
    stop.set()
    await asyncio.gather(*streams)
    for channel in channels:
        await channel.close()
    codes = await asyncio.to_thread(all_answered, box, before)
    assert set(codes) <= {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}, codes
    assert codes["INVALID_ARGUMENT"] >= 900, codes  # they ended without any audio
    assert (codes["RESOURCE_EXHAUSTED"] > 1000) is (count > 1000), codes


async def test_a_flood_of_audio_waits_in_its_own_socket(
    box: Daemon, bystander: Caller, scale: int
) -> None:
    """As fast as the line takes it, and nobody reads what comes back."""

    async def flood(number: int) -> None:
        async def requests() -> AsyncIterator[pb.StreamCallRequest]:
            config = pb.CallConfig(
                encoding=pb.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000, channels=2
            )
            yield pb.StreamCallRequest(config=config)
            for _ in range(200):
                yield pb.StreamCallRequest(audio=pb.Audio(content=alaw(number * 9.0, 30)))

        async with grpc.aio.insecure_channel(f"127.0.0.1:{box.grpc_port}") as channel:
            stream = channel.stream_stream(
                STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
            )
            call = stream(requests())
            await asyncio.sleep(10)
            call.cancel()

    await asyncio.gather(*(flood(number) for number in range(2 * min(scale, 4))))
    await asyncio.to_thread(until_whole, bystander, 1, 90)


async def test_streams_cut_off_leave_nothing_behind(
    box: Daemon, bystander: Caller, rng: random.Random, scale: int
) -> None:
    """Cancelled at a random moment; the box counts no live call afterwards but the bystander's."""

    async def one() -> None:
        async def requests() -> AsyncIterator[pb.StreamCallRequest]:
            config = pb.CallConfig(
                encoding=pb.AUDIO_ENCODING_ALAW, sample_rate_hertz=8000, channels=2
            )
            yield pb.StreamCallRequest(config=config)
            for at in range(20):
                yield pb.StreamCallRequest(audio=pb.Audio(content=alaw(at * 0.2, 0.2)))
                await asyncio.sleep(0.05)

        async with grpc.aio.insecure_channel(f"127.0.0.1:{box.grpc_port}") as channel:
            stream = channel.stream_stream(
                STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
            )
            call = stream(requests())
            await asyncio.sleep(rng.uniform(0, 1))
            call.cancel()

    await asyncio.gather(*(one() for _ in range(30 * min(scale, 8))))
    await asyncio.to_thread(until_whole, bystander, 1)
    bystander.stop()
    await asyncio.to_thread(bystander.join, 60)
    deadline = time.monotonic() + 20
    while await asyncio.to_thread(box.metric, "lingting_live_legs"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


def recordings(box: Daemon) -> set[object]:
    return {call["id"] for call in listed(box.url) if not call["live"]}


async def test_uploads_that_break_off_leave_nothing(
    box: Daemon, bystander: Caller, rng: random.Random, tmp_path: Path
) -> None:
    head = (
        b"POST /api/v1/recordings HTTP/1.1\r\nhost: box\r\ncontent-length: 400000\r\n"
        b"content-type: multipart/form-data; boundary=b\r\n\r\n"
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="c"\r\n\r\n'
    )
    before = await asyncio.to_thread(recordings, box)
    for _ in range(40):
        connection = connect(box.http_port)
        connection.sendall(head + alaw(0, 20)[: rng.randrange(300_000)])
        connection.close()
    await asyncio.to_thread(until_whole, bystander, 1)
    assert await asyncio.to_thread(recordings, box) == before
