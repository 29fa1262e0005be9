"""What tests install on and from: a clean machine, and media of several releases."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from appliance.store.migrating import heads
from provisioning.medium.packages import tracked

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
INPUTS, BASE = BUILD / "inputs", BUILD / "container.tar"
MEDIA = "/media"  # where a machine sees BUILD / "media"
EPOCH = "1790000000"  # of every test medium: 2026-09-21

HEAD = heads()["main"]  # of the database, by this checkout

MIGRATION = f'''"""A later release's."""

import sqlalchemy as sa
from alembic import op

revision = "main_9001"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.add_column("calls", sa.Column("later", sa.String(16), server_default=""))


def downgrade() -> None:
    op.drop_column("calls", "later")
'''


@cache
def source(version: str, *changes: tuple[str, str]) -> Path:
    """This checkout as a later release: another version, and files (name, text) on top."""
    name = re.sub(r"[^0-9a-z.]+", "-", version)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    target = BUILD / f"sources{worker}" / name
    shutil.rmtree(target, ignore_errors=True)
    for path in tracked(ROOT):
        if path.parts[0] not in {"tests", "tools"}:
            copy = target / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy)
    project = target / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(re.sub(r'(?m)^version = ".*"', f'version = "{version}"', text))
    for path, text in changes:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=target, check=True)
    return target


@cache
def medium(version: str, *changes: tuple[str, str], name: str = "") -> str:
    """Build a medium; where a machine sees it."""
    folder = name or version
    output = BUILD / "media" / folder
    command = [sys.executable, "-m", "provisioning.medium", "build", "--output", str(output)]
    command += ["--inputs-folder", str(INPUTS), "--source", str(source(version, *changes))]
    command += ["--key", str(BUILD / "signing")]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    return f"{MEDIA}/{folder}"
