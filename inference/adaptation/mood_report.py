"""What learning from labelled utterances brought: JSON and a page, of speakers left out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.adaptation import whole
from inference.adaptation.page import document
from inference.calibration import auc, calibration_error
from inference.emotion.model import log_softmax
from inference.tensors import EMOTIONS

JSON, PAGE = "report.json", "report.html"
NEGATIVE = ("annoyed", "furious", "disappointed", "sad", "anxious")
AROUSED = ("annoyed", "furious", "anxious")
HARMLESS = ("calm", "happy")
TOLD = {
    "told_right": "判断了的，判断对的 · told and right",
    "abstain_rate": "不作判断的 · told nothing",
    "false_alarm_rate": "平静、高兴被说成负面（不论程度）· false alarms, at any level",
    "ece": "置信度偏差 · calibration error",
    "auc_aroused": "激动与否，AUC · aroused, AUC",
}

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MoodFigures:
    """Of utterances; each a share, the AUC 0.5 by chance."""

    told_right: float
    abstain_rate: float
    false_alarm_rate: float
    ece: float
    auc_aroused: float
    confusion: tuple[tuple[int, ...], ...]  # truth, told; the last column: nothing was told

    @staticmethod
    def of(scores: Array, truth: Numbers, least: npt.NDArray[Any]) -> MoodFigures:
        """
        Args:
            scores: [n, emotions], whose softmax are the probabilities.
            truth: [n], of EMOTIONS.
            least: [n] or [1], probability from which a mood is told.
        """
        told = np.exp(log_softmax(scores))
        sure, best = told.max(axis=1), told.argmax(axis=1)
        said, aroused = sure >= least, _numbers(AROUSED)
        right = best == truth
        harmless = np.isin(truth, _numbers(HARMLESS))
        alarms = said & np.isin(best, _numbers(NEGATIVE)) & harmless
        confusion = np.zeros((len(EMOTIONS), len(EMOTIONS) + 1), int)
        np.add.at(confusion, (truth, np.where(said, best, len(EMOTIONS))), 1)
        return MoodFigures(
            round(float(right[said].mean()) if said.any() else 0.0, 4),
            round(1 - float(said.mean()), 4),
            round(float(alarms.sum() / max(1, harmless.sum())), 4),
            round(calibration_error(sure, right), 4),
            round(auc(told[:, aroused].sum(axis=1), np.isin(truth, aroused)), 4),
            tuple(tuple(int(n) for n in row) for row in confusion),
        )


def _numbers(names: tuple[str, ...]) -> list[int]:
    return [EMOTIONS.index(name) for name in names]


@dataclass(frozen=True, slots=True)
class MoodReport:
    base: str
    bundle: str
    utterances: int
    speakers: int
    prior: float  # how near to the base it stays
    temperature: float
    threshold: float
    before: MoodFigures
    after: MoodFigures
    set_aside: tuple[str, ...] = ()  # which utterances, and why

    def save(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        whole.write(folder / PAGE, self._page())
        whole.write(folder / JSON, text + "\n")

    def card(self) -> str:
        after = self.after
        return (
            f"# {self.bundle}\n\nAdapted from {self.base} by `lingting adapt emotion`, with "
            f"{self.utterances} labelled utterances of {self.speakers} speakers. Of speakers left "
            f"out: {after.told_right:.0%} of what is told is right, nothing is told of "
            f"{after.abstain_rate:.0%}, false alarms {after.false_alarm_rate:.0%}, calibration "
            f"error {after.ece:.2f}, aroused or not AUC {after.auc_aroused:.2f}.\n"
        )

    def _page(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{getattr(self.before, key):.3f}</td>"
            f"<td>{getattr(self.after, key):.3f}</td></tr>"
            for key, name in TOLD.items()
        )
        head = "<tr><th></th><th>此前 before</th><th>此后 after</th></tr>"
        return document(
            self.bundle,
            (
                f"<h1>{escape(self.bundle)}</h1>",
                f"<p>{self.utterances} 句，{self.speakers} 人；"
                "每个数字都出自既没有学过、也没有用来选择参数的说话人。 "
                f"{self.utterances} utterances of {self.speakers} speakers; every figure is of "
                "speakers that nothing was learned from, or chosen by.</p>",
                f"<table>{head}{rows}</table>",
                "<h2>真实与判断 · Truth and what was told</h2>",
                self._confusion(),
                f"<h2>没有采用 · Set aside: {len(self.set_aside)}</h2>",
                f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in self.set_aside)}</ul>",
            ),
        )

    def _confusion(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in (*EMOTIONS, "—"))
        rows = "".join(
            f"<tr><td>{name}</td>{''.join(f'<td>{count}</td>' for count in row)}</tr>"
            for name, row in zip(EMOTIONS, self.after.confusion, strict=True)
            if any(row)
        )
        return f"<table><tr><th></th>{head}</tr>{rows}</table>"
