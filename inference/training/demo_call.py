"""Makes the demo call: two legs, 8 kHz G.711 A-law, with its reference text.

python -m inference.training.demo_call --out bundles/demo-call --kokoro SITE_PACKAGES VOICES
python -m inference.training.demo_call --out tests/espeak_call

The first is spoken by two of Kokoro's voices, see kokoro.py; the second by espeak-ng, with moods.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.adaptation.augment import at_level, encode_alaw
from inference.adaptation.waveform import RATE_HZ, Audio, as_audio, resample

CALL_RATE_HZ = 8000
ESPEAK = {"agent": ("f2", 225, 62), "citizen": ("m4", 210, 38)}  # voice, words a minute, pitch
KOKORO = {"agent": ("zf_xiaoxiao", 1.1), "citizen": ("zm_yunjian", 1.0)}  # voice, speed


@dataclass(frozen=True, slots=True)
class ScriptTurn:
    """`pause_s` after the other leg fell silent; below zero the two overlap."""

    leg: str
    text: str
    pause_s: float = 0.7
    mood: tuple[str, str] = ("calm", "low")  # and its level


Speak = Callable[[ScriptTurn], Audio]  # 16 kHz

TURNS = (
    ScriptTurn("agent", "您好，大同市幺二三四五热线，请问您有什么需要反映？", 0.8),
    ScriptTurn("citizen", "你好，我住在平城区阳光花园三号楼二单元五零一。", 0.9),
    ScriptTurn(
        "citizen",
        "我家暖气从上周三开始就不热，屋里温度只有十三度。",
        0.6,
        ("disappointed", "medium"),
    ),
    ScriptTurn("agent", "请您不要着急，请问您怎么称呼？"),
    ScriptTurn(
        "citizen",
        "我姓王，找过物业好几次了，物业说让我找热力公司，老人孩子都受不了。",
        0.8,
        ("annoyed", "medium"),
    ),
    ScriptTurn("agent", "王先生，非常理解您的心情，请问您的联系电话是多少？", -0.5),
    ScriptTurn("citizen", "我的手机号是幺三九三五二六八零七四。", 0.9),
    ScriptTurn("agent", "跟您核对一下，您的电话是幺三九三五二六八零七四，对吗？", 0.6),
    ScriptTurn("citizen", "对的，希望你们赶紧派人来看看，太冷了。", 0.5, ("anxious", "medium")),
    ScriptTurn("agent", "好的，已经为您登记，转给热力公司加急处理，两小时之内会有人联系您。", 0.8),
    ScriptTurn("citizen", "行，那我等电话，辛苦你们了。", 0.6, ("happy", "low")),
    ScriptTurn("agent", "不客气，感谢您的来电，祝您生活愉快，再见。", 0.6),
)


def by_espeak(turn: ScriptTurn) -> Audio:
    from inference.training.emotion.voices import say
    from inference.training.voice import Voice, say_apart

    name, rate_wpm, pitch = ESPEAK[turn.leg]
    voice = Voice(name, rate_wpm=rate_wpm, pitch=pitch)
    return say(say_apart, turn.text, voice, *turn.mood, random.Random(turn.text))


def by_kokoro(wheels: Path, voices: Path) -> Speak:
    from inference.training.kokoro import Kokoro

    kokoro = Kokoro(wheels, voices)
    return lambda turn: kokoro.say(turn.text, *KOKORO[turn.leg])


def lay_out(speak: Speak) -> tuple[dict[str, Audio], list[dict[str, object]]]:
    """Both legs as 8 kHz audio of equal length, and the reference: leg, start_ms, end_ms, text."""
    placed: list[tuple[ScriptTurn, int, Audio]] = []
    at = 0
    for turn in TURNS:
        spoken = at_level(speak(turn), -9.0)
        narrow = resample(spoken, CALL_RATE_HZ / RATE_HZ)
        start = max(0, at + round(turn.pause_s * CALL_RATE_HZ))
        placed.append((turn, start, narrow))
        at = start + len(narrow)
    legs = {leg: np.zeros(at + CALL_RATE_HZ, np.float32) for leg in ("agent", "citizen")}
    for turn, start, narrow in placed:
        legs[turn.leg][start : start + len(narrow)] += narrow
    return legs, [_reference(turn, start, len(narrow)) for turn, start, narrow in placed]


def _reference(turn: ScriptTurn, start: int, samples: int) -> dict[str, object]:
    start_ms = start * 1000 // CALL_RATE_HZ
    end_ms = (start + samples) * 1000 // CALL_RATE_HZ
    return {"leg": turn.leg, "start_ms": start_ms, "end_ms": end_ms, "text": turn.text}


def wave_file(left: Audio, right: Audio) -> bytes:
    """A stereo 8 kHz A-law WAV (format tag 6)."""
    frames = np.frombuffer(encode_alaw(np.stack([left, right], axis=1).reshape(-1)), np.uint8)
    data = frames.tobytes()
    rate = CALL_RATE_HZ
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, 6, 2, rate, rate * 2, 2, 8, 0)
    fact = struct.pack("<4sII", b"fact", 4, len(left))
    body = b"WAVE" + form + fact + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def write(folder: Path, speak: Speak) -> None:
    """call.wav and call.json in `folder`; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(12345)
    legs, reference = lay_out(speak)
    hiss = {leg: as_audio(audio + noise.normal(0, 3e-4, len(audio))) for leg, audio in legs.items()}
    (folder / "call.wav").write_bytes(wave_file(hiss["agent"], hiss["citizen"]))
    text = json.dumps(reference, ensure_ascii=False, indent=1)
    (folder / "call.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kokoro", nargs=2, type=Path, metavar=("SITE_PACKAGES", "VOICES"))
    given = parser.parse_args()
    write(given.out, by_kokoro(*given.kokoro) if given.kokoro else by_espeak)
