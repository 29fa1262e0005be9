"""What is in the repository, for tests that read it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Tracked files and those about to be; never what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def sources(*rooms: str) -> tuple[Path, ...]:
    """Python files under some top folders."""
    return tuple(p for p in files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in rooms)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))
