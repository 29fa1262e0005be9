"""What every section of the settings is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
)

PROJECT = Path(__file__).resolve().parent.parent.parent

# An empty setting turns off what a path would turn on.
MaybePath = Annotated[Path | None, BeforeValidator(lambda v: None if v in ("", Path()) else v)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
