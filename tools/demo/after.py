"""What the demo shows beside the transcript: moods while the call runs, the matrix after it, and
the same call in one channel, where speakers have to be told apart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from appliance.console.words import EMOTIONS, LEVELS
from appliance.messages import Emotion, Level
from tools.recorded import as_wav, heard, read_alaw

COLOURS = {
    Emotion.CALM: "white",
    Emotion.HAPPY: "green",
    Emotion.DISAPPOINTED: "yellow",
    Emotion.ANXIOUS: "yellow",
    Emotion.ANNOYED: "red",
    Emotion.FURIOUS: "bold red",
    Emotion.SAD: "blue",
}
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
FIRST_LOOK_S, LAST_LOOK_S = 0.2, 30.0


def mood_text(mood: dict[str, Any] | None) -> Text:
    """e.g. 生气·高, in its colour; calm has no levels."""
    if not mood:
        return Text("")
    if not mood["emotion"]:
        return Text("?", "dim")
    emotion = Emotion(mood["emotion"])
    level = "" if emotion is Emotion.CALM else f"·{LEVELS[Level(mood['level'])][0]}"
    return Text(EMOTIONS[emotion][0] + level, COLOURS[emotion])


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
    console.print("\n市民情绪矩阵 the citizen's emotion matrix", style="italic")
    table = Table()
    table.add_column("")
    for level, _ in LEVELS.values():
        table.add_column(level, justify="right")
    for emotion, (name, _) in EMOTIONS.items():
        colour = COLOURS[emotion]
        cells = [c for c in moods["matrix"] if c["emotion"] == emotion.value]
        told = [f"{c['duration_ms'] / 1000:.0f} s" if c["utterances"] else "·" for c in cells]
        table.add_row(Text(f"{name} {emotion.value}", colour), *told)
    table.caption = f"未判定 unsure: {moods['unsure']}"
    console.print(table)
    why = Table(box=SIMPLE_HEAD, header_style="dim")
    why.add_column("")
    why.add_column("说的话 said", no_wrap=True, max_width=30)
    why.add_column("依据 because of")
    for said in call["utterances"]:
        if said["mood"] and said["mood"]["cues"]:
            cues = "、".join(SOUNDS.get(cue["what"], cue["what"]) for cue in said["mood"]["cues"])
            why.add_row(mood_text(said["mood"]), said["text"], cues)
    console.print(why)


def show_speakers(console: Console, url: str, call: Path) -> None:
    """The same call mixed into one channel, as a recording."""
    title = "同一通话混成单声道 the same call in one channel: 谁在说 who speaks"
    mixed = as_wav(read_alaw(call).sum(axis=1, keepdims=True))
    with console.status(title):
        heard_call, seconds = heard(url, mixed, max_speakers="2")
    console.print(f"\n{title}", style="italic")
    table = Table(show_header=False)
    for said in heard_call["utterances"]:
        name, colour = ROLES[said["role"]]
        speaker = chr(ord("A") + said["speaker"] - 1) if said["speaker"] else "?"
        table.add_row(Text(speaker, colour), Text(name, f"bold {colour}"), Text(said["text"]))
    table.caption = f"{heard_call['duration_ms'] / 1000:.0f} s 录音 of recording in {seconds:.1f} s"
    console.print(table)
