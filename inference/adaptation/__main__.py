"""Adapts a bundle to what is in a work folder: `python -m inference.adaptation WORK`.

It writes WORK/bundle, WORK/report.json and report.html. Each step leaves what it found in the
folder, so that one that was cut off is gone on with. It tells how it gets on by lines of JSON; the
last one has `report`, or `error` and `hint`.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from inference.adaptation import adapters, curriculum, release, request, whole
from inference.adaptation import clips as speech
from inference.adaptation import report as reports
from inference.adaptation.adapters import Adapters, AdaptersUnusable
from inference.adaptation.clips import SetAside, SpeechClip
from inference.adaptation.curriculum import Curriculum
from inference.adaptation.job import DONE, LOOKS, look_file, read_samples
from inference.adaptation.notes import notes
from inference.adaptation.report import AdaptationReport, Cost, CurvePoint
from inference.adaptation.spent import Spent
from inference.adaptation.tokens import prompt_tokens
from inference.adaptation.trial import (
    LATEST,
    MARGINS_S,
    STRENGTHS,
    Choice,
    HeardFigures,
    figures,
    model_of,
    smallest_margin,
    strongest_that_spoils_nothing,
    weakened,
)
from inference.asr.whisper import ModelUnusable, WhisperModel
from inference.bundles import BundleInvalid, load_manifest

BUNDLE, LOOKED_AT, CHOSEN = "bundle", "looked_at.json", "chosen.json"
ADAPTERS = "adapters.safetensors"  # of the bundle, by themselves
MOST_HELD = 60  # clips that figures are of


class CannotAdapt(Exception):
    """(cause, hint) for whoever asked."""


def tell(**line: Any) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


@dataclass(frozen=True, slots=True)
class Material:
    """What is learned from, and what figures are of."""

    local: list[SpeechClip]
    local_held: list[SpeechClip]
    general: list[SpeechClip]
    general_held: list[SpeechClip]
    aside: list[SetAside]
    by_speaker: bool  # whether whole speakers are held out


class Adaptation:
    """One of them, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._asked = folder, request.load(folder)
        self._base, self._threads = Path(self._asked.base), os.cpu_count() or 1
        self._spent = Spent(folder)
        self._model = WhisperModel(self._base, threads=self._threads, compute_type="int8")

    def run(self) -> AdaptationReport:
        """Raises CannotAdapt, BundleInvalid, ModelUnusable, AdaptersUnusable or OSError."""
        material = self._material()
        seconds = sum(clip.seconds for clip in material.local)
        if seconds < curriculum.LEAST_S:
            cause = _too_little(seconds, material.aside)
            raise CannotAdapt(cause, "bring more recordings with their text")
        if not material.local_held:
            cause = "there are too few recordings to hold some out, by which it is judged"
            raise CannotAdapt(cause, "bring shorter ones, or more of them")
        before = self._heard(self._model, material, "before")
        self._spent.keep()
        points = curriculum.points(seconds, self._asked.minutes)
        points = points if self._asked.curve else points[-1:]
        curve = [self._point(minutes, material, before) for minutes in points]
        model = self._loaded(self._best(curve[-1]))
        told = self._told(material, curve, before, model)
        self._seal(curve[-1], told)
        told.save(self._folder)
        return told

    def _told(
        self,
        material: Material,
        curve: Sequence[CurvePoint],
        before: dict[str, HeardFigures],
        model: WhisperModel,
    ) -> AdaptationReport:
        taken = curriculum.nested(material.local, curve[-1].minutes)
        held = [*material.local_held, *material.general_held]
        margins = {
            when: self._by_margin(each, held, when)
            for when, each in (("before", self._model), ("after", model))
        }
        margin_s = smallest_margin(margins["after"])
        served = self._loaded(self._best(curve[-1]), serving=self._serving(margin_s))
        after = self._heard(served, material, "after")
        return AdaptationReport(
            base=load_manifest(self._base).name,
            bundle=f"{self._asked.name}@{self._asked.version}",
            device=self._asked.device,
            learned_s=_seconds(taken),
            learned_speakers=len({clip.speaker for clip in taken}),
            general_learned_s=_seconds(material.general),
            held_out="speakers" if material.by_speaker else "recordings",
            before=before,
            after=after,
            curve=tuple(curve),
            margins=margins,
            margin_s=margin_s,
            cost=self._cost(curve),
            set_aside=tuple(material.aside),
            notes=tuple(notes(before, after, material.by_speaker)),
        )

    # --- what there is to learn from

    def _material(self) -> Material:
        asked = {"local": self._asked.local, "general": self._asked.general}
        parts = {name: self._clips(some) for name, some in asked.items()}
        path = self._folder / LOOKED_AT
        if not path.exists():
            _write(path, {name: self._sorted_out(name, some) for name, some in parts.items()})
        looked = json.loads(path.read_text(encoding="utf-8"))
        everything = (*self._asked.local, *self._asked.general)
        sources = {Path(each.file).stem: each.source for each in everything}
        aside = [SetAside(each.source, each.refused) for each in everything if each.refused]
        kept = {}
        for name, some in parts.items():
            told, refused = looked[name]
            kept[name] = [
                replace(c, heard=told[c.name][0], text=told[c.name][1])
                for c in some
                if c.name in told
            ]
            aside += [SetAside(sources[clip], why) for clip, why in refused]
        local, local_held = speech.split(kept["local"])
        general, general_held = speech.split(kept["general"])
        whole = len({clip.speaker for clip in kept["local"]}) >= speech.SPEAKERS_APART
        return Material(
            *(local, local_held[:MOST_HELD], general, general_held[:MOST_HELD]), aside, whole
        )

    def _clips(self, recordings: Sequence[request.SpokenRecording]) -> list[SpeechClip]:
        found = []
        for each in recordings:
            if not each.refused:
                path = (self._folder / each.file).resolve()
                said = (read_samples(path), each.text, each.speaker, str(path))
                whole = each.source if each.pieces > 1 else ""
                found.append(SpeechClip(path.stem, *said, whole=whole))
        return found

    def _sorted_out(self, name: str, clips: Sequence[SpeechClip]) -> Any:
        """Of general speech no text is taught: only those are heard that figures are of."""
        asked = (self._model, self._asked.language, _teller(f"listen to {name} speech"))
        found, aside = speech.usable(clips, *asked)
        judged = found if name == curriculum.LOCAL else speech.split(found)[1][:MOST_HELD]
        kept, wrong = speech.heard_right(judged, *asked)
        heard = {clip.name: clip.heard for clip in kept}
        gone = {each.name for each in wrong}
        told = {c.name: (heard.get(c.name, ""), c.text) for c in found if c.name not in gone}
        return told, [(each.name, each.reason) for each in (*aside, *wrong)]

    # --- learning

    def _point(
        self, minutes: float, material: Material, before: dict[str, HeardFigures]
    ) -> CurvePoint:
        job = self._folder / _job_name(minutes)
        if not (job / DONE).exists():
            tokens = prompt_tokens(self._base, self._asked.language)
            lessons = Curriculum(self._folder, self._base, tokens, self._asked)
            local = curriculum.nested(material.local, minutes)
            held = [*material.local_held, *material.general_held]
            lessons.write(job.name, minutes, local, material.general, held)
            self._train(job, minutes)
        if not (job / CHOSEN).exists():
            _write(job / CHOSEN, asdict(self._chosen(job, minutes, material, before)))
            self._spent.keep()
        trained = json.loads((job / DONE).read_text(encoding="utf-8"))
        choice = Choice(**json.loads((job / CHOSEN).read_text(encoding="utf-8")))
        return CurvePoint(
            *(minutes, trained["step"], choice.strength, choice.local, choice.general),
            *(trained["seconds"], trained["cpu_s"] / 3600),
        )

    def _train(self, job: Path, minutes: float) -> None:
        """In the Python that has torch, going on where it was cut off."""
        command = [self._asked.torch, "-m", "inference.adaptation.training", str(job)]
        stage = f"learn from {minutes:g} min"
        with tempfile.TemporaryFile("w+") as errors:  # a pipe that nobody reads would fill up
            pipe = subprocess.PIPE
            with subprocess.Popen(command, stdout=pipe, stderr=errors, text=True) as training:
                assert training.stdout
                for line in training.stdout:
                    point = json.loads(line)
                    tell(stage=stage, done=point["step"], of=point["steps"], note=_loss(point))
            errors.seek(0)
            said = errors.read().strip().splitlines()
        if training.returncode:
            cause = said[-1] if said else f"exit {training.returncode}"
            raise CannotAdapt(f"training ended: {cause}", "run the same command again: it goes on")

    def _chosen(
        self, job: Path, minutes: float, material: Material, before: dict[str, HeardFigures]
    ) -> Choice:
        tried, files = list[Choice](), _looks_to_try(job)
        stage, language, of = f"try {minutes:g} min", self._asked.language, len(STRENGTHS)
        for number, (file, strength) in enumerate(product(files, STRENGTHS)):
            note = f"strength {strength:g}"
            tell(stage=stage, done=number, of=len(files) * of, note=note)
            model = self._loaded(weakened(adapters.load(job / file), strength))
            local, general = (
                figures(model, held, language, _quiet).cer if held else None
                for held in (material.local_held, material.general_held)
            )
            assert local is not None
            tried.append(Choice(file, strength, local, general))
        tell(stage=stage, done=len(tried), of=len(tried), note="")
        unspoilt = before["general"].cer if material.general_held else None
        return strongest_that_spoils_nothing(tried, unspoilt)

    def _loaded(self, learned: Adapters, **facts: Any) -> WhisperModel:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            return model_of(self._base, learned, Path(folder), self._threads, facts)

    def _best(self, point: CurvePoint) -> Adapters:
        job = self._folder / _job_name(point.minutes)
        choice = Choice(**json.loads((job / CHOSEN).read_text(encoding="utf-8")))
        return weakened(adapters.load(job / choice.file), choice.strength)

    # --- how well it hears

    def _heard(self, model: WhisperModel, material: Material, when: str) -> dict[str, HeardFigures]:
        found = {}
        for name, held in (("local", material.local_held), ("general", material.general_held)):
            for telephone in (False, True) if held else ():
                key = f"{name}_alaw" if telephone else name
                look = _teller(f"hear {key} {when}")
                found[key] = figures(model, held, self._asked.language, look, telephone=telephone)
        return found

    def _by_margin(
        self, model: WhisperModel, held: Sequence[SpeechClip], when: str
    ) -> dict[float, float]:
        found = {}
        for margin in MARGINS_S:
            look = _teller(f"margin of {margin:g} s {when}")
            found[margin] = figures(model, held, self._asked.language, look, margin_s=margin).cer
        return found

    def _cost(self, curve: Sequence[CurvePoint]) -> Cost:
        whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
        peak_mb = max(resource.getrusage(each).ru_maxrss for each in whose) / 1024
        trained_s = sum(point.wall_s for point in curve)
        on_gpu = self._asked.device != "cpu"
        core_hours = sum(point.core_hours for point in curve) + self._spent.core_s / 3600
        wall_s = max(self._spent.wall_s, trained_s)
        return Cost(wall_s, core_hours, trained_s / 3600 if on_gpu else 0.0, peak_mb)

    # --- the bundle

    def _seal(self, best: CurvePoint, told: AdaptationReport) -> None:
        tell(stage="write the bundle", done=0, of=1, note="")
        draft = self._folder / f".{BUNDLE}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        learned = self._best(best)
        release.write(self._base, learned, draft, self._facts(told), _card(told))
        shutil.rmtree(self._folder / BUNDLE, ignore_errors=True)
        draft.rename(self._folder / BUNDLE)
        learned.save(self._folder / ADAPTERS)
        tell(stage="write the bundle", done=1, of=1, note="")

    def _serving(self, margin_s: float) -> dict[str, Any]:
        told = load_manifest(self._base).serving
        least = min(margin_s, told.min_margin_s)
        return {**asdict(told), "margin_s": margin_s, "min_margin_s": least}

    def _facts(self, told: AdaptationReport) -> dict[str, Any]:
        base = load_manifest(self._base)
        after = told.after["local"]
        return {
            "name": self._asked.name,
            "version": self._asked.version,
            "description": f"{base.name}, adapted to {told.learned_s / 60:.1f} min of local speech",
            "serving": self._serving(told.margin_s),
            "notice": "",
            "measured": {
                "set": f"{after.clips} clips of {after.speakers} people, held out",
                "command": "lingting adapt",
                "cer": round(after.cer, 4),
                "cer_before": round(told.before["local"].cer, 4),
            },
        }


