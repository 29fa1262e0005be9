"""The model card of the demo bundle, written from measured figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from inference.training.network import NetworkShape
from inference.training.voice import HELD_OUT_VOICES, TRAINING_VOICES

_GATE = {
    "cer_unseen_sentences": "<= 10 %",
    "cer_unseen_voices": "<= 10 %",
    "cer_alaw": "<= 15 %",
    "cer_free": "<= 50 % (goal)",
    "digit_accuracy": ">= 95 %",
    "invented_characters": "0",
    "cer_heads": "半句前段 / windows cut off in mid-speech",
    "cer_tails": "半句后段 / windows that begin in mid-speech",
    "word_time_ms_p50": "听对的句子里字时间误差中位 / error of character times in sentences "
    "heard right, median",
    "word_time_ms_p90": "同上 90 分位 / the same, 90th percentile",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one training: hours, utterances heard, figures, (utterances, CER) points."""

    hours: float
    utterances: int
    figures: dict[str, float]
    curve: list[tuple[int, dict[str, float]]] = field(default_factory=list)


def write(shape: NetworkShape, facts: Facts | None) -> str:
    """The card as Markdown, Chinese and English: `card.md` filled in."""
    template = Template(Path(__file__).with_name("card.md").read_text(encoding="utf-8"))
    layers = f"{shape.encoder_layers} + {shape.decoder_layers} layers"
    done = f"{facts.utterances:,} windows in {facts.hours:.1f} h" if facts else "none"
    return template.substitute(
        measured=_measured(facts),
        shape=f"width {shape.width}, {layers}, {shape.heads} heads",
        voices=len(TRAINING_VOICES),
        held_out=len(HELD_OUT_VOICES),
        done=done,
    )


def _number(name: str, value: float) -> str:
    if name.startswith("word_time"):
        return f"{value:.0f} ms"
    return f"{value:.0f}" if name == "invented_characters" else f"{100 * value:.1f} %"


def _measured(facts: Facts | None) -> str:
    if facts is None:
        return "## 实测 / Measured\n\n**未训练 / untrained**: 只用于联调 / for wiring only."
    rows = [
        f"| `{name}` | {_number(name, facts.figures[name])} | {gate} |"
        for name, gate in _GATE.items()
        if name in facts.figures
    ]
    lines = [
        "## 实测 / Measured",
        "与线上同一段代码：CTranslate2 int8、束宽 1、短窗 / by the code that serves: CTranslate2 "
        "int8, beam 1, trimmed windows; `lingting eval asr`; sets: `inference/training/heldout/`.",
        "\n".join(
            ["| 指标 / figure | 值 / value | 门槛或说明 / gate or note |", "|---|---|---|", *rows]
        ),
    ]
    if facts.curve:
        lines += ["学习曲线 / learning curve (CER):", _curve(facts.curve)]
    return "\n\n".join(lines)


def _curve(curve: list[tuple[int, dict[str, float]]]) -> str:
    names = ("cer_unseen_sentences", "cer_unseen_voices", "cer_alaw", "cer_free", "digit_accuracy")
    head = ["| utterances | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    rows = [
        f"| {utterances:,} | " + " | ".join(_number(n, figures[n]) for n in names) + " |"
        for utterances, figures in curve
    ]
    return "\n".join(head + rows)
