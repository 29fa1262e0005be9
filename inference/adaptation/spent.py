"""What an adaptation has taken so far, over all its starts: it may be cut off and gone on with."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

from inference.adaptation import whole

FILE = "spent.json"


class Spent:
    """Counts from when it is made; of what an earlier start took, up to where it was kept last."""

    def __init__(self, folder: Path) -> None:
        self._path, self._begun = folder / FILE, time.monotonic()
        earlier = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._wall_s, self._core_s = earlier.get("wall_s", 0.0), earlier.get("core_s", 0.0)

    @property
    def wall_s(self) -> float:
        return float(self._wall_s + time.monotonic() - self._begun)

    @property
    def core_s(self) -> float:
        """Of this process alone."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        return float(self._core_s + own.ru_utime + own.ru_stime)

    def keep(self) -> None:
        whole.write(self._path, json.dumps({"wall_s": self.wall_s, "core_s": self.core_s}))
