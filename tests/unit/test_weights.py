"""Published weights -> bundles: every part checked and named, content the same from anywhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from inference.adaptation import adapters
from inference.asr import ct2
from inference.asr.whisper import WhisperModel
from inference.bundles import seal
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Window
from provisioning.weights import source
from provisioning.weights.bundle import BUNDLES, HOTLINE
from provisioning.weights.source import Publisher, WeightsUnusable, find
from provisioning.weights.tokenizer import content_sha256, rebuilt
from provisioning.weights.vocabulary import is_kept
from tests import tiny_whisper

TOKENIZER = {  # as Whisper's is written, but for its size
    "model": {"vocab": {"Ġ": 0, "t": 1, "Ġt": 2}, "merges": [["Ġ", "t"]]},
    "added_tokens": [{"id": 50_257, "content": "<|endoftext|>"}],
}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site-packages folder with two parts of a tiny model, as a publisher lays them out."""
    made = tiny_whisper.write(tmp_path / "tiny")
    raw = (made / "model.bin").read_bytes()
    halves = (raw[: len(raw) // 2], raw[len(raw) // 2 :])
    site, names = tmp_path / "site", ("one", "two")
    for number, (name, half) in enumerate(zip(names, halves, strict=True), 1):
        data = site / name / "data"
        data.mkdir(parents=True)
        (data / f"model.bin.part{number}").write_bytes(half)
        shutil.copy(made / "config.json", data)
        (data / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    parts = tuple((len(half), hashlib.sha256(half).hexdigest()) for half in halves)
    monkeypatch.setattr(source, "PUBLISHERS", (Publisher("us", names, parts, "weights.txt"),))
    monkeypatch.setattr(source, "WEIGHTS_SHA256", ct2.content_sha256(ct2.read(raw)))
    config = json.dumps(json.loads((made / "config.json").read_bytes()), sort_keys=True)
    monkeypatch.setattr(source, "CONFIG_SHA256", hashlib.sha256(config.encode()).hexdigest())
    monkeypatch.setattr(source, "TOKENIZER_SHA256", content_sha256(rebuilt(TOKENIZER)))
    return site


def test_whole_wheels_are_joined(published: Path) -> None:
    found = find(published)
    assert found.origin == "us" and "encoder/conv1/weight" in found.tensors


def test_a_folder_with_the_file_serves_as_well(published: Path, tmp_path: Path) -> None:
    parts = sorted(published.rglob("model.bin.part*"))
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "model.bin").write_bytes(b"".join(part.read_bytes() for part in parts))
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(published / "one" / "data" / name, stick)
    assert find(stick).tensors.keys() == find(published).tensors.keys()


def test_a_missing_part_is_named(published: Path) -> None:
    (published / "two" / "data" / "model.bin.part2").unlink()
    with pytest.raises(WeightsUnusable, match=r"model\.bin\.part2 is missing"):
        find(published)


def test_an_altered_part_is_named(published: Path) -> None:
    part = published / "one" / "data" / "model.bin.part1"
    raw = bytearray(part.read_bytes())
    raw[100] ^= 1
    part.write_bytes(raw)
    with pytest.raises(WeightsUnusable, match=r"model\.bin\.part1 is altered"):
        find(published)
    part.write_bytes(raw[:-1])
    with pytest.raises(WeightsUnusable, match="bytes, not"):
        find(published)


def test_other_weights_are_refused(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(WeightsUnusable, match="not the weights of Whisper base"):
        find(published)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("altered", [{}, {"model": {}}, []])
def test_what_stands_beside_them_is_checked(published: Path, name: str, altered: object) -> None:
    for part in published.iterdir():
        (part / "data" / name).write_text(json.dumps(altered))
    with pytest.raises(WeightsUnusable, match=f"{name} is not that of Whisper base"):
        find(published)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnusable, match="holds neither"):
        find(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(WeightsUnusable, match="not whole"):
        find(tmp_path)


def test_what_is_written_is_what_was_read(published: Path, tmp_path: Path) -> None:
    weights, made = find(published), tmp_path / "made"
    made.mkdir()
    tokens = tiny_whisper.tokenizer()
    names = [tokens.id_to_token(i) for i in range(tokens.get_vocab_size())]
    ct2.write(weights.tensors, names, weights.config, made, "float32")
    again = ct2.read((made / "model.bin").read_bytes())
    assert ct2.content_sha256(again) == ct2.content_sha256(weights.tensors)
    ct2.write(weights.tensors, names, weights.config, made, "int8_float32")
    tokens.save(str(made / "tokenizer.json"))
    seal(made, name="t", version="1", kind="ctranslate2-whisper", licence="x", demo=True)
    sound = np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ).astype(np.float32) * 0.1
    (heard,) = WhisperModel(made).listen([Window(sound, language="zh", retries=False)])
    assert isinstance(heard, Hypothesis)


@pytest.mark.parametrize(
    "text", ["我", "热力", "，", "。", "the", " th", "12", "\ufffd", "《", "A"]
)
def test_what_chinese_needs_is_kept(text: str) -> None:
    assert is_kept(text)


@pytest.mark.parametrize(
    "text", ["hello", " the world", "で", "ありがとう", "спасибо", "für", "한국"]
)
def test_what_it_does_not_need_is_pruned(text: str) -> None:
    assert not is_kept(text)


def test_the_default_bundles_are_pinned() -> None:
    requirements = Path(__file__).parents[2] / "requirements"
    for publisher in source.PUBLISHERS:
        pins = (requirements / publisher.requirements).read_text(encoding="utf-8")
        for package in publisher.packages:
            assert package.replace("_", "-") in pins and "--hash=sha256:" in pins
        assert len(publisher.parts) == len(publisher.packages)
    told = json.loads((Path(source.__file__).parent / "manifest.json").read_text(encoding="utf-8"))
    for precision in BUNDLES:
        assert told[precision.name]["notice"] and told[precision.name]["measured"]["cer"]


def test_what_whisper_base_was_taught_is_small_and_whole() -> None:
    learned = adapters.load(HOTLINE)
    assert HOTLINE.stat().st_size <= 10_000_000
    assert len(learned.base) == 64 and len(learned.names) > 10
