"""Every setting, metric and command is described, and the two READMEs agree."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.repository import ROOT, files, name

DOCS = ROOT / "docs"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _reference()


def _page(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", list(reference.settings()), ids=lambda s: s[0])
def test_setting_is_described(setting: tuple[str, str, str, str]) -> None:
    path, variable, default, meaning = setting
    assert meaning, f"{path} has no description"
    row = f"| `{path}` | `{variable}` | {default} |"
    assert row in _page("settings.md"), "run `make docs`"


@pytest.mark.parametrize("metric", list(reference.metrics()), ids=lambda m: m[0])
def test_metric_is_described(metric: tuple[str, str, tuple[str, ...], str]) -> None:
    described, _, labels, _ = metric
    rows = [
        line for line in _page("metrics.md").splitlines() if line.startswith(f"| `{described}` |")
    ]
    assert rows, f"{described}: run `make docs`"
    assert all(f"`{label}`" in rows[0] for label in labels)


@pytest.mark.parametrize("command", list(reference.commands()), ids=lambda c: c[0])
def test_command_is_described(command: tuple[str, object]) -> None:
    described, found = command
    sections = re.split(r"^### ", _page("cli.md"), flags=re.MULTILINE)
    section = next((s for s in sections if s.startswith(f"{described}\n")), "")
    assert section, f"{described}: run `make docs`"
    for written, _, meaning in reference.parameters(found):
        assert meaning, f"{described} {written} has no help"
        assert written.replace("|", r"\|") in section, "run `make docs`"


def test_tables_are_what_the_code_says() -> None:
    command = [sys.executable, str(DOCS / "make_reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run `make docs`"


def test_the_readmes_show_the_same_programs() -> None:
    """But for comments, which are each README's own language."""
    english, chinese = (
        [(kind, re.sub(r"\s+# .*", "", code)) for kind, *_, code in FENCE.findall(page)]
        for page in (path.read_text(encoding="utf-8") for path in READMES)
    )
    code = ("python", "bash", "console")
    assert [b for b in english if b[0] in code] == [b for b in chinese if b[0] in code]


def test_the_readmes_have_the_same_sections() -> None:
    headings = [re.findall(r"^#+ ", p.read_text(encoding="utf-8"), re.MULTILINE) for p in READMES]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("page", [p for p in files() if p.suffix == ".md"], ids=name)
def test_page_is_sound(page: Path) -> None:
    """Its Python compiles and its links lead somewhere in this repository."""
    text = page.read_text(encoding="utf-8")
    for language, block in FENCE.findall(text):
        if language == "python":
            compile(block, str(page), "exec")
    for target in LINK.findall(FENCE.sub("", text)):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def test_every_page_is_linked_from_both_readmes() -> None:
    for page in DOCS.glob("*.md"):
        for readme in READMES:
            assert f"(docs/{page.name})" in readme.read_text(encoding="utf-8"), page.name
