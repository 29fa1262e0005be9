"""Files that are whole or not there, whenever an adaptation is cut off."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
