import json
import shutil
from pathlib import Path

import pytest

from inference import stock
from inference.bundles import BundleInvalid, load_manifest, main, seal, verify
from tests.daemon import DEMO_BUNDLE as DEMO


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def test_a_whole_bundle_verifies(bundle: Path) -> None:
    assert verify(bundle).name == "tiny"


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json", "config.json"])
def test_one_flipped_bit_is_found_and_named(bundle: Path, name: str) -> None:
    raw = bytearray((bundle / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (bundle / name).write_bytes(raw)
    with pytest.raises(BundleInvalid, match=name):
        verify(bundle)


def test_a_missing_file_is_named(bundle: Path) -> None:
    (bundle / "model.bin").unlink()
    with pytest.raises(BundleInvalid, match=r"model\.bin is missing"):
        verify(bundle)


def test_a_stranger_is_named(bundle: Path) -> None:
    (bundle / "extra.so").write_bytes(b"")
    with pytest.raises(BundleInvalid, match=r"extra\.so"):
        verify(bundle)


def test_no_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"manifest\.json is missing"):
        verify(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "name": "x"}'])
def test_a_broken_manifest_is_said(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleInvalid, match=r"manifest\.json"):
        verify(bundle)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("files", ["model.bin"]),
        ("files", {"model.bin": {"sha256": "0" * 64}}),
        ("files", {"model.bin": "0" * 64}),
        ("prompts", "以下"),
        ("prompts", {"zh": 5}),
        ("serving", {"margin_s": "5"}),
        ("serving", {"max_tokens_per_s": None}),
        ("serving", {"window_s": 0}),
        ("serving", {"margins": 5.0}),
        ("canary", {"audio": "canary.wav", "text": 5}),
        ("tasks", "transcribe"),
        ("languages", "zh"),
        ("languages", [5]),
        ("phantoms", "谢谢观看"),
        ("demo", "no"),
        ("name", None),
    ],
)
def test_a_value_of_another_type_is_named(bundle: Path, key: str, value: object) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(BundleInvalid, match=rf"manifest\.json is not a manifest: {key}"):
        load_manifest(bundle)


@pytest.mark.parametrize("name", ["folder", "link"])
def test_what_is_no_file_is_a_stranger_too(bundle: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (bundle / "folder").mkdir() if name == "folder" else (bundle / "link").symlink_to(
        tmp_path / "elsewhere"
    )
    with pytest.raises(BundleInvalid, match=name):
        verify(bundle)
    with pytest.raises(BundleInvalid, match=f"{name} is no plain file"):
        seal(bundle, name="x", version="1", kind="k", licence="l", demo=False)


def test_a_manifest_that_is_no_file_is_not_waited_for(bundle: Path, tmp_path: Path) -> None:
    (bundle / "manifest.json").rename(tmp_path / "manifest.json")
    (bundle / "manifest.json").symlink_to(tmp_path / "manifest.json")
    with pytest.raises(BundleInvalid, match="is no file"):
        verify(bundle)


def test_a_whisper_without_its_vocabulary_is_not_sealed(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (*bundle.glob("vocabulary.*"), bundle / "manifest.json"):
        path.unlink()
    told = ["seal", str(bundle), "--name", "a", "--version", "1", "--licence", "MIT"]
    assert main(told) == 1 and "vocabulary.json is missing" in capsys.readouterr().err


def test_a_converted_whisper_gets_what_stock_weights_want(bundle: Path) -> None:
    told = ["seal", str(bundle), "--name", "a", "--version", "1", "--licence", "MIT"]
    for more, prompts in (([], stock.PROMPTS), (["--plain"], {})):
        (bundle / "manifest.json").unlink()
        (bundle / "manifest.tmp").write_text("of one that was cut off")
        assert main([*told, *more]) == 0
        assert verify(bundle).prompts == prompts
    assert main(told) == 0 and not verify(bundle).prompts, "sealed again: as it was"


def test_a_name_that_leaves_the_folder_is_refused(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["../../etc/passwd"] = {"sha256": "0" * 64, "size": 0}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleInvalid, match="outside"):
        verify(bundle)


def test_pickles_are_not_sealed(bundle: Path) -> None:
    (bundle / "weights.pt").write_bytes(b"")
    with pytest.raises(BundleInvalid, match="pickles"):
        seal(bundle, name="x", version="1", kind="k", licence="l", demo=False)


def test_the_command_verifies_and_seals(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(bundle)]) == 0
    assert main(["seal", str(bundle), "--name", "a", "--version", "2", "--licence", "MIT"]) == 0
    assert verify(bundle).version == "2"
    (bundle / "config.json").unlink()
    assert main(["verify", str(bundle)]) == 1
    assert "config.json" in capsys.readouterr().err


def test_sealing_again_keeps_what_the_manifest_said(tmp_path: Path) -> None:
    """Above all that the weights are for demonstration."""
    folder = shutil.copytree(DEMO, tmp_path / "demo")
    told = ["seal", str(folder), "--name", "x", "--version", "1", "--licence", "MIT"]
    assert main(told) == 0
    before, after = load_manifest(DEMO), load_manifest(folder)
    assert (after.name, after.demo, after.serving) == ("x", True, before.serving)
    assert after.canary == before.canary and after.languages == before.languages
