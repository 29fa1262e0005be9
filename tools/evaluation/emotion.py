"""`lingting eval emotion`: how well moods are told, by the code that serves calls.

Works on any list of labelled utterances: labels.csv or list.tsv with file, speaker, text, emotion
and, where somebody has told it, level; recordings in any format the box takes.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from appliance.audio.listed import decode
from appliance.call.emotion import EmotionTracker
from appliance.call.lexicon import load_lexicon
from appliance.call.track import Excerpt
from appliance.engine.protocol import SpeechEngine
from appliance.errors import LingtingError, SettingsError
from appliance.messages import (
    NEGATIVE,
    CallConfig,
    Emotion,
    EmotionEstimate,
    Final,
    Lasting,
    LegRole,
    Level,
)
from appliance.settings import Settings
from inference.calibration import auc, calibration_error
from inference.tensors import SAMPLE_RATE_HZ, Audio, Priority, Window
from tools.evaluation.data import Progress

LABELS = {"labels.csv": ",", "list.tsv": "\t"}  # and what stands between columns
COLUMNS = {"file", "speaker", "text", "emotion"}
READING = "read labelled utterances"
EMOTIONS, LEVELS = list(Emotion), list(Level)
MOST_SAMPLES = 30 * SAMPLE_RATE_HZ  # of a recogniser's window
HARMLESS = (Emotion.CALM, Emotion.HAPPY)
AROUSED = (Emotion.ANNOYED, Emotion.FURIOUS, Emotion.ANXIOUS)


@dataclass(frozen=True, slots=True)
class LabelledMood:
    """One utterance and what is true of it."""

    speaker: str
    text: str
    emotion: Emotion
    level: Level | None
    audio: Audio = field(repr=False)


async def load_labelled(folder: Path) -> list[LabelledMood]:
    """The utterances of a folder's list, in its order; raises SettingsError naming the line."""
    hint = "columns: file, speaker, text, emotion and, if known, level; one utterance a line"
    path = next((folder / name for name in LABELS if (folder / name).is_file()), None)
    if path is None:
        cause = f"{folder} has neither {' nor '.join(LABELS)}"
        raise SettingsError(READING, cause, hint)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, delimiter=LABELS[path.name])
            if missing := COLUMNS - set(table.fieldnames or ()):
                raise ValueError(f"columns are missing: {', '.join(sorted(missing))}")
            rows = list(enumerate(table, 2))
        return [await _labelled(folder, row, line) for line, row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise SettingsError(READING, f"{path}: {error}", hint) from error


async def _labelled(folder: Path, row: dict[str, str], line: int) -> LabelledMood:
    try:
        emotion, level = Emotion(row["emotion"]), row.get("level") or ""
        audio = await decode(folder / row["file"])
        return LabelledMood(
            row["speaker"], row["text"], emotion, Level(level) if level else None, audio
        )
    except (ValueError, LingtingError) as error:
        raise ValueError(f"line {line}: {error}") from error


@dataclass(slots=True)
class EmotionReport:
    """Truth beside what was told."""

    truth: list[LabelledMood]
    told: list[EmotionEstimate]

    def flat(self) -> dict[str, float]:
        """The figures of the JSON."""
        recalls = [recall for recall, _ in self.by_emotion().values() if not np.isnan(recall)]
        right = [truth.emotion is mood.emotion for truth, mood in self._pairs()]
        scores = [f1 for _, f1 in self.by_emotion().values() if not np.isnan(f1)]
        return {
            "ua": round(float(np.mean(recalls)), 4),
            "macro_f1": round(float(np.mean(scores)), 4),
            "intensity_qwk": round(self._intensity_qwk(), 4),
            "ece": round(self._ece(), 4),
            "false_alarm_rate": round(self._false_alarm_rate(), 4),
            "abstain_rate": round(sum(m.emotion is None for m in self.told) / len(self.told), 4),
            "told_right": round(sum(right) / max(1, len(right)), 4),
            "auc_aroused": round(self._auc_aroused(), 4),
        }

    def _pairs(self) -> list[tuple[LabelledMood, EmotionEstimate]]:
        """What was told; the unsure are counted apart."""
        return [(t, m) for t, m in zip(self.truth, self.told, strict=True) if m.emotion]

    def by_emotion(self) -> dict[Emotion, tuple[float, float]]:
        """Recall and F1 of each emotion, among what was told; NaN without any."""
        found = {}
        for emotion in EMOTIONS:
            right = sum(t.emotion is m.emotion is emotion for t, m in self._pairs())
            true = sum(t.emotion is emotion for t, _ in self._pairs())
            said = sum(m.emotion is emotion for _, m in self._pairs())
            f1 = 2 * right / (true + said) if true else float("nan")
            found[emotion] = (right / true if true else float("nan"), f1)
        return found

    def confusion(self) -> dict[Emotion, dict[Emotion | None, int]]:
        """Truth -> told -> how often."""
        counts = {true: dict.fromkeys([*EMOTIONS, None], 0) for true in EMOTIONS}
        for truth, mood in zip(self.truth, self.told, strict=True):
            counts[truth.emotion][mood.emotion] += 1
        return counts

    def _intensity_qwk(self) -> float:
        """Quadratic weighted kappa of the levels, where the emotion was right and is not calm."""
        levels = [
            (LEVELS.index(t.level), LEVELS.index(m.level))
            for t, m in self._pairs()
            if t.level and m.level and t.emotion is m.emotion is not Emotion.CALM
        ]
        return quadratic_kappa(levels, len(LEVELS))

    def _ece(self) -> float:
        """Expected calibration error of the likeliest emotion, told or not."""
        sure = np.array([max(mood.probabilities.values()) for mood in self.told])
        best = [max(m.probabilities, key=lambda e: m.probabilities[e]) for m in self.told]
        right = np.array([t.emotion is b for t, b in zip(self.truth, best, strict=True)])
        return calibration_error(sure, right)

    def _auc_aroused(self) -> float:
        """How well annoyed, furious and anxious are told from the rest, told or not: the chance
        that one of them has more of their probability than one of the others; 0.5 without any."""
        sums = np.array([sum(mood.probabilities[e] for e in AROUSED) for mood in self.told])
        return auc(sums, np.array([each.emotion in AROUSED for each in self.truth]))

    def _false_alarm_rate(self) -> float:
        """Of calm and happy utterances, those told as negative at medium or high."""
        harmless = [m for t, m in zip(self.truth, self.told, strict=True) if t.emotion in HARMLESS]
        alarms = [m for m in harmless if m.emotion in NEGATIVE and m.level is not Level.LOW]
        return len(alarms) / max(1, len(harmless))


def quadratic_kappa(pairs: Sequence[tuple[int, int]], levels: int) -> float:
    """Agreement of (truth, told) beyond chance, far misses weighing more; 0 without pairs."""
    if not pairs:
        return 0.0
    counts = np.zeros((levels, levels))
    for true, told in pairs:
        counts[true, told] += 1
    index = np.arange(levels)
    weights = (index[:, None] - index[None, :]) ** 2 / (levels - 1) ** 2
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    expected = float((weights * chance).sum())
    return 1.0 - float((weights * counts).sum()) / expected if expected else 0.0


async def as_heard(
    engine: SpeechEngine, labelled: Sequence[LabelledMood], progress: Progress
) -> list[LabelledMood]:
    """With the texts that the recogniser hears, not those given."""
    found = []
    for number, each in enumerate(labelled, 1):
        progress(f"heard {number} of {len(labelled)}")
        window = Window(each.audio[:MOST_SAMPLES], language="zh", word_times=False)
        heard = await engine.ask(window, Priority.RECORDING, None)
        found.append(replace(each, text=heard.text))
    return found


async def evaluate(
    engine: SpeechEngine, settings: Settings, labelled: Sequence[LabelledMood], progress: Progress
) -> EmotionReport:
    """Each speaker's utterances are one call, in order: the baseline grows as in a real one."""
    lexicon = load_lexicon(settings.city.pack)
    told: dict[int, EmotionEstimate] = {}
    places: dict[str, list[int]] = {}
    for place, each in enumerate(labelled):
        places.setdefault(each.speaker, []).append(place)
    for speaker, mine in places.items():
        progress(f"speaker {speaker}")

        async def publish(event: Lasting) -> None:
            if isinstance(event, EmotionEstimate):
                told[event.utterance] = event

        config = CallConfig(live=False, leg_roles=(LegRole.CITIZEN,))
        moods = EmotionTracker(engine, settings.emotions, lexicon, config, publish)
        for place in mine:
            await moods.feel(_final(labelled[place], place), Excerpt(labelled[place].audio, 0))
            await moods.catch_up()
    if len(told) < len(labelled):
        raise SettingsError("tell moods", "an engine failed", "run `lingting doctor`")
    return EmotionReport(list(labelled), [told[place] for place in range(len(labelled))])


def _final(said: LabelledMood, number: int) -> Final:
    end_ms = len(said.audio) * 1000 // SAMPLE_RATE_HZ
    return Final(0, number, said.text, (), 0, end_ms, 1.0, 0.0, 0.0, "zh", "cpu", "", True)
