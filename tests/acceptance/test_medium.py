"""The medium: the same bytes every time, a true bill of materials, nothing of the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from installer.media import is_trial, open_medium, verify

from provisioning.medium.medium import DOCUMENTS, LINK
from provisioning.medium.packages import tracked
from tests.machine import BUILD, EPOCH, INPUTS, ROOT, source

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        os.geteuid() != 0 and not INPUTS.exists(), reason="a medium is fetched by root"
    ),
]


def build(output: Path, version: str, *flags: str) -> Path:
    """Without any network: in a namespace that has none."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 else []
    command = [*alone, sys.executable, "-m", "provisioning.medium", "build"]
    command += ["--output", str(output), "--inputs-folder", str(INPUTS)]
    command += ["--source", str(source(version)), "--key", str(BUILD / "signing"), *flags]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    return output


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("media")
    return [build(folder / name, "0.9.0", "--iso") for name in ("one", "other")]


def test_two_builds_are_the_same(media: list[Path]) -> None:
    compared = subprocess.run(
        [sys.executable, "-m", "provisioning.medium", "compare", *map(str, media)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert compared.returncode == 0, compared.stdout
    for name in ("SHA256SUMS", "SHA256SUMS.sig"):
        assert (media[0] / name).read_bytes() == (media[1] / name).read_bytes()
    isos = [path.with_suffix(".iso").read_bytes() for path in media]
    assert isos[0] == isos[1]


def test_it_holds_all_of_the_installer(media: list[Path]) -> None:
    for path in tracked(ROOT):
        if path.is_relative_to("provisioning/installer"):
            there = media[0] / "installer" / path.relative_to("provisioning/installer")
            assert there.is_file(), there


def test_every_link_of_its_pages_leads_somewhere(media: list[Path]) -> None:
    pages = list((media[0] / DOCUMENTS).rglob("*.md"))
    assert len(pages) > 10
    for page in pages:
        for _, target in LINK.findall(page.read_text(encoding="utf-8")):
            path = target.partition("#")[0]
            assert "://" in target or not path or (page.parent / path).exists(), (page, target)


def test_it_is_known_for_a_trial(media: list[Path]) -> None:
    assert is_trial(media[0])


def test_it_verifies_as_the_installer_does(media: list[Path]) -> None:
    verify(open_medium(media[0]))


def test_the_bill_of_materials_is_valid_and_complete(media: list[Path]) -> None:
    text = (media[0] / "sbom.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    listed = {h["content"] for c in bill["components"] for h in c["hashes"]}
    files = (media[0] / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    shipped = {line.split("  ")[0] for line in files if line.endswith((".whl", ".deb"))}
    assert listed == shipped
    names = {component["name"] for component in bill["components"]}
    assert {"ctranslate2", "grpcio", "systemd-python", "lingting-triton", "python3"} <= names


def test_it_holds_no_key_and_no_tests(media: list[Path]) -> None:
    listed = subprocess.run(
        ["dpkg-deb", "--contents", str(next(media[0].glob("packages/lingting_*.deb")))],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "releases/0.9.0/appliance/cli/serve.py" in listed
    assert "/tests/" not in listed and "inference/training" not in listed
    secret = [p for p in media[0].rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()]
    assert not secret


def test_its_packages_install_side_by_side(media: list[Path]) -> None:
    shown = [
        subprocess.run(
            ["dpkg-deb", "--contents", str(path)], capture_output=True, text=True, check=True
        ).stdout
        for path in media[0].glob("packages/*.deb")
    ]
    files = [line.split()[-1] for text in shown for line in text.splitlines() if line[0] == "-"]
    assert all(name.startswith("./opt/lingting/releases/0.9.0/") for name in files)
    assert len(files) == len(set(files))


def test_too_few_inputs_are_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "provisioning.medium", "build", "--profiles", "gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and "cpu" in done.stderr
    shutil.rmtree(tmp_path)
