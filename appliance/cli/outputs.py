"""Where `lingting transcribe` writes: standard output, or a file for each recording."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from appliance.api.render import FORMATS, as_dict
from appliance.errors import InvalidRequest, LingtingError
from appliance.files import write_atomic
from appliance.messages import Transcript

STDIN = "-"
DOING = "write the transcript"


class OutputFailed(LingtingError):
    """The transcript has nowhere to go; going on with the next recording makes no sense."""


class Outputs:
    """One job's outputs.

    Args:
        files: the recordings, as named on the command line.
        folder: None for standard output; created if it is missing.
        force: write over files that are there.
    """

    def __init__(
        self, files: Sequence[str], format: str, folder: Path | None, *, force: bool
    ) -> None:
        self._format, self._several = format, len(files) > 1
        self.paths: list[Path | None] = [None] * len(files)
        if folder is not None:
            self.paths = [folder / name for name in target_names(files, format)]
            _prepare(folder)
            there = [path for path in self.paths if path and path.exists()]
            if there and not force:
                raise InvalidRequest(DOING, f"{there[0]} is there already", "move it, or --force")

    def write(self, name: str, path: Path | None, transcript: Transcript) -> None:
        """Raises OutputFailed."""
        text = FORMATS[self._format](transcript)
        try:
            if path is not None:
                write_atomic(path, text.encode())
            else:
                sys.stdout.write(self._on_stdout(name, transcript, text))
                sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
            raise OutputFailed(DOING, "nobody reads standard output") from None
        except OSError as error:
            where = path or "standard output"
            raise OutputFailed(DOING, f"{where}: {error.strerror}", "is there space?") from error

    def _on_stdout(self, name: str, transcript: Transcript, text: str) -> str:
        if not self._several:
            return text
        if self._format == "json":  # one object a line
            return json.dumps({"file": name, **as_dict(transcript)}, ensure_ascii=False) + "\n"
        return f"== {name} ==\n{text}\n"


def _prepare(folder: Path) -> None:
    hint = "name a folder that you may write to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = f"{folder}: {error.strerror}"
        raise InvalidRequest("make the output folder", cause, hint) from error
    if not os.access(folder, os.W_OK):
        raise InvalidRequest("make the output folder", f"{folder} cannot be written to", hint)


def target_names(files: Sequence[str], format: str) -> list[str]:
    """`a.wav` becomes `a.txt`, or `a.wav.txt` where two inputs would meet, or gets a number."""
    paths = [Path("stdin" if name == STDIN else name) for name in files]
    stems = Counter(path.stem for path in paths)
    names: list[str] = []
    for path in paths:
        base = path.stem if stems[path.stem] == 1 else path.name
        name, number = f"{base}.{format}", 2
        while name in names:
            name, number = f"{base}-{number}.{format}", number + 1
        names.append(name)
    return names
