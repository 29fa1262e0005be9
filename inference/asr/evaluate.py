"""How well a bundle hears the fixed held-out sets: `python -m inference.asr.evaluate --bundle DIR`.

The sets are recipes in inference/training/heldout/, spoken anew by espeak-ng each time; scores are
those of inference/cer.py. Needs espeak-ng and pypinyin (the dev profile).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from inference.asr.whisper import WhisperModel
from inference.bundles import BundleInvalid
from inference.cer import digit_accuracy, invented_characters, score
from inference.tensors import Hypothesis, Window

NEEDS = "It needs espeak-ng (apt-get install espeak-ng) and the dev profile (make .venv/.dev)."
DEMO_NOTICE = "演示权重，不可用于真实通话 / demonstration weights, not for real calls"
BATCH = 8  # windows listened to together
LANGUAGE = "zh"
# key of the report -> held-out set
CER_SETS = {
    "cer_unseen_sentences": "unseen_sentences",
    "cer_unseen_voices": "unseen_voices",
    "cer_alaw": "alaw",
    "cer_free": "free",
}
GATES = {
    "cer_unseen_sentences": 0.10,
    "cer_unseen_voices": 0.10,
    "cer_alaw": 0.15,
    "cer_free": 0.50,
    "digit_accuracy": 0.95,
    "invented_characters": 0,
}


def hear(model: WhisperModel, name: str, beam: int) -> Iterator[tuple[str, str]]:
    """(reference, hypothesis) of every item of a held-out set."""
    from inference.training.heldout import load_set, render

    items = load_set(name)
    for at in range(0, len(items), BATCH):
        some = items[at : at + BATCH]
        windows = [Window(render(item), language=LANGUAGE, beam_size=beam) for item in some]
        for item, heard in zip(some, model.listen(windows), strict=True):
            if not isinstance(heard, Hypothesis):
                raise heard
            yield item.text, heard.text
        print(f"\r{name}: {at + len(some)} of {len(items)}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def evaluate(model: WhisperModel, beam: int, show: bool = False) -> dict[str, float]:
    """Every figure of the report; `show` prints what was misheard on stderr."""
    if model.card.demo:
        print(DEMO_NOTICE, file=sys.stderr)
    report: dict[str, float] = {}
    for key, name in CER_SETS.items():
        pairs = list(hear(model, name, beam))
        report[key] = round(score(pairs).rate, 4)
        if show:
            _print_errors(pairs)
    pairs = list(hear(model, "phones", beam))
    report["digit_accuracy"] = round(digit_accuracy(pairs), 4)
    if show:
        _print_errors(pairs)
    heard = [hypothesis for _, hypothesis in hear(model, "nonspeech", beam)]
    report["invented_characters"] = invented_characters(heard)
    return report


def _print_errors(pairs: Sequence[tuple[str, str]]) -> None:
    for reference, hypothesis in pairs:
        if score([(reference, hypothesis)]).edits:
            print(f"  {reference}\n  {hypothesis}\n", file=sys.stderr)


def met(key: str, value: float) -> bool:
    """Whether a figure is as good as the demo bundle is asked to be."""
    return value >= GATES[key] if key == "digit_accuracy" else value <= GATES[key]


def table(report: dict[str, float]) -> str:
    rows = (
        f"{key:24} {_shown(key, value):>8}   {'ok' if met(key, value) else 'misses'} "
        f"{_shown(key, GATES[key])}"
        for key, value in report.items()
    )
    return "\n".join(rows)


def _shown(key: str, value: float) -> str:
    return str(int(value)) if key == "invented_characters" else f"{value:.1%}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.asr.evaluate", description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    parser.add_argument("--show", action="store_true", help="print what was misheard on stderr")
    given = parser.parse_args()
    try:
        model = WhisperModel(given.bundle, threads=given.threads)
        report = evaluate(model, given.beam, given.show)
    except BundleInvalid as error:
        print(f"evaluate: {error} (set models.asr or --bundle to a bundle)", file=sys.stderr)
        return 3
    except (ValueError, OSError, ImportError) as error:
        print(f"evaluate: {error}\n{NEEDS}", file=sys.stderr)
        return 3
    if given.json:
        print(json.dumps(report))
    else:
        print(f"{model.card.name} {model.card.version}, beam {given.beam}")
        print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
