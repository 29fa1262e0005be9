"""`lingting transcribe` over a fake box, in this process and behind a real HTTP door."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from appliance.cli import transcribe as command
from appliance.errors import BundleError, Overloaded, SettingsError
from appliance.messages import AudioFormat, Encoding
from tests.integration.http_fakes import BAD, FakeHttpBox, Served

TEXT = "声道1：您好\n声道2：我要反映一个问题。\n"


def wave(seconds: float = 1.0) -> bytes:
    """8 kHz A-law."""
    data = b"\xd5" * int(8_000 * seconds)
    fmt = struct.pack("<HHIIHH", 6, 1, 8_000, 8_000, 1, 8)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + struct.pack("<I", len(fmt))
        + fmt
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> FakeHttpBox:
    box = FakeHttpBox()

    @asynccontextmanager
    async def local_box(settings: Any) -> AsyncIterator[FakeHttpBox]:
        yield box

    monkeypatch.setattr(command, "local_box", local_box)
    return box


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "call.wav"
    path.write_bytes(wave())
    return str(path)


def call(*args: object, stdin: bytes | None = None) -> Result:
    app = typer.Typer()
    app.command()(command.transcribe)
    return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)


def test_text_goes_to_stdout_and_the_notice_to_stderr(box: FakeHttpBox, file: str) -> None:
    result = call(file)
    assert (result.exit_code, result.stdout) == (0, TEXT)
    assert result.stderr.count("演示权重") == 1
    assert not box.configs[0].live


def test_options_reach_the_box(box: FakeHttpBox, file: str) -> None:
    assert call(file, "--language", "zh", "--hotword", "工单", "--hotword", "承办").exit_code == 0
    assert box.configs[0].hotwords == ("工单", "承办")
    assert box.configs[0].language == "zh"


RAW = AudioFormat(Encoding.ALAW, 8000, 2)
RAW_OPTIONS = ("--encoding", "alaw", "--sample-rate", 8000, "--channels", 2)


def test_raw_audio_is_described_by_options(box: FakeHttpBox, file: str) -> None:
    assert call(file, *RAW_OPTIONS).exit_code == 0
    assert box.configs[0].audio == RAW


def test_raw_audio_needs_its_rate(box: FakeHttpBox, file: str) -> None:
    result = call(file, "--encoding", "alaw")
    assert result.exit_code == 2 and "--sample-rate" in result.stderr


def test_raw_audio_is_described_to_a_running_box(served: Served, file: str) -> None:
    assert call(file, *RAW_OPTIONS, "--server", f"http://127.0.0.1:{served.port}").exit_code == 0
    assert served.box.configs[0].audio == RAW


def test_a_port_that_speaks_something_else_is_told_apart(file: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            talk, _ = listener.accept()
            with talk:
                talk.sendall(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00")
                talk.shutdown(socket.SHUT_WR)
                while talk.recv(1 << 16):
                    pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        result = call(file, "--server", f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert result.exit_code == 3
    assert "does not answer in HTTP" in result.stderr and "gRPC" in result.stderr


def test_json_of_several_files_is_one_object_a_line(box: FakeHttpBox, file: str) -> None:
    result = call("--format", "json", file, file)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["file"] for line in lines] == [file, file]
    assert lines[0]["demo"] is True
    assert lines[0]["utterances"][1]["leg"] == 1


@pytest.mark.parametrize("name", ["txt", "json", "srt", "vtt"])
def test_each_file_gets_its_own_output(box: FakeHttpBox, tmp_path: Path, name: str) -> None:
    for path in ("a/x.wav", "b/x.wav", "a/y.wav"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(wave())
    out = tmp_path / "out"
    inputs = [tmp_path / "a/x.wav", tmp_path / "b/x.wav", tmp_path / "a/y.wav"]
    result = call(*inputs, "--format", name, "--output-dir", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    made = sorted(path.name for path in out.iterdir())
    assert made == [f"x.wav-2.{name}", f"x.wav.{name}", f"y.{name}"]
    assert "您好" in (out / f"y.{name}").read_text()


def test_one_bad_file_does_not_stop_the_others(box: FakeHttpBox, tmp_path: Path, file: str) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(BAD)
    result = call(bad, tmp_path, tmp_path / "missing.wav", file)
    assert result.exit_code == 1
    assert result.stdout == f"== {file} ==\n{TEXT}\n"
    assert "these bytes are no audio" in result.stderr
    assert "it is a folder" in result.stderr
    assert "*.wav" in result.stderr
    assert "No such file" in result.stderr
    assert "1 of 4 files transcribed" in result.stderr


def test_an_output_that_cannot_be_written_is_named(
    box: FakeHttpBox, tmp_path: Path, file: str
) -> None:
    (tmp_path / "out" / "call.txt").mkdir(parents=True)
    result = call(file, "--output-dir", tmp_path / "out", "--force")
    assert result.exit_code == 1 and str(tmp_path / "out" / "call.txt") in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["call.txt"]


def test_nothing_is_written_over_unless_forced(box: FakeHttpBox, tmp_path: Path, file: str) -> None:
    old = tmp_path / "out" / "call.txt"
    old.parent.mkdir()
    old.write_text("somebody else's call")
    refused = call(file, "--output-dir", old.parent)
    assert refused.exit_code == 2 and "--force" in refused.stderr
    assert old.read_text() == "somebody else's call" and not box.configs
    forced = call(file, "--output-dir", old.parent, "--force")
    assert forced.exit_code == 0 and old.read_text() == TEXT
    assert f"{file} -> {old}" in forced.stderr


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_heard(
    box: FakeHttpBox, file: str
) -> None:
    result = call(file, "--output-dir", "/proc/nowhere")
    assert result.exit_code == 2 and "/proc/nowhere" in result.stderr and not box.configs


def test_standard_input(box: FakeHttpBox) -> None:
    result = call("-", stdin=wave())
    assert (result.exit_code, result.stdout) == (0, TEXT)
    assert box.received == len(wave())


@pytest.mark.parametrize(
    "args",
    [
        ("--format", "docx", "x.wav"),
        (),
        ("-", "-"),
        ("--format", "srt", "a.wav", "b.wav"),
        ("--server", "localhost:9000", "a.wav"),
        ("--language", "tlh", "a.wav"),
        ("--output-dir", __file__, "a.wav"),
    ],
)
def test_wrong_use(box: FakeHttpBox, args: tuple[str, ...]) -> None:
    result = call(*args)
    assert result.exit_code == 2
    assert result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [(BundleError("load", "model.bin is altered"), 3), (SettingsError("read", "wrong"), 2)],
)
def test_no_engine(monkeypatch: pytest.MonkeyPatch, file: str, error: Exception, code: int) -> None:
    @asynccontextmanager
    async def broken(settings: Any) -> AsyncIterator[None]:
        raise error
        yield

    monkeypatch.setattr(command, "local_box", broken)
    result = call(file)
    assert result.exit_code == code
    assert str(error) in result.stderr


def test_an_engine_that_never_proves_itself(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    @asynccontextmanager
    async def waiting(settings: Any) -> AsyncIterator[None]:
        await asyncio.sleep(60)
        yield

    monkeypatch.setattr(command, "local_box", waiting)
    monkeypatch.setenv("LINGTING_CPU__START_TIMEOUT_S", "0.2")
    result = call(file)
    assert result.exit_code == 3
    assert "0.2 s" in result.stderr


def test_the_real_cpu_engine(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path, file: str, tmp_path: Path
) -> None:
    """Random weights say nonsense, but they say it in the right shape."""
    monkeypatch.setenv("LINGTING_MODELS__ASR", str(tiny_bundle))
    monkeypatch.setenv("LINGTING_CPU__THREADS", "1")
    bad = tmp_path / "bad.wav"
    bad.write_bytes(BAD)
    result = call("-f", "json", bad, file)
    assert result.exit_code == 1, result.stderr
    assert "bad.wav: " in result.stderr
    assert json.loads(result.stdout)["duration"] == pytest.approx(1.0, abs=0.1)


def test_exit_codes_are_in_the_help() -> None:
    text = " ".join(call("--help").stdout.replace("│", " ").split())
    assert "0 all good, 1 some file failed, 2 wrong usage or settings, 3 no engine" in text


# Against a running box


def test_a_running_box_answers_the_same(box: FakeHttpBox, served: Served, file: str) -> None:
    address = f"http://127.0.0.1:{served.port}"
    here, there = call(file, "-f", "json"), call(file, "-f", "json", "--server", address)
    assert there.exit_code == 0
    mine, theirs = json.loads(here.stdout), json.loads(there.stdout)
    assert theirs == mine
    assert "演示权重" in there.stderr


def test_standard_input_to_a_running_box(served: Served) -> None:
    result = call("-", "--server", f"http://127.0.0.1:{served.port}", stdin=wave())
    assert (result.exit_code, result.stdout) == (0, TEXT)


def test_what_a_running_box_refuses(served: Served, tmp_path: Path, file: str) -> None:
    bad, large, empty = tmp_path / "bad.wav", tmp_path / "large.wav", tmp_path / "empty.wav"
    bad.write_bytes(BAD)
    with large.open("wb") as file_of_zeros:
        file_of_zeros.truncate(200 << 20)  # the box does not wait for all of it
    empty.write_bytes(b"")
    address = f"http://127.0.0.1:{served.port}"
    result = call(bad, large, empty, file, "--server", address)
    assert result.exit_code == 1
    assert "these bytes are no audio" in result.stderr
    assert "over 1 MiB" in result.stderr
    assert "it is empty" in result.stderr
    assert "1 of 4" in result.stderr


def test_a_full_box_is_asked_again(served: Served, file: str) -> None:
    served.box.error = Overloaded("open a call", "full", retry_after_s=0.2)
    clear = threading.Timer(0.5, lambda: setattr(served.box, "error", None))
    clear.start()
    result = call(file, "--server", f"http://127.0.0.1:{served.port}")
    clear.join()
    assert (result.exit_code, result.stdout) == (0, TEXT)


def test_no_box_there(served: Served, file: str) -> None:
    served.box.draining = True
    assert call(file, "--server", f"http://127.0.0.1:{served.port}").exit_code == 3
    result = call(file, "--server", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "is a box running there?" in result.stderr


@pytest.mark.parametrize("where", ["server", "here"])
def test_ctrl_c_ends_at_once(
    box: FakeHttpBox, served: Served, file: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.delay_s = served.box.delay_s = 60
    used = served.box if where == "server" else box
    args = ["--server", f"http://127.0.0.1:{served.port}"] if where == "server" else []

    def interrupt() -> None:
        deadline = time.monotonic() + 10
        while not used.running and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    result = call(file, *args)
    assert result.exit_code == 130
    assert time.monotonic() - begun < 5
    while used.running and time.monotonic() - begun < 10:
        time.sleep(0.01)
    assert used.cancelled == 1


def test_the_bar_shows_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80)
    with command.Display(screen, quiet=False).bar("[call].wav") as tell:
        tell(3.0, 10.0)
        tell(4.0, None)
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "[call].wav" in shown
    assert "4 s" in shown


def test_the_bar_knows_the_length_of_wave_files(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data, seconds in ((wave(2.5), 2.5), (b"fLaC", None), (b"", None), (wave()[:30], None)):
        path.write_bytes(data)
        with path.open("rb") as file:
            assert command.wave_seconds(file) == seconds
            assert file.tell() == 0
