"""A city's own labelled utterances -> a head of the emotion model that fits them.

python -m inference.adaptation.moods WORK

WORK/moods.json holds the utterances, WORK/clips their sound; it writes WORK/bundle and
WORK/report.json, report.html. What is learned stays near the base: its weights are the mean of a
Gaussian prior, whose strength is chosen by speakers that were left out, and so are the temperature
and the threshold below which nothing is told. The report's figures are of speakers that were left
out of all of that, too.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from inference.adaptation.job import read_samples
from inference.adaptation.mood_report import MoodFigures, MoodReport
from inference.bundles import BundleInvalid, load_manifest, seal
from inference.emotion.load import load_head
from inference.emotion.model import CALM, Head, log_softmax
from inference.emotion.prosody import NAMES, prosody
from inference.tensors import EMOTIONS

FILE, BUNDLE = "moods.json", "bundle"
LEAST_UTTERANCES, LEAST_SPEAKERS, LEAST_MOODS = 40, 3, 2
FOLDS = 5  # of speakers
PRIORS = (1000.0, 100.0, 30.0, 10.0, 3.0)  # the larger, the nearer to the base
TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(4.0), 25))
MORE = "bring more calls, of more people and moods"
KEPT_RIGHT = 0.7  # of what is told
BASELINE_UTTERANCES = 12

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MoodUtterance:
    """One utterance as the command wrote it down; of a speaker in their order."""

    file: str  # in the work folder: .npy, int16, 16 kHz
    speaker: str
    emotion: str
    lexical: tuple[float, ...]  # of its words, by emotion


@dataclass(frozen=True, slots=True)
class MoodRequest:
    base: str
    name: str
    version: str
    utterances: tuple[MoodUtterance, ...]
    set_aside: tuple[str, ...] = ()  # which, and why

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> MoodRequest:
    raw = json.loads((folder / FILE).read_text(encoding="utf-8"))
    told = tuple(
        MoodUtterance(**{**each, "lexical": tuple(each["lexical"])}) for each in raw["utterances"]
    )
    aside = tuple(raw.get("set_aside", ()))
    return MoodRequest(**{**raw, "utterances": told, "set_aside": aside})


class CannotLearn(ValueError):
    """(cause, hint): there is too little, or too much of one kind, where no hint says otherwise."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Utterances, one a row."""

    features: Array  # [n, features], standardised by the base
    lexical: Array  # [n, emotions]
    emotion: npt.NDArray[np.int64]
    speaker: npt.NDArray[np.int64]

    def of(self, rows: Flags) -> Samples:
        return Samples(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True, slots=True)
class MoodWeights:
    """What is learned, of the head: the rest is the base's."""

    sound: Array  # [features, emotions]
    bias: Array  # [emotions]
    words: Array  # [emotions]: of an emotion's words for it

    def scores(self, samples: Samples) -> Array:
        return samples.features @ self.sound + self.bias + samples.lexical * self.words

    def flat(self) -> Array:
        return np.concatenate([self.sound.ravel(), self.bias, self.words])

    def like(self, flat: Array) -> MoodWeights:
        count = len(self.bias)
        sound = flat[: -2 * count].reshape(self.sound.shape)
        return MoodWeights(sound, flat[-2 * count : -count], flat[-count:])


def of_head(head: Head) -> MoodWeights:
    """A base's; raises CannotLearn if its fusion is more than a weight for each mood's words."""
    count = len(EMOTIONS)
    sound, words = head.fusion[:count], head.fusion[count:]
    if not np.allclose(sound, np.eye(count)) or not np.allclose(words, np.diag(np.diag(words))):
        cause = "the base fuses sound and words in a way that cannot be learned on"
        raise CannotLearn(cause, "take --base emotion-words")
    bias = head.bias + head.fusion_bias
    return MoodWeights(head.weight.astype(float), bias.astype(float), np.diag(words).astype(float))


