"""Requirements are pinned by hash, name no registry, and keep torch out of what is served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, files, name

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SOURCES = sorted((ROOT / "requirements").glob("*.in"))
TORCHLESS = ("bootstrap", "gateway", "cpu", "payload")  # all that `make demo` installs
# Options that name a registry, and registries' hosts; in pieces, for this file is read too.
REGISTRY = re.compile(
    r"--(?:extra-)?"
    r"index"
    r"-url[ =]|^\s*-i\s+http|--find-"
    r"links[ =]|(?:^|_)index"
    r"[-_]url\s*=|py"
    r"pi\.org|python"
    r"hosted\.org|/sim"
    r"ple/?(?:\s|\"|'|$)|\[\[?tool\.uv\.ind"
    r"ex",
    re.IGNORECASE | re.MULTILINE,
)


def requirements(path: Path) -> list[str]:
    """Logical lines: one requirement with its hashes each."""
    text = re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda p: p.stem)
def test_every_requirement_is_pinned_by_hash(lock: Path) -> None:
    lines = requirements(lock)
    assert lines
    for line in lines:
        assert re.match(r"[A-Za-z0-9._-]+(\[[^]]+\])?==\S+ ", line), line[:80]
        assert "--hash=sha256:" in line, line[:80]


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: p.stem)
def test_every_source_is_locked(source: Path) -> None:
    assert source.with_suffix(".txt").exists(), "run `make lock`"


@pytest.mark.parametrize("profile", TORCHLESS)
def test_profile_has_no_torch(profile: str) -> None:
    names = {
        re.split(r"[\[=]", r)[0].lower() for r in requirements(ROOT / f"requirements/{profile}.txt")
    }
    assert not names & {"torch", "torchaudio", "tensorflow", "jax"}


def test_no_registry_is_named_anywhere() -> None:
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # audio, weights
        found = REGISTRY.search(text)
        assert not found, f"{name(path)}: {found[0]!r}"
