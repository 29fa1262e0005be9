"""The diarization model as engines ask it: windows -> voices, voices -> turns.

Windows of any calls are heard together. Nothing is kept between two calls of `answer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inference.answering import Handler, Model
from inference.bundles import Manifest
from inference.diarization.clustering import ClusteringParameters
from inference.diarization.recipe import Recipe
from inference.diarization.runs import Active, by_run
from inference.diarization.turns import Frames, merge, to_turns
from inference.tensors import (
    MOST_SPEAKERS,
    SAMPLE_RATE_HZ,
    Audio,
    Clustering,
    InvalidQuestion,
    ModelCard,
    Question,
    Turns,
    Voices,
    VoiceWindow,
)

LEAST_FRAMES = 3  # a voice must be heard in to have an embedding
MOST_WINDOWS = 20_000  # of a gathering: 11 hours at a hop of 2 s

Embeddings = npt.NDArray[np.float32]  # [windows, voices, dimension]


class Networks(Protocol):
    """Two networks: in torch, or in ONNX."""

    device: str

    def segment(self, windows: Audio) -> Active:
        """Which voices speak in each frame of windows [windows, samples]."""

    def embed(self, windows: Audio, weights: npt.NDArray[np.float32]) -> Embeddings:
        """Each voice's embedding, from the frames that weights [windows, voices, frames] name."""


class DiarizationModel(Model):
    """Answers VoiceWindow and Clustering."""

    def __init__(self, manifest: Manifest, recipe: Recipe, networks: Networks) -> None:
        self._manifest, self._recipe, self._networks = manifest, recipe, networks

    @property
    def card(self) -> ModelCard:
        manifest = self._manifest
        return ModelCard(
            manifest.name,
            manifest.version,
            manifest.licence,
            tasks=("diarize",),
            window_s=self._recipe.window_s,
            hop_s=self._recipe.hop_s,
            description=manifest.description,
            device=self._networks.device,
            demo=manifest.demo,
        )

    def handlers(self) -> Mapping[type[Question[Any]], Handler]:
        return {
            VoiceWindow: self.hear,
            Clustering: lambda gatherings: [self.gather(each) for each in gatherings],
        }

    def hear(self, windows: Sequence[VoiceWindow]) -> list[Voices | InvalidQuestion]:
        """The voices of each window; those of different calls are heard together."""
        wrong = [self._wrong(window) for window in windows]
        heard = iter(self._hear([w for w, why in zip(windows, wrong, strict=True) if not why]))
        return [InvalidQuestion(why) if why else next(heard) for why in wrong]

    def _wrong(self, window: VoiceWindow) -> str:
        """Why a window cannot be heard; empty if it can."""
        if not len(window.audio):
            return "the window is empty"
        if window.duration_s > self._recipe.window_s + 1 / SAMPLE_RATE_HZ:
            return f"the window is longer than {self._recipe.window_s:g} s"
        return "" if np.isfinite(window.audio).all() else "the audio holds NaN or infinity"

    def _hear(self, windows: list[VoiceWindow]) -> list[Voices]:
        if not windows:
            return []
        samples = round(self._recipe.window_s * SAMPLE_RATE_HZ)
        audio = np.stack([np.pad(w.audio, (0, samples - len(w.audio))) for w in windows])
        active = by_run(self._networks.segment(audio), self._recipe.frame_step_s)
        weights = frames_to_learn_from(active)
        heard = np.any(weights, axis=2)
        embeddings = np.full((*heard.shape, 1), np.nan, np.float32)
        spoken = np.any(heard, axis=1)
        if spoken.any():
            found = self._networks.embed(audio[spoken], weights[spoken])
            embeddings = np.full((*heard.shape, found.shape[2]), np.nan, np.float32)
            embeddings[spoken] = found
            embeddings[~heard] = np.nan
        return [self._voices(a, e, len(windows)) for a, e in zip(active, embeddings, strict=True)]

    def _voices(
        self, active: npt.NDArray[np.bool_], embeddings: npt.NDArray[np.float32], batch: int
    ) -> Voices:
        """A window's own, however many those heard beside it have."""
        own = np.flatnonzero(active.any(axis=0)) if active.any() else [0]
        return Voices(active[:, own], embeddings[own], **self._said(batch))

    def gather(self, question: Clustering) -> Turns | InvalidQuestion:
        """Who speaks when, from all windows of one call."""
        if not 1 <= question.least <= question.most <= MOST_SPEAKERS:
            return InvalidQuestion(f"speakers must be 1 to {MOST_SPEAKERS}, the least first")
        if len(question.voices) > MOST_WINDOWS:
            return InvalidQuestion(f"more than {MOST_WINDOWS} windows")
        if not any(voices.active.any() for voices in question.voices):
            return Turns((), **self._said())
        recipe, most = self._recipe, question.most
        active, embeddings = stacked(question.voices)
        seconds = frames_to_learn_from(active).sum(axis=2) * recipe.frame_step_s
        clustering = ClusteringParameters(recipe.alike)
        speakers = clustering.assign(embeddings, seconds, question.least, most)
        frames = Frames(recipe.frame_step_s, recipe.frame_centre_s)
        at_once = min(most, recipe.together)
        chosen = merge(active.astype(np.float32), speakers, frames, recipe.hop_s, at_once)
        return Turns(tuple(to_turns(chosen, frames, question.length_s)), **self._said())

    def _said(self, batch: int = 1) -> dict[str, Any]:
        manifest = self._manifest
        return {
            "model": f"{manifest.name} {manifest.version}",
            "demo": manifest.demo,
            "batch": batch,
        }


def frames_to_learn_from(active: Active) -> npt.NDArray[np.float32]:
    """[windows, voices, frames]: where a voice speaks alone, unless it never does."""
    alone = active & (active.sum(axis=2, keepdims=True) < 2)
    enough = alone.sum(axis=1, keepdims=True) > LEAST_FRAMES
    return np.where(enough, alone, active).transpose(0, 2, 1).astype(np.float32)


def stacked(windows: Sequence[Voices]) -> tuple[Active, npt.NDArray[np.float64]]:
    """Activity [windows, frames, voices] and embeddings [windows, voices, dimension] of all.

    Windows differ in voices, and silent ones may not know their dimension.
    """
    voices = max(each.active.shape[1] for each in windows)
    dimension = max(each.embeddings.shape[1] for each in windows)
    active = np.zeros((len(windows), len(windows[0].active), voices), np.bool_)
    embeddings = np.full((len(windows), voices, dimension), np.nan)
    for row, prints, each in zip(active, embeddings, windows, strict=True):
        row[:, : each.active.shape[1]] = each.active
        prints[: len(each.embeddings), : each.embeddings.shape[1]] = each.embeddings
    return active, embeddings