def samples_of(head: Head, asked: MoodRequest, folder: Path) -> Samples:
    """Prosody of each utterance against its speaker's own before it that, by the base, are calm or
    tell nothing: as in a call."""
    base, calm = of_head(head), dict[str, list[Array]]()
    features = []
    for each in asked.utterances:
        sound = prosody(read_samples(folder / each.file))
        own = calm.setdefault(each.speaker, [])
        beside = np.mean(own[-BASELINE_UTTERANCES:], axis=0) if own else np.zeros(len(NAMES))
        known, none = np.array([bool(own)], np.float32), np.zeros((1, 0), np.float32)
        row = head.features(sound[None], beside[None].astype(np.float32), known, none)[0]
        features.append(row.astype(float))
        told = np.exp(
            log_softmax(row @ base.sound + base.bias + np.array(each.lexical) * base.words)
        )
        if sound.any() and (told.max() < head.threshold[0] or told.argmax() == CALM):
            own.append(sound.astype(float))
    speakers = sorted({each.speaker for each in asked.utterances})
    return Samples(
        np.array(features),
        np.array([each.lexical for each in asked.utterances], float),
        np.array([EMOTIONS.index(each.emotion) for each in asked.utterances]),
        np.array([speakers.index(each.speaker) for each in asked.utterances]),
    )


def check(samples: Samples) -> None:
    """Raises CannotLearn."""
    utterances, speakers = len(samples.emotion), len(set(samples.speaker))
    moods = len(set(samples.emotion))
    for count, least, what in (
        (utterances, LEAST_UTTERANCES, "utterances"),
        (speakers, LEAST_SPEAKERS, "speakers"),
        (moods, LEAST_MOODS, "moods"),
    ):
        if count < least:
            raise CannotLearn(f"{count} {what}, {least} are the least")


def fitted(samples: Samples, base: MoodWeights, prior: float) -> MoodWeights:
    """The likeliest weights, moods that are rare counting as much as frequent ones' root."""
    counts = np.bincount(samples.emotion, minlength=len(EMOTIONS))
    weight = 1 / np.sqrt(counts[samples.emotion])
    weight *= len(weight) / weight.sum()
    truth = np.eye(len(EMOTIONS))[samples.emotion]
    start = base.flat()

    def loss(flat: Array) -> tuple[float, Array]:
        now = base.like(flat)
        told = log_softmax(now.scores(samples))
        wrong = (np.exp(told) - truth) * weight[:, None]
        away = flat - start
        value = -float((weight[:, None] * truth * told).sum()) + 0.5 * prior * float(away @ away)
        slope = MoodWeights(
            samples.features.T @ wrong, wrong.sum(axis=0), (samples.lexical * wrong).sum(axis=0)
        )
        return value, slope.flat() + prior * away

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return base.like(found.x)


def folds(samples: Samples) -> list[Flags]:
    """The rows of some speakers each, every speaker in one of them."""
    speakers = np.unique(samples.speaker)
    count = min(FOLDS, len(speakers))
    return [np.isin(samples.speaker, speakers[fold::count]) for fold in range(count)]


def left_out(samples: Samples, base: MoodWeights, prior: float) -> Array:
    """[n, emotions] scores of each utterance by weights that have not heard its speaker."""
    scores = np.zeros((len(samples.emotion), len(EMOTIONS)))
    for out in folds(samples):
        scores[out] = fitted(samples.of(~out), base, prior).scores(samples.of(out))
    return scores


def likelihood(scores: Array, samples: Samples) -> float:
    """Mean log likelihood of the truth."""
    told = log_softmax(scores)
    return float(told[np.arange(len(told)), samples.emotion].mean())


def temperature(scores: Array, samples: Samples) -> float:
    """That makes the scores' probabilities true, as nearly as may be."""
    return float(max(TEMPERATURES, key=lambda t: likelihood(scores / t, samples)))


def threshold(scores: Array, samples: Samples) -> float:
    """The least probability from which what is told is right often enough; 1 if none is."""
    sure = np.exp(log_softmax(scores)).max(axis=1)
    right = scores.argmax(axis=1) == samples.emotion
    order = np.argsort(-sure)
    enough = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= KEPT_RIGHT
    return float(sure[order][np.flatnonzero(enough)[-1]]) if enough.any() else 1.0


@dataclass(frozen=True, slots=True)
class MoodSettings:
    """What is chosen by speakers that were left out."""

    prior: float  # how near to the base it stays
    temperature: float
    threshold: float  # probability from which a mood is told


