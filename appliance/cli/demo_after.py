"""What the demo shows beside the transcript: moods while the call runs, the matrix after it, and
the same call in one channel, where speakers have to be told apart."""

from __future__ import annotations

import io
import json
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from appliance.audio.g711 import ALAW
from appliance.messages import Emotion, Level

EMOTIONS = {
    Emotion.CALM: ("平静", "white"),
    Emotion.HAPPY: ("高兴", "green"),
    Emotion.DISAPPOINTED: ("失望", "yellow"),
    Emotion.ANXIOUS: ("焦虑", "yellow"),
    Emotion.ANNOYED: ("生气", "red"),
    Emotion.FURIOUS: ("愤怒", "bold red"),
    Emotion.SAD: ("悲伤", "blue"),
}
LEVELS = {Level.LOW: "低", Level.MEDIUM: "中", Level.HIGH: "高"}
ROLES = {"agent": ("坐席", "cyan"), "citizen": ("市民", "green"), "unknown": ("不明", "dim")}
SOUNDS = {  # inference/emotion/prosody.py
    "pitch": "音高",
    "pitch_range": "音高起伏",
    "pitch_slope": "语调走向",
    "pitch_tremor": "音高颤动",
    "loudness_range": "响度起伏",
    "loudness_tremor": "响度颤动",
    "brightness": "音色明亮",
    "sharpness": "音色尖锐",
    "voice_clarity": "嗓音清浊",
    "voiced_share": "有声比例",
    "pace": "语速",
    "pause_share": "停顿",
    "crest": "峰值",
}
CALL_ID = "demo-call"
RATE_HZ = 8000
WAIT_S = 120.0  # for the recording
FIRST_LOOK_S, LAST_LOOK_S = 0.2, 30.0


def mood_text(mood: dict[str, Any] | None) -> Text:
    """e.g. 生气·高, in its colour."""
    if not mood:
        return Text("")
    if not mood["emotion"]:
        return Text("?", "dim")
    name, colour = EMOTIONS[Emotion(mood["emotion"])]
    return Text(f"{name}·{LEVELS[Level(mood['level'])]}", colour)


def follow_moods(url: str, told: Callable[[int, int, dict[str, Any]], None]) -> threading.Thread:
    """From a thread of its own, tell each mood: its leg, the start of its final, and what it is."""

    def follow() -> None:
        deadline = time.monotonic() + LAST_LOOK_S
        while time.monotonic() < deadline:
            try:
                address = f"{url}/api/v1/calls/{CALL_ID}/events?partials=false"
                with httpx.stream("GET", address, timeout=60) as answer:
                    if answer.status_code == 200:
                        _tell(answer.iter_lines(), told)
                        return
            except httpx.HTTPError:
                return
            time.sleep(FIRST_LOOK_S)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    return thread


def _tell(lines: Iterator[str], told: Callable[[int, int, dict[str, Any]], None]) -> None:
    starts: dict[str, int] = {}  # ms, by utterance
    for line in lines:
        if line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            if event["kind"] == "final":
                starts[event["utterance"]] = event["start_ms"]
            elif event["kind"] == "mood":
                told(event["leg"], starts[event["utterance"]], event)


def show_matrix(console: Console, url: str) -> None:
    """The emotion matrix of the call that has just ended."""
    call = httpx.get(f"{url}/api/v1/calls/{CALL_ID}", timeout=10).json()
    if not call.get("moods"):
        return
    moods = call["moods"]
    table = Table(title="市民情绪矩阵 the citizen's emotion matrix", title_justify="left")
    table.add_column("")
    for level in LEVELS.values():
        table.add_column(level, justify="right")
    for emotion, (name, colour) in EMOTIONS.items():
        cells = [c for c in moods["matrix"] if c["emotion"] == emotion.value]
        told = [f"{c['duration_ms'] / 1000:.0f} s" if c["utterances"] else "·" for c in cells]
        table.add_row(Text(f"{name} {emotion.value}", colour), *told)
    table.caption = f"未判定 unsure: {moods['unsure']}"
    console.print(table)
    for said in call["utterances"]:
        if said["mood"] and said["mood"]["cues"]:
            cues = "、".join(SOUNDS.get(cue["what"], cue["what"]) for cue in said["mood"]["cues"])
            console.print(Text("  ") + mood_text(said["mood"]) + Text(f"  依据 because of: {cues}"))


def show_speakers(console: Console, url: str, call: Path) -> None:
    """The same call mixed into one channel, as a recording."""
    title = "同一通话混成单声道 the same call in one channel: 谁在说 who speaks"
    with console.status(title):
        sent = httpx.post(
            f"{url}/api/v1/recordings",
            files={"file": ("mono.wav", mono(call))},
            data={"max_speakers": "2"},
            timeout=60,
        ).json()
        deadline = time.monotonic() + WAIT_S
        begun = time.monotonic()
        while _state(url, sent["id"]) in ("queued", "running") and time.monotonic() < deadline:
            time.sleep(FIRST_LOOK_S)
        seconds = time.monotonic() - begun
    heard = httpx.get(f"{url}{sent['call']}", timeout=10).json()
    table = Table(title=title, title_justify="left", show_header=False)
    for said in heard["utterances"]:
        name, colour = ROLES[said["role"]]
        speaker = chr(ord("A") + said["speaker"] - 1) if said["speaker"] else "?"
        table.add_row(Text(speaker, colour), Text(name, f"bold {colour}"), Text(said["text"]))
    table.caption = f"{heard['duration_ms'] / 1000:.0f} s 录音 of recording in {seconds:.1f} s"
    console.print(table)


def _state(url: str, recording: str) -> str:
    return str(httpx.get(f"{url}/api/v1/recordings/{recording}", timeout=10).json()["state"])


def mono(call: Path) -> bytes:
    """Both legs added up, as a 16-bit WAV."""
    data = call.read_bytes()
    legs = ALAW[np.frombuffer(data[data.index(b"data") + 8 :], np.uint8)].reshape(-1, 2)
    samples = np.clip(legs.sum(axis=1), -1, 1) * 32767
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return sink.getvalue()
