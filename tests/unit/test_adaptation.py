"""Adaptation without torch: adapters merged, jobs kept, batches drawn as windows are served."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from inference.adaptation import adapters, job
from inference.adaptation.adapters import Adapters, AdaptersUnusable
from inference.adaptation.batches import IGNORED, Batches, WindowBatch
from inference.adaptation.job import (
    AdaptationJob,
    AdaptationPlan,
    ClipSource,
    PromptTokens,
    TrainingClip,
    write_clip,
)
from inference.asr.features import LogMel

PREVIOUS, END, STOP = 90, 91, 50
START = (92, 93, 94, 95)
PROMPT = (60, 61)
VOCABULARY = PromptTokens(START, PREVIOUS, END, (STOP,), PROMPT, (STOP, 51))


def learned(rank: int = 2) -> Adapters:
    rng = np.random.default_rng(1)
    down, up = rng.normal(size=(rank, 4)), rng.normal(size=(6, rank))
    tensors = {"encoder/a.down": down.astype(np.float32), "encoder/a.up": up.astype(np.float32)}
    return Adapters("b" * 64, 2.0, tensors)


def weights() -> dict[str, np.ndarray]:
    return {"encoder/a/weight": np.ones((6, 4), np.float16), "encoder/b/weight": np.ones(3)}


def test_adapters_are_merged_into_what_they_were_trained_on() -> None:
    made = learned()
    merged = made.merged(weights())
    change = 2.0 * made.tensors["encoder/a.up"] @ made.tensors["encoder/a.down"]
    np.testing.assert_allclose(merged["encoder/a/weight"], 1 + change, atol=0.02)
    assert merged["encoder/a/weight"].dtype == np.float16
    np.testing.assert_array_equal(merged["encoder/b/weight"], np.ones(3))


def test_adapters_of_another_shape_are_refused() -> None:
    with pytest.raises(AdaptersUnusable, match="encoder/a"):
        learned().merged({"encoder/a/weight": np.ones((6, 5))})
    with pytest.raises(AdaptersUnusable, match="encoder/a"):
        learned().merged({})


def test_adapters_survive_the_disk(tmp_path: Path) -> None:
    learned().save(tmp_path / "a.safetensors")
    read = adapters.load(tmp_path / "a.safetensors")
    assert read.base == "b" * 64 and read.scale == 2.0 and read.names == ["encoder/a"]
    np.testing.assert_allclose(
        read.merged(weights())["encoder/a/weight"],
        learned().merged(weights())["encoder/a/weight"],
        atol=0.01,
    )


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff" * 100])
def test_damaged_adapters_are_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(raw)
    with pytest.raises(AdaptersUnusable, match=r"a\.safetensors"):
        adapters.load(tmp_path / "a.safetensors")


def test_half_an_adapter_is_refused(tmp_path: Path) -> None:
    whole = learned()
    half = {"encoder/a.up": whole.tensors["encoder/a.up"]}
    Adapters("b" * 64, 2.0, half).save(tmp_path / "a.safetensors")
    with pytest.raises(AdaptersUnusable, match=r"encoder/a\.down"):
        adapters.load(tmp_path / "a.safetensors")


def clip(
    folder: Path, name: str, speaker: str, *, marked: bool, seconds: float = 1.0
) -> TrainingClip:
    rng = np.random.default_rng(len(name))
    write_clip(folder / f"{name}.npy", rng.normal(0, 0.1, int(seconds * 16000)).astype(np.float32))
    tokens = (1, 2, 3, 4, 5, STOP) if marked else (6, 7, 8, 9, 10)
    return TrainingClip(f"{name}.npy", tokens, speaker, 1.0, marked)


@pytest.fixture
def made(tmp_path: Path) -> AdaptationJob:
    marked = tuple(clip(tmp_path, f"m{i}", f"s{i % 2}", marked=True) for i in range(4))
    plain = tuple(clip(tmp_path, f"p{i}", "s9", marked=False) for i in range(3))
    sources = (ClipSource("a", 0.5, marked), ClipSource("b", 0.5, plain, (0, 3)))
    plan = AdaptationPlan(steps=10, frames=2000)
    made = AdaptationJob("base", plan, VOCABULARY, sources, marked[:1] + plain[:1])
    made.save(tmp_path)
    return made


def drawn(folder: Path, job: AdaptationJob, count: int = 12) -> list[WindowBatch]:
    return list(islice(Batches(folder, job, LogMel()), count))


def test_a_job_is_read_as_it_was_written(tmp_path: Path, made: AdaptationJob) -> None:
    assert job.load(tmp_path) == made


def test_batches_are_windows_with_a_margin(tmp_path: Path, made: AdaptationJob) -> None:
    for batch in drawn(tmp_path, made):
        frames = batch.mel.shape[2]
        assert frames % 100 == 0 and 140 <= frames <= 2200 and batch.mel.shape[1] == 80
        assert batch.inputs.shape == batch.targets.shape and batch.inputs.shape[1] % 16 == 0
        assert len(batch.mel) == len(batch.inputs) == len(batch.marked)


def test_only_the_text_is_learned(tmp_path: Path, made: AdaptationJob) -> None:
    """What comes before is given, and each target is the token that follows its input."""
    for batch in drawn(tmp_path, made):
        for inputs, targets in zip(batch.inputs, batch.targets, strict=True):
            at = np.flatnonzero(targets != IGNORED)
            assert targets[at[-1]] == END and inputs[at[0]] == START[-1]
            assert tuple(inputs[at[0] - 3 : at[0] + 1]) == START
            np.testing.assert_array_equal(inputs[at[1:]], targets[at[:-1]])


def test_texts_without_marks_end_with_one(tmp_path: Path, made: AdaptationJob) -> None:
    for batch in drawn(tmp_path, made):
        for targets, marked in zip(batch.targets, batch.marked, strict=True):
            said = [int(t) for t in targets if t not in (IGNORED, END)]
            assert not said or said[-1] == STOP
            assert marked or said[-2] != STOP


def test_most_are_told_the_bundles_prompt(tmp_path: Path, made: AdaptationJob) -> None:
    starts = [tuple(row) for batch in drawn(tmp_path, made, 20) for row in batch.inputs]
    prompted = [row for row in starts if row[:3] == (PREVIOUS, *PROMPT)]
    assert 0.7 < len(prompted) / len(starts) < 1


def test_what_was_drawn_is_not_drawn_again_when_it_goes_on(
    tmp_path: Path, made: AdaptationJob
) -> None:
    first, again, later = (
        next(iter(Batches(tmp_path, made, LogMel(), step))) for step in (0, 0, 50)
    )
    np.testing.assert_array_equal(first.mel, again.mel)
    assert first.mel.shape != later.mel.shape or (first.mel != later.mel).any()


def test_what_is_held_out_is_always_the_same(tmp_path: Path, made: AdaptationJob) -> None:
    batches = Batches(tmp_path, made, LogMel())
    first, second = (list(batches.held_out()) for _ in range(2))
    assert sum(len(batch.mel) for batch in first) == 2
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.mel, other.mel)


def test_spans_are_blotted_out_of_what_is_learned_from_alone(
    tmp_path: Path, made: AdaptationJob
) -> None:
    masked = replace(made, plan=replace(made.plan, masked=True))
    plain, blotted = drawn(tmp_path, made)[0].mel, drawn(tmp_path, masked)[0].mel
    assert plain.shape == blotted.shape
    assert 0.02 < np.mean(plain != blotted) < 0.5
    held = [next(Batches(tmp_path, job, LogMel()).held_out()) for job in (made, masked)]
    np.testing.assert_array_equal(held[0].mel, held[1].mel)


def test_windows_say_whether_the_base_is_to_be_followed(
    tmp_path: Path, made: AdaptationJob
) -> None:
    one, other = made.sources
    marked_alone = replace(made, sources=(replace(one, followed=True), other))
    for batch in drawn(tmp_path, marked_alone):
        somebody = (batch.targets != IGNORED).sum(axis=1) > 1
        np.testing.assert_array_equal(batch.followed[somebody], batch.marked[somebody])
