"""What a model says of itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Card(BaseModel):
    """Written into its file.

    Attributes:
        made: date of the training, ISO.
        pack: version of the city pack its labels are of; may be empty.
        rows: texts it was trained on, names and keywords (`hints`) included.
        duplicates, empty, left_out: rows that were dropped: said before, without a word, or over
            the most that is trained on.
        figures: cross-validated; see `Figures`.
        sure: the probability from which on it answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made: str
    pack: str = ""
    rows: int = Field(ge=0)
    hints: int = 0
    duplicates: int = 0
    empty: int = 0
    left_out: int = 0
    figures: dict[str, float]
    sure: float = Field(ge=0, le=1)
