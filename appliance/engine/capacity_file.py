"""What `lingting capacity` has measured: kept on the disk, believed while nothing has changed."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from appliance.files import write_atomic
from inference.tensors import ModelCard

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Capacity:
    """Live legs that an engine carried with calls in real time, and what it was measured with."""

    legs: Annotated[int, Field(gt=0)]
    within_s: float  # goal: endpoint to final, p95
    final_p95_s: float  # what it was at that load
    model: str  # "name version"
    device: str
    cores: int
    measured_at: float  # s since 1970

    def holds_for(self, card: ModelCard) -> bool:
        """Whether this is still that machine with that model."""
        here = (f"{card.name} {card.version}", card.device, os.cpu_count())
        return (self.model, self.device, self.cores) == here


MEASURED = TypeAdapter(dict[str, Capacity])  # by engine


def read(path: Path) -> dict[str, Capacity]:
    """By engine; empty if nothing was measured, or the file cannot be read."""
    try:
        return MEASURED.validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s is not used: %s; run `lingting capacity` again", path, error)
        return {}


def write(path: Path, engine: str, capacity: Capacity) -> None:
    """Beside what is known of the other engine; raises OSError."""
    known = {**read(path), engine: capacity}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: asdict(each) for name, each in known.items()}, indent=2)
    write_atomic(path, f"{text}\n".encode())
