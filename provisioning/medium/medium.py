"""One medium: a folder, or an ISO of it, with everything a clean Debian 12 needs to become a box.

install  installer/  docs/  README.txt      what a person touches first
packages/  wheels/PROFILE/  apt/            what is installed, with an index for apt
medium.json  sbom.cdx.json                  what is in it
SHA256SUMS  SHA256SUMS.sig  release-key.gpg whether it is whole, and whose it is
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from appliance.proto.generate import imports
from provisioning.medium import inputs, packages, sbom
from provisioning.medium.signature import KEYRING, SIGNATURE, SUMS, Signer

FORMAT = 1
DOCUMENTS = "docs"
FRONT = (
    ".py",
    ".toml",
    ".md",
    ".png",
    ".java",
    ".sh",
    ".cfg",
)  # of files that a person may look into
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
PROTOCOL = Path("appliance/proto/lingting/hotline/v1/hotline.proto")
README = """\
聆听 Lingting {version}

以 root 身份运行，先检查（不改动本机），再安装：
As root, check first (this changes nothing), then install:

  ./install preflight
  ./install install

验证签名（指纹应与供应商另行告知的一致）：
To verify by hand (compare the fingerprint with what the vendor told you by another way):

  gpgv --keyring ./release-key.gpg SHA256SUMS.sig SHA256SUMS && sha256sum --check --quiet SHA256SUMS
"""


def release_epoch(root: Path) -> int:
    """When the sources were last changed, s since 1970: the time that goes into what is built."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    log = ["git", "log", "-1", "--format=%ct"]
    done = subprocess.run(log, cwd=root, capture_output=True, text=True, check=True)
    return int(done.stdout)


def project_version(root: Path) -> str:
    with (root / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def build(
    root: Path,
    fetched: Path,
    target: Path,
    signer: Signer,
    profiles: tuple[str, ...],
    tell: Callable[[str], None],
) -> None:
    """Fill `target` from the sources and from what `fetch` laid into `fetched`."""
    epoch, version = release_epoch(root), project_version(root)
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    tell("packages")
    _packages(root, fetched, target, version, epoch, profiles)
    tell("wheels")
    for profile in profiles:
        _wheels(fetched, target, profile)
    tell("apt")
    _apt(fetched, target)
    tell("documents")
    _front(root, target, version)
    tell("sbom")
    sbom.write(target, version, epoch, target / "sbom.cdx.json")
    _describe(root, target, version, epoch, profiles)
    tell("signature")
    seal(target, signer, epoch)
    _same_time(target, epoch)


def _packages(
    root: Path,
    fetched: Path,
    target: Path,
    version: str,
    epoch: int,
    profiles: tuple[str, ...],
) -> None:
    release = packages.RELEASES / version
    wheel = next((fetched / "wheels" / "cpu").glob(f"{inputs.TRITON_WHEEL}-*.whl"))
    for package, stage in (
        (packages.LINGTING, lambda to: packages.stage_box(root, to)),
        (packages.TRITON, lambda to: packages.stage_triton(wheel, to)),
        (packages.MODELS, lambda to: packages.stage_models(root, to, profiles)),
    ):
        with tempfile.TemporaryDirectory(prefix="lingting-stage-") as folder:
            staged = Path(folder)
            stage(staged / release)
            packages.build(package, staged, version, target / "packages", epoch)


def _wheels(fetched: Path, target: Path, profile: str) -> None:
    folder = target / "wheels" / profile
    folder.mkdir(parents=True)
    kept = []
    for wheel in sorted((fetched / "wheels" / profile).glob("*.whl")):
        if not wheel.name.startswith(inputs.TRITON_WHEEL):  # it is in a package of its own
            kept.append(Path(shutil.copy(wheel, folder)))
    (folder / "lock.txt").write_text(inputs.lock(kept), encoding="utf-8")


def _apt(fetched: Path, target: Path) -> None:
    folder = target / "apt"
    folder.mkdir()
    for package in sorted((fetched / "apt").glob("*.deb")):
        shutil.copy(package, folder)
    index = subprocess.run(
        ["dpkg-scanpackages", "--multiversion", "."], cwd=folder, capture_output=True, check=True
    )
    (folder / "Packages").write_bytes(index.stdout)


def linked(page: Path, docs: Path) -> str:
    """A page of the documents whose links lead to what is on the medium; others are plain words."""

    def link(found: re.Match[str]) -> str:
        target = (page.parent / found[2].partition("#")[0]).resolve()
        there = not found[2].partition("#")[0] or (
            target.is_relative_to(docs.resolve()) and target.suffix in FRONT
        )
        return found[0] if there or "://" in found[2] else found[1]

    return LINK.sub(link, page.read_text(encoding="utf-8"))


def _front(root: Path, target: Path, version: str) -> None:
    shutil.copy(root / "provisioning" / "install", target / "install")
    for path in packages.tracked(root):
        for source, place in (("provisioning/installer", "installer"), ("docs", DOCUMENTS)):
            if path.as_posix().startswith(f"{source}/") and path.suffix in FRONT:
                copy = target / place / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / path, copy)
                if place == DOCUMENTS and path.suffix == ".md":
                    copy.write_text(linked(root / path, root / "docs"), encoding="utf-8")
    for path in (PROTOCOL, PROTOCOL.with_name("hotline_pb2.py")):
        copy = target / DOCUMENTS / "examples" / path.relative_to("appliance/proto")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, copy)
    for name, path in imports().items():  # so that it compiles with protoc alone
        copy = target / DOCUMENTS / "examples" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (target / "README.txt").write_text(README.format(version=version), encoding="utf-8")


def _describe(
    root: Path, target: Path, version: str, epoch: int, profiles: tuple[str, ...]
) -> None:
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    facts = {
        "format": FORMAT,
        "name": "lingting",
        "version": version,
        "made": datetime.fromtimestamp(epoch, UTC).isoformat(),
        "for": {"os": "debian", "version": "12", "architecture": packages.ARCHITECTURE},
        "profiles": list(profiles),
        "size_bytes": size,
        "components": sbom.count(target / "sbom.cdx.json"),
    }
    text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
    (target / "medium.json").write_text(text, encoding="utf-8")


def seal(target: Path, signer: Signer, epoch: int) -> None:
    """Checksums of every file, signed."""
    apart = {SUMS, SIGNATURE, KEYRING}
    files = sorted(p for p in target.rglob("*") if p.is_file() and p.name not in apart)
    lines = [f"{_digest(path)}  {path.relative_to(target)}\n" for path in files]
    (target / SUMS).write_text("".join(lines), encoding="utf-8")
    signer.sign(target, epoch)


def _same_time(target: Path, epoch: int) -> None:
    for path in target.rglob("*"):
        os.utime(path, (epoch, epoch))
    os.utime(target, (epoch, epoch))


def write_iso(target: Path, image: Path, epoch: int) -> None:
    """An ISO 9660 image with Rock Ridge names; needs xorriso."""
    date = datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%d%H%M%S00")
    subprocess.run(
        [
            *("xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-joliet-long", "-V", "LINGTING"),
            *(f"--modification-date={date}", "-o", str(image), str(target)),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        check=True,
        capture_output=True,
    )


def differences(one: Path, other: Path) -> list[str]:
    """Files that are not the same in two media."""
    first, second = _sums(one), _sums(other)
    return sorted(name for name in first | second if first.get(name) != second.get(name))


def _sums(medium: Path) -> dict[str, str]:
    lines = (medium / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
