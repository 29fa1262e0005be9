"""The Vagrantfile: Vagrant itself takes it, and it runs what the other machines run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

pytestmark = pytest.mark.skipif(
    not shutil.which("vagrant"), reason="needs vagrant: make build/.machine"
)


def vagrant(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a folder that holds what the Vagrantfile names."""
    (folder / "provisioning" / "vm").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "Vagrantfile", folder)
    shutil.copy(ROOT / "provisioning/vm/provision.sh", folder / "provisioning" / "vm")
    return subprocess.run(
        ["vagrant", *words],
        cwd=folder,
        env={**os.environ, "VAGRANT_HOME": str(folder / "home"), **environment},
        capture_output=True,
        text=True,
    )


def test_vagrant_takes_it(tmp_path: Path) -> None:
    (tmp_path / "build" / "medium").mkdir(parents=True)
    (tmp_path / "answers.toml").touch()
    for environment in ({}, {"GPU": "01:00.0", "ANSWERS": "answers.toml"}):
        done = vagrant(tmp_path, "validate", "--ignore-provider", **environment)
        assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_medium_it_says_what_to_do(tmp_path: Path) -> None:
    done = vagrant(tmp_path, "up")
    assert done.returncode != 0
    assert "make medium" in done.stderr
