"""The seal of a pack: what each of its files was when somebody said that it may be used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from appliance.files import write_atomic

FILE = "SEAL.json"
NOT_SEALED = frozenset({FILE})
CHANGED = "it was changed since the pack was sealed; if you meant it: lingting city seal"


def files(folder: Path) -> list[Path]:
    """What a pack is made of, in order."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in found
        if path.name not in NOT_SEALED and not path.name.startswith(".") and path.suffix != ".tmp"
    )


def digest(folder: Path) -> str:
    """Of all files and their names."""
    whole = hashlib.sha256()
    for name, each in sums(folder).items():
        whole.update(f"{name}\0{each}\n".encode())
    return whole.hexdigest()


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file, by name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files(folder)
    }


def write(folder: Path) -> None:
    """Seal a pack as it is now."""
    told = json.dumps({"files": sums(folder)}, indent=1, sort_keys=True) + "\n"
    write_atomic(folder / FILE, told.encode())


def broken(folder: Path) -> Iterator[tuple[str, str]]:
    """Files that are not as they were sealed, and what is wrong with each."""
    try:
        sealed = dict(json.loads((folder / FILE).read_text())["files"])
    except FileNotFoundError:
        yield FILE, "the pack is not sealed; when it is ready: lingting city seal"
        return
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        yield FILE, f"it cannot be read: {error}"
        return
    now = sums(folder)
    for name in sorted(sealed.keys() | now.keys()):
        if name not in now:
            yield name, "it is gone since the pack was sealed"
        elif name not in sealed:
            yield name, "it came after the pack was sealed; if you meant it: lingting city seal"
        elif sealed[name] != now[name]:
            yield name, CHANGED
