"""Voices of windows: taken apart at pauses, told apart by their prints, counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from inference.diarization.clustering import ClusteringParameters
from inference.diarization.runs import by_run
from inference.diarization.voiceprints import own_features
from inference.tensors import MOST_SPEAKERS
from provisioning.weights.speakers import _recipe

STEP_S = 0.1
CLUSTERING = ClusteringParameters(alike=0.65)
MODEL = {
    "num_regular_classes": 3,
    "powerset_max_classes": 2,
    "sincnet": {"stride": 10},
    "lstm": {"hidden_size": 8, "num_layers": 1, "bidirectional": True},
    "linear": {"hidden_size": 8, "num_layers": 1},
}


def prints(*people: int, noise: float = 0.05, seed: int = 0) -> npt.NDArray[np.float64]:
    """[windows, 1, 16]: who speaks in each window, a little different each time."""
    rng = np.random.default_rng(seed)
    return np.eye(16)[list(people)][:, None] + rng.normal(0, noise, (len(people), 1, 16))


def seconds(embeddings: npt.NDArray[np.float64], each: float = 2.0) -> npt.NDArray[np.float64]:
    return np.full(embeddings.shape[:2], each)


@pytest.mark.parametrize("people", [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3, 4)])
def test_speakers_are_counted(people: tuple[int, ...]) -> None:
    embeddings = prints(*people * 6)
    labels = CLUSTERING.assign(embeddings, seconds(embeddings), 1, MOST_SPEAKERS)
    assert len(np.unique(labels)) == len(people)
    for place in range(len(people)):
        assert len(np.unique(labels[place :: len(people)])) == 1


def test_a_hint_bounds_the_count() -> None:
    embeddings = prints(*(0, 1, 2) * 5)
    heard = seconds(embeddings)
    assert len(np.unique(CLUSTERING.assign(embeddings, heard, 1, 2))) == 2
    one_person = prints(*(0,) * 8)
    assert len(np.unique(CLUSTERING.assign(one_person, seconds(one_person), 2, 2))) == 2


def test_a_cough_founds_no_speaker() -> None:
    embeddings = prints(*(0, 1) * 10, 2)
    heard = seconds(embeddings)
    heard[-1] = 0.2
    labels = CLUSTERING.assign(embeddings, heard, 1, MOST_SPEAKERS)
    assert len(np.unique(labels)) == 2 and labels.shape == (21, 1)


def test_voices_without_prints_are_somebodys() -> None:
    embeddings = prints(0, 0, 1, 1)
    embeddings[1] = np.nan
    assert CLUSTERING.assign(embeddings, seconds(embeddings), 2, 2).shape == (4, 1)
    nobody = np.full((3, 2, 16), np.nan)
    assert not CLUSTERING.assign(nobody, np.zeros((3, 2)), 1, 2).any()


def test_fewer_voices_than_speakers_are_hinted() -> None:
    embeddings = prints(0)
    assert CLUSTERING.assign(embeddings, seconds(embeddings), 2, 2).tolist() == [[0]]


def test_the_same_question_has_the_same_answer() -> None:
    embeddings = prints(*(0, 1, 2) * 7, noise=0.3)
    first, second = (CLUSTERING.assign(embeddings, seconds(embeddings), 1, 5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_voice_is_taken_apart_where_it_pauses() -> None:
    active = np.zeros((1, 100, 3), np.bool_)
    active[0, :20, 0] = active[0, 21:30, 0] = True  # a breath between
    active[0, 50:70, 0] = True
    active[0, 80:84, 0] = True  # too short by itself
    active[0, 10:15, 1] = True  # too short, and all that this voice says
    runs = by_run(active, STEP_S)
    assert runs.shape == (1, 100, 3)
    assert runs[0, :30, 0].sum() == 29 and not runs[0, 30:, 0].any()
    assert runs[0, 50:70, 1].all() and runs[0, 80:84, 1].all() and runs[0, :, 1].sum() == 24
    assert runs[0, 10:15, 2].all() and runs[0, :, 2].sum() == 5
    np.testing.assert_array_equal(runs.sum(axis=2), active.sum(axis=2))


def test_silence_has_one_empty_voice() -> None:
    assert by_run(np.zeros((2, 10, 3), np.bool_), STEP_S).shape == (2, 10, 1)


def test_a_voice_is_heard_by_its_own_frames() -> None:
    recipe = _recipe(MODEL, 10.0)
    rng = np.random.default_rng(1)
    loud = rng.normal(0, 0.1, 160_000).astype(np.float32)
    loud[80_000:] *= 0.01
    weights = np.zeros((3, 589), np.float32)
    weights[0, :290], weights[1, 300:] = 1, 1
    first, second, nobody = own_features(loud, weights, recipe)
    assert nobody is None and first is not None and second is not None
    assert first.shape[2] == 80 and first.shape[1] + second.shape[1] < 998
    np.testing.assert_allclose(first.mean(axis=1), 0, atol=1e-4)


def test_a_moment_is_heard_again_and_again() -> None:
    weights = np.zeros((1, 589), np.float32)
    weights[0, 100:103] = 1
    audio = np.random.default_rng(2).normal(0, 0.1, 160_000).astype(np.float32)
    (own,) = own_features(audio, weights, _recipe(MODEL, 10.0))
    assert own is not None and own.shape[1] >= 32
