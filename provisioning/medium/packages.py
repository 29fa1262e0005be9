"""Our own .deb packages: one release each of the box, of Triton, of the models.

Every file lies under /opt/lingting/releases/VERSION, so that releases stand side by side and none
overwrites another's files. They hold no maintainer scripts: provisioning/install does the work.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.assist.city.known import SHIPPED as TAUGHT
from appliance.assist.city.known import files_of, models_of
from appliance.assist.city.pack import load
from appliance.settings.calls import CitySettings
from inference.bundles import MANIFEST, verify

HERE = Path(__file__).resolve().parents[2]
RELEASES = Path("opt/lingting/releases")
ARCHITECTURE = "amd64"
MAINTAINER = "Lingting <lingting@localhost>"
# What a box needs of this repository; tests and training stay at home.
SHIPPED = ("appliance", "inference", "model_repo", "provisioning", "docs", "monitoring")
SHIPPED_FILES = ("pyproject.toml", "README.md", "README.zh-CN.md", "LICENSE", "CHANGELOG.md")
LEFT_OUT = ("inference/training", *(f"provisioning/{n}" for n in ("medium", "vm", "weights")))
EXECUTABLE = 0o755
PLAIN = 0o644


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    description: str
    depends: str = ""


LINGTING = Package(
    "lingting",
    "speech box for citizen hotlines: the gateway and what runs it",
    "python3 (>= 3.11), python3-venv, nftables, systemd (>= 252)",
)
TRITON = Package("lingting-triton", "NVIDIA Triton Inference Server for Lingting", "libpython3.11")
MODELS = Package(
    "lingting-models",
    "models: Whisper base, speakers by pyannote and CAM++, moods by words",
)
# Built from published weights (`make weights`), by the profile that serves them.
SPEAKERS = "pyannote-campplus"
BUILT = {"cpu": ("whisper-base", SPEAKERS), "gpu": ("whisper-base-float16", SPEAKERS)}


def tracked(root: Path) -> list[Path]:
    """Files under version control, relative; a medium holds nothing else of ours."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    paths = (Path(name) for name in listed.split("\0") if name)
    return sorted(path for path in paths if (root / path).is_file())


def ships(path: Path) -> bool:
    """Whether a tracked file goes into the `lingting` package."""
    name = path.as_posix()
    if any(name.startswith(f"{folder}/") for folder in LEFT_OUT):
        return False
    return path.parts[0] in SHIPPED or name in SHIPPED_FILES


def stage_box(root: Path, release: Path) -> None:
    """Our files, and what the shipped city pack teaches: a box's first start need not learn it."""
    for path in tracked(root):
        if ships(path):
            _place(root / path, release / path)
    city = CitySettings()
    pack = load(root / city.pack.relative_to(HERE))
    models_of(pack, city.cache)
    for model in files_of(pack, city.cache):
        _place(model, release / TAUGHT.relative_to(HERE) / model.name)


def stage_models(root: Path, release: Path, profiles: Iterable[str] = ("cpu",)) -> None:
    """Bundles under version control, and those that were built here from published weights.

    Raises BundleInvalid if one of the latter is missing or altered.
    """
    for path in tracked(root):
        if path.parts[0] == "bundles":
            _place(root / path, release / path)
    for built in sorted({name for profile in profiles for name in BUILT[profile]}):
        bundle = root / "bundles" / built
        if not bundle.is_dir():  # another release's sources: the weights are the same
            bundle = HERE / "bundles" / built
        names = (MANIFEST, *verify(bundle).files)
        for name in names:
            _place(bundle / name, release / "bundles" / bundle.name / name)


def stage_triton(wheel: Path, release: Path) -> None:
    """The server and its libraries out of the wheel; its Python package is not used."""
    wanted = ("pytriton/tritonserver/", "nvidia_pytriton.libs/")
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            licence = ".dist-info/" in entry.filename and "LICENSE" in entry.filename.upper()
            if entry.is_dir() or not (entry.filename.startswith(wanted) or licence):
                continue
            target = release / "triton" / entry.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))
            target.chmod(EXECUTABLE if (entry.external_attr >> 16) & stat.S_IXUSR else PLAIN)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(EXECUTABLE if source.stat().st_mode & stat.S_IXUSR else PLAIN)


def build(package: Package, staged: Path, version: str, target: Path, epoch: int) -> Path:
    """dpkg-deb over a staged tree; the same tree, version and `epoch` give the same bytes."""
    control = staged / "DEBIAN"
    control.mkdir()
    size_kib = sum(p.stat().st_size for p in staged.rglob("*") if p.is_file()) // 1024
    fields = {
        "Package": package.name,
        "Version": version,
        "Architecture": ARCHITECTURE,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size_kib),
        "Depends": package.depends,
        "Section": "comm",
        "Priority": "optional",
        "Description": package.description,
    }
    lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
    (control / "control").write_text("".join(lines), encoding="utf-8")
    for path in (staged, *staged.rglob("*")):
        if path.is_dir():
            path.chmod(EXECUTABLE)
    target.mkdir(parents=True, exist_ok=True)
    built = target / f"{package.name}_{version}_{ARCHITECTURE}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z6", "--build", str(staged), str(built)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        check=True,
        capture_output=True,
    )
    return built