def chosen(samples: Samples, base: MoodWeights) -> MoodSettings:
    tried = {prior: left_out(samples, base, prior) for prior in PRIORS}
    prior = max(PRIORS, key=lambda p: likelihood(tried[p], samples))
    degree = temperature(tried[prior], samples)
    return MoodSettings(prior, degree, threshold(tried[prior] / degree, samples))


def judged(samples: Samples, base: MoodWeights) -> MoodFigures:
    """Of speakers that neither weights nor settings were chosen by: each fold's by the others'."""
    scores, least = np.zeros((len(samples.emotion), len(EMOTIONS))), np.ones(len(samples.emotion))
    for out in folds(samples):
        others = samples.of(~out)
        settings = chosen(others, base)
        learned = fitted(others, base, settings.prior)
        scores[out] = learned.scores(samples.of(out)) / settings.temperature
        least[out] = settings.threshold
    return MoodFigures.of(scores, samples.emotion, least)


def learn(samples: Samples, head: Head) -> tuple[Head, MoodReport]:
    """The head, and what it brings to speakers that it has not heard."""
    check(samples)
    base = of_head(head)
    settings = chosen(samples, base)
    learned = fitted(samples, base, settings.prior)
    degree, count = settings.temperature, len(EMOTIONS)
    fusion = np.concatenate([np.eye(count), np.diag(learned.words / degree)])
    made = replace(
        head,
        weight=(learned.sound / degree).astype(np.float32),
        bias=(learned.bias / degree).astype(np.float32),
        fusion=fusion.astype(np.float32),
        fusion_bias=np.zeros(count, np.float32),
        threshold=np.array([settings.threshold], np.float32),
    )
    before = MoodFigures.of(base.scores(samples), samples.emotion, head.threshold)
    speakers, after = len(set(samples.speaker)), judged(samples, base)
    counted = len(samples.emotion), speakers
    how = settings.prior, settings.temperature, settings.threshold
    return made, MoodReport("", "", *counted, *how, before, after)


def write(folder: Path, asked: MoodRequest, head: Head, told: MoodReport) -> None:
    """The sealed bundle, there whole or not at all."""
    base, draft = Path(asked.base), folder / f".{BUNDLE}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    shutil.copy(base / "config.json", draft / "config.json")
    np.savez(draft / "head.npz", **{each.name: getattr(head, each.name) for each in fields(head)})
    (draft / "README.md").write_text(told.card(), encoding="utf-8")
    manifest = load_manifest(base)
    seal(
        draft,
        name=asked.name,
        version=asked.version,
        kind=manifest.kind,
        licence=manifest.licence,
        demo=False,
        tasks=list(manifest.tasks),
        languages=list(manifest.languages),
        description=f"{manifest.name}, adapted to {told.utterances} labelled utterances",
        origin=manifest.origin,
        measured={"set": f"{told.speakers} speakers, each left out", **asdict(told.after)},
    )
    shutil.rmtree(folder / BUNDLE, ignore_errors=True)
    draft.rename(folder / BUNDLE)


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(given[0])
    answer: dict[str, Any]
    try:
        asked = load(folder)
        head = load_head(Path(asked.base))
        if len(head.weight) != 2 * len(NAMES) + 1:
            raise CannotLearn("the base hears an encoder", "take --base emotion-words")
        made, told = learn(samples_of(head, asked, folder), head)
        named = load_manifest(Path(asked.base)).name
        made_as = f"{asked.name}@{asked.version}"
        told = replace(told, base=named, bundle=made_as, set_aside=asked.set_aside)
        write(folder, asked, made, told)
        told.save(folder)
    except CannotLearn as error:
        answer = {"error": error.args[0], "hint": (*error.args, MORE)[1]}
    except (BundleInvalid, OSError) as error:
        answer = {"error": str(error), "hint": "name another base, or see to the disk"}
    else:
        answer = {"report": str(folder / "report.html")}
    print(json.dumps(answer, ensure_ascii=False))
    return 0 if "report" in answer else 1


if __name__ == "__main__":
    sys.exit(main())
