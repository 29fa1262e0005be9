"""import-linter's contracts, so that the suite holds them as well as `make lint`."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.repository import ROOT

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_imports_go_down_only() -> None:
    command = [sys.executable, "-c", LINT, "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
