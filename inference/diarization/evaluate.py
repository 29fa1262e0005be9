"""How well a bundle tells speakers apart: `python -m inference.diarization.evaluate --bundle DIR`.

Diarization error rates (collar 0, overlap counted) on the fixed dialogues, beside what calling
everything one speaker would give.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from inference.diarization.onnx_pipeline import OnnxDiarizer
from inference.diarization.turns import Turn
from inference.tensors import SAMPLE_RATE_HZ, Audio
from inference.training.diarization.dialogue import STEP_S, Dialogue
from inference.training.diarization.heldout import load, render

SPEAKERS = 2  # of every dialogue
Diarize = Callable[[Audio], list[Turn]]


def reference(dialogue: Dialogue) -> Annotation:
    """The truth as pyannote.metrics takes it."""
    said = Annotation()
    for speaker, active in enumerate(dialogue.active):
        edges = np.flatnonzero(np.diff(np.pad(active.astype(np.int8), 1))).reshape(-1, 2)
        for first, after in edges:
            said[Segment(first * STEP_S, after * STEP_S), f"{speaker}-{first}"] = f"R{speaker}"
    return said


def hypothesis(turns: list[Turn]) -> Annotation:
    found = Annotation()
    for i, turn in enumerate(turns):
        found[Segment(turn.start_s, turn.end_s), i] = f"S{turn.speaker}"
    return found


def one_speaker(dialogue: Dialogue) -> list[Turn]:
    """The baseline: speech is known to the frame, and all of it is one person's."""
    edges = np.flatnonzero(np.diff(np.pad(dialogue.active.any(axis=0).astype(np.int8), 1)))
    return [Turn(a * STEP_S, b * STEP_S, 0) for a, b in edges.reshape(-1, 2)]


class Score:
    """DER over all dialogues, and by kind."""

    def __init__(self) -> None:
        self._all = DiarizationErrorRate(collar=0.0, skip_overlap=False)
        self._kinds: dict[str, DiarizationErrorRate] = {}

    def add(self, kind: str, dialogue: Dialogue, turns: list[Turn]) -> None:
        length_s = len(dialogue.audio) / SAMPLE_RATE_HZ
        uem = Timeline([Segment(0, length_s)])
        for metric in (self._all, self._kinds.setdefault(kind, DiarizationErrorRate())):
            metric(reference(dialogue), hypothesis(turns), uem=uem)

    @property
    def rate(self) -> float:
        return float(abs(self._all))

    def by_kind(self) -> dict[str, float]:
        return {kind: float(abs(metric)) for kind, metric in self._kinds.items()}


def evaluate(diarizer: OnnxDiarizer, show: bool = False) -> dict[str, float]:
    """Every figure of the report."""
    given, auto, baseline = Score(), Score(), Score()
    spent_s = heard_s = 0.0
    for recipe in load():
        dialogue = render(recipe)
        begun = time.monotonic()
        given.add(
            recipe.kind, dialogue, diarizer.diarize(dialogue.audio, least=SPEAKERS, most=SPEAKERS)
        )
        spent_s += time.monotonic() - begun
        heard_s += len(dialogue.audio) / SAMPLE_RATE_HZ
        auto.add(recipe.kind, dialogue, diarizer.diarize(dialogue.audio))
        baseline.add(recipe.kind, dialogue, one_speaker(dialogue))
        if show:
            print(recipe.id, given.by_kind(), auto.rate, file=sys.stderr)
    return {
        "der_cpu_given": round(given.rate, 4),
        "der_cpu_auto": round(auto.rate, 4),
        "der_one_speaker": round(baseline.rate, 4),
        **{f"der_cpu_given_{kind}": round(rate, 4) for kind, rate in given.by_kind().items()},
        "rtf_cpu": round(spent_s / heard_s, 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    print(json.dumps(evaluate(OnnxDiarizer(given.bundle), given.show)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
