"""Whether a model trained anew is better than the one that is used."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.assist.category.figures import Figures
from appliance.assist.category.model import CategoryModel
from appliance.assist.category.training import Trained, digest

FEWEST = 20  # texts new to the old model that tell something
LOST = 0.01  # of the likeliest label right: what may be lost on all rows by chance


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of two models.

    Attributes:
        fresh: texts that the old model was not trained on.
        old, new: on those; the new one as if it had not seen them. None: too few of them.
        before, after: the likeliest label right, cross-validated, over what each was trained on.
        better: take the new one.
    """

    fresh: int
    old: Figures | None
    new: Figures | None
    before: float
    after: float

    @property
    def better(self) -> bool:
        if self.old and self.new:
            return self.new.top1 > self.old.top1
        return self.after >= self.before - LOST


def compare(old: CategoryModel, new: Trained) -> Comparison:
    """Judges both by texts that are new to the old one.

    Where the training has none or few of them, their own cross-validated figures decide.
    """
    known = set(old.known.tolist())
    fresh = [place for place, row in enumerate(new.rows) if digest(row.text) not in known]
    before, after = (model.card.figures.get("top1", 0.0) for model in (old, new.model))
    if len(fresh) < FEWEST:
        return Comparison(len(fresh), None, None, before, after)
    truth = [new.rows[place].label for place in fresh]
    texts = [new.rows[place].text for place in fresh]
    was, now = old.measure(truth, texts), new.model.judge(truth, new.left_out[fresh])
    return Comparison(len(fresh), was, now, before, after)