def _looks_to_try(job: Path) -> list[str]:
    """Files of the latest looks, and of the one at which what is held out had the least loss."""
    curve = json.loads((job / DONE).read_text(encoding="utf-8"))["curve"]
    files = sorted(path.name for path in job.glob(LOOKS))
    least = min((p for p in curve if p["step"] and p["held_out"]), key=lambda p: p["held_out"])
    return sorted({look_file(least["step"]), *files[-LATEST:]})


def _job_name(minutes: float) -> str:
    return f"{minutes:06.2f}-min"


def _seconds(clips: Sequence[SpeechClip]) -> float:
    return sum(clip.seconds for clip in clips)


def _too_little(seconds: float, aside: Sequence[SetAside]) -> str:
    reasons = Counter(each.reason.partition(":")[0] for each in aside)
    told = "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common(3))
    left = f"{seconds:.0f} s of speech to learn from, {curriculum.LEAST_S:.0f} s are the least"
    return f"{left}; set aside {told}" if told else left


def _card(told: AdaptationReport) -> str:
    after, before = told.after["local"], told.before["local"]
    return (
        f"# {told.bundle}\n\nAdapted from {told.base} by `lingting adapt`, with "
        f"{told.learned_s / 60:.1f} minutes of {told.learned_speakers} speakers. On {after.clips} "
        f"clips of {told.held_out} held out: {after.cer:.1%} of characters wrong, "
        f"{before.cer:.1%} before.\n"
    )


def _loss(point: dict[str, Any]) -> str:
    held = point["held_out"]
    return "" if held is None else f"loss on what is held out {held:.3f}"


def _teller(stage: str) -> speech.Look:
    return lambda done, of: tell(stage=stage, done=done, of=of, note="")


def _quiet(done: int, of: int) -> None:
    pass


def _write(path: Path, content: Any) -> None:
    whole.write(path, json.dumps(content, ensure_ascii=False))


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    try:
        Adaptation(folder).run()
    except CannotAdapt as error:
        cause, hint = error.args
        tell(error=cause, hint=hint)
        return 1
    except BundleInvalid as error:
        tell(error=str(error), hint="name another base, or learn less: fewer --steps")
        return 1
    except (ModelUnusable, AdaptersUnusable, OSError, ValueError) as error:
        tell(error=str(error), hint="run the same command again to go on from there")
        return 1
    tell(report=str((folder / reports.PAGE).resolve()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
