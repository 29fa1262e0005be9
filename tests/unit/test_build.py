"""Weights in a folder become a bundle, without torch; what would run code is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from appliance.engine.canary import is_close, load_canary
from appliance.settings.section import PROJECT
from inference.asr import ct2
from inference.asr.whisper import WhisperModel
from inference.build import build, kind_of, main
from inference.bundles import BundleInvalid, load_manifest, verify
from inference.tensors import Hypothesis, Window

FACTS: dict[str, Any] = {"name": "whisper-tiny", "version": "7", "licence": "MIT"}
BASE = PROJECT / "bundles" / "whisper-base"
CHINESE = {**FACTS, "languages": ["zh"]}
WIDE = np.float32
D, HEADS, LAYERS, FFN, MELS = 32, 2, 2, 64, 80


@pytest.fixture
def hub(tmp_path: Path, tiny_bundle: Path) -> Path:
    """A random Whisper as transformers saves it, with the tiny bundle's tokenizer."""
    folder = tmp_path / "hub"
    folder.mkdir()
    shutil.copyfile(tiny_bundle / "tokenizer.json", folder / "tokenizer.json")
    tokens = len(json.loads((tiny_bundle / "vocabulary.json").read_text()))
    config = {"model_type": "whisper", "encoder_layers": LAYERS, "decoder_layers": LAYERS}
    config |= {"encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(random_weights(tokens), folder / "model.safetensors")
    return folder


def random_weights(tokens: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)

    def made(*shape: int) -> np.ndarray:
        return (0.05 * rng.standard_normal(shape)).astype(WIDE)

    given = {
        "model.encoder.conv1.weight": made(D, MELS, 3),
        "model.encoder.conv2.weight": made(D, D, 3),
        "model.encoder.conv1.bias": made(D),
        "model.encoder.conv2.bias": made(D),
        "model.encoder.embed_positions.weight": made(1500, D),
        "model.decoder.embed_positions.weight": made(448, D),
        "model.decoder.embed_tokens.weight": made(tokens, D),
    }
    for side in ("encoder", "decoder"):
        given |= norm(f"model.{side}.layer_norm")
        for layer in range(LAYERS):
            at = f"model.{side}.layers.{layer}"
            for attention in ("self_attn", *(["encoder_attn"] if side == "decoder" else [])):
                given |= norm(f"{at}.{attention}_layer_norm")
                for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                    given[f"{at}.{attention}.{part}.weight"] = made(D, D)
                    if part != "k_proj":
                        given[f"{at}.{attention}.{part}.bias"] = made(D)
            given |= norm(f"{at}.final_layer_norm")
            given |= {f"{at}.fc1.weight": made(FFN, D), f"{at}.fc1.bias": made(FFN)}
            given |= {f"{at}.fc2.weight": made(D, FFN), f"{at}.fc2.bias": made(D)}
    return given


def norm(name: str) -> dict[str, np.ndarray]:
    return {f"{name}.weight": np.ones(D, WIDE), f"{name}.bias": np.zeros(D, WIDE)}


def test_a_hub_folder_becomes_a_bundle_that_hears(hub: Path, tmp_path: Path) -> None:
    out = build(hub, tmp_path / "bundle", "float32", CHINESE)
    manifest = verify(out)
    assert (manifest.name, manifest.version, manifest.demo) == ("whisper-tiny", "7", False)
    tensors = ct2.read((out / "model.bin").read_bytes())
    given = random_weights(len(tensors["decoder/embeddings/weight"]))
    at = "model.decoder.layers.1.encoder_attn"
    keys = np.concatenate([given[f"{at}.k_proj.weight"], given[f"{at}.v_proj.weight"]])
    np.testing.assert_array_equal(tensors["decoder/layer_1/attention/linear_1/weight"], keys)
    bias = tensors["encoder/layer_0/self_attention/linear_0/bias"]
    assert not bias[D : 2 * D].any() and bias[:D].any()  # Whisper's keys have none
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    (heard,) = WhisperModel(out).listen([Window(noise, language="zh", retries=False)])
    assert isinstance(heard, Hypothesis)


def test_a_ctranslate2_folder_is_taken_as_it_is(tiny_bundle: Path, tmp_path: Path) -> None:
    out = build(tiny_bundle, tmp_path / "bundle", "float16", FACTS)
    assert (out / "model.bin").read_bytes() == (tiny_bundle / "model.bin").read_bytes()
    assert verify(out).kind == "ctranslate2-whisper"


def test_a_bundle_knows_what_it_must_hear(tmp_path: Path) -> None:
    """In a clip that was given, so that a card or a Triton that computes wrongly is told."""
    shipped = load_manifest(BASE).canary
    assert shipped is not None
    out = build(BASE, tmp_path / "bundle", "int8", FACTS, BASE / shipped.audio)
    made = load_canary(out)
    assert made.text and is_close(made.text, shipped.text) and len(made.audio) > 16_000
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    with pytest.raises(BundleInvalid, match=r"noise\.wav is no canary.*ffmpeg"):
        build(BASE, tmp_path / "other", "int8", FACTS, tmp_path / "noise.wav")
    assert not (tmp_path / "other").exists()


def test_pickles_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("pytorch_model.bin", "last.ckpt", "weights.pt"):
        folder = tmp_path / name.split(".")[0]
        folder.mkdir()
        (folder / name).write_bytes(b"\x80\x04K\x01.")
        with pytest.raises(BundleInvalid, match="is a pickle"):
            kind_of(folder)
    flags = ["--out", str(tmp_path / "o"), "--name", "x", "--version", "1", "--licence", "MIT"]
    assert main([str(tmp_path / "last"), *flags]) == 1
    assert "last.ckpt" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_what_is_not_whole_leaves_nothing_behind(hub: Path, tmp_path: Path) -> None:
    (hub / "tokenizer.json").unlink()
    with pytest.raises(BundleInvalid, match=r"tokenizer\.json is missing"):
        build(hub, tmp_path / "bundle", "float32", FACTS)
    assert not (tmp_path / "bundle").exists()


def test_a_cut_off_file_and_another_model_are_named(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--name", "x", "--version", "1", "--licence", "MIT"]
    whole = (hub / "model.safetensors").read_bytes()
    (hub / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert main([str(hub), "--out", str(tmp_path / "a"), *flags]) == 1
    assert "model.safetensors" in capsys.readouterr().err
    (hub / "config.json").write_text('{"model_type": "bert"}')
    assert main([str(hub), "--out", str(tmp_path / "b"), *flags]) == 1
    assert "model_type is 'bert'" in capsys.readouterr().err


def test_nothing_is_written_over(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with pytest.raises(FileExistsError):
        build(hub, tmp_path / "bundle", "float32", FACTS)
    assert (tmp_path / "bundle").is_dir()
