"""Pack what a bare GPU machine lacks: `python -m tools.gpu_check.pack [--python 3.12]`.

Writes build/gpu-kit/kit-1.part, kit-2.part, ...: one tar.xz in parts of at most 55 MB, which
start.sh joins again; some 125 MB in all, most of it the Triton binary and CTranslate2 for CUDA.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from provisioning.medium.inputs import PLATFORMS

ROOT = Path(__file__).resolve().parents[2]
PART_BYTES = 55_000_000
# Large, and on any machine that computes with a GPU; or not needed to measure one.
LEFT_OUT = {
    *("numpy", "scipy", "onnxruntime", "grpcio", "tokenizers", "av", "setuptools", "hf_xet"),
    *("huggingface_hub", "grpcio_tools", "ml_dtypes", "pygments"),
}
VAD_FILES = ("silero_vad_op18_ifless.onnx", "silero_vad_16k_sequence.onnx", "__init__.py")
NOT_NEEDED = re.compile(
    r"libpython3\.\d+|/s?bin/(?!tritonserver)|python_backend_stubs/(?!{python}/)"
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.gpu_check.pack", description=__doc__)
    parser.add_argument("--python", default="3.12", help="of the machine with the GPU")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu-kit")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lingting-kit-") as folder:
        site = Path(folder) / "site"
        _wheels(given.python, site)
        _triton(given.python, site)
        shutil.copytree(ROOT / "bundles" / "whisper-base", Path(folder) / "whisper-base")
        shutil.rmtree(given.out, ignore_errors=True)
        given.out.mkdir(parents=True)
        for path in _parts(Path(folder), given.out):
            print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def _wheels(python: str, site: Path) -> None:
    digits = python.replace(".", "")
    target = [*("--python-version", python, "--implementation", "cp", "--abi", f"cp{digits}")]
    target += [*("--abi", "abi3", "--abi", "none")]
    target += [part for name in PLATFORMS for part in ("--platform", name)]
    files = [ROOT / "requirements" / f"{name}.txt" for name in ("gateway", "cpu")]
    wanted = [part for file in files for part in ("-r", str(file))]
    with tempfile.TemporaryDirectory() as wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", *target, "--dest", wheels, *wanted]
        subprocess.run(command, check=True)
        for wheel in sorted(Path(wheels).glob("*.whl")):
            if wheel.name.split("-")[0].lower() not in LEFT_OUT:
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(site)


def _triton(python: str, site: Path) -> None:
    """Of two wheels that are in this environment only the files that are needed."""
    spec = importlib.util.find_spec("pytriton")
    assert spec and spec.submodule_search_locations, "make .venv/.demo"
    here = Path(spec.submodule_search_locations[0]).parent
    skipped = re.compile(NOT_NEEDED.pattern.replace("{python}", re.escape(python)))
    for name in ("pytriton/__init__.py", "pytriton/tritonserver", "nvidia_pytriton.libs"):
        source = here / name
        for path in [source] if source.is_file() else source.rglob("*"):
            if path.is_file() and not skipped.search(f"/{path.relative_to(here)}"):
                copy = site / path.relative_to(here)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)
    (site / "silero_vad" / "data").mkdir(parents=True)
    (site / "silero_vad" / "__init__.py").touch()
    for name in VAD_FILES:
        shutil.copy2(here / "silero_vad" / "data" / name, site / "silero_vad" / "data")


def _parts(folder: Path, out: Path) -> Iterator[Path]:
    """One archive, cut into parts that `cat` joins again."""
    whole = out / "kit.tar.xz"
    with tarfile.open(whole, "w:xz", preset=9) as archive:
        archive.add(folder, arcname=".")
    with whole.open("rb") as file:
        number = 0
        while block := file.read(PART_BYTES):
            number += 1
            part = out / f"kit-{number}.part"
            part.write_bytes(block)
            yield part
    whole.unlink()


if __name__ == "__main__":
    main()
