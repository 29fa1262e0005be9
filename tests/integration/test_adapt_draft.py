"""`lingting adapt draft`: recorded calls in, a list that `lingting adapt` takes out."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import pytest

from appliance.audio.listed import read_rows
from appliance.settings.section import PROJECT

CALL = PROJECT / "bundles" / "demo-call" / "call.wav"
SECONDS = 16


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The beginning of the demo call, a person on each channel; A-law, so cut by the byte."""
    whole = CALL.read_bytes()
    head = whole.index(b"data") + 8
    path = tmp_path / 'a  "call".wav'  # as people name files
    path.write_bytes(whole[: head + SECONDS * 8000 * 2])
    return path


def draft(out: Path, *recordings: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance", "adapt", "draft", *map(str, recordings)]
    return subprocess.run([*command, "--out", str(out)], capture_output=True, text=True)


@pytest.mark.timeout(180)
def test_what_is_heard_is_written_down_to_be_put_right(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "drafted"
    done = draft(out, recording, tmp_path / "not-there.wav")
    assert done.returncode == 1 and "No such file" in done.stderr  # which costs the other nothing
    rows = read_rows(out / "list.tsv")
    assert len(rows) > 1, done.stderr
    assert {row["speaker"] for row in rows} == {'a-"call"-1', 'a-"call"-2'}
    for row in rows:
        assert 0 < float(row["confidence"]) <= 1 and row["text"]
        with wave.open(str(out / row["file"])) as clip:
            assert (clip.getnchannels(), clip.getframerate()) == (1, 16000)
            assert 0.5 < clip.getnframes() / 16000 < SECONDS

    again = draft(out, recording)
    assert again.returncode != 0 and "name a new folder" in again.stderr
    assert read_rows(out / "list.tsv") == rows
