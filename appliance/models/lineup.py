"""Speech bundles loaded beside the one that is active: one on trial, and those of some calls.

    FOLDER/lineup.json   of a library; the models' services follow it

Some calls may have a bundle of their own: whoever names it as their model, a hotline system, or a
language. What is on trial is forgotten when a gateway starts: after a kill what is active serves.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from appliance.errors import LingtingError
from appliance.files import write_atomic
from appliance.models.library import ModelLibrary

FILE, FORMAT, MODE = "lineup.json", 1, 0o640
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BesideBundle:
    """A bundle for some calls."""

    ref: str  # name@version
    tenants: tuple[str, ...] = ()  # hotline systems whose calls it hears
    languages: tuple[str, ...] = ()  # of calls that name them

    @property
    def variant(self) -> str:
        return variant_name(self.ref)

    def is_called(self, model: str) -> bool:
        """Whether a caller means it: by its name, or by its name and version."""
        name, _, version = self.ref.partition("@")
        return model in (name, self.ref, f"{name} {version}")


@dataclass(frozen=True, slots=True)
class LineupState:
    trial: str = ""  # name@version
    beside: tuple[BesideBundle, ...] = ()

    @property
    def refs(self) -> list[str]:
        return [*(each.ref for each in self.beside), *([self.trial] if self.trial else [])]


class Lineup:
    """The file of a library, written by the gateway alone."""

    def __init__(self, folder: Path, library: ModelLibrary) -> None:
        self._path, self._library = folder / FILE, library

    def state(self) -> LineupState:
        """Nothing where there is no file, or one that cannot be read."""
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            beside = (
                BesideBundle(each["ref"], tuple(each["tenants"]), tuple(each["languages"]))
                for each in told["beside"]
            )
            return LineupState(str(told["trial"]), tuple(beside))
        except FileNotFoundError:
            return LineupState()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("%s: %r; nothing is served beside what is active", self._path, error)
            return LineupState()

    def write(self, state: LineupState) -> None:
        """Whole or not at all."""
        if state == LineupState() and not self._path.exists():
            return
        content = json.dumps({"format": FORMAT, **asdict(state)}, indent=1) + "\n"
        write_atomic(self._path, content.encode(), MODE)

    def put_on_trial(self, ref: str) -> None:
        """Empty: nothing is."""
        self.write(replace(self.state(), trial=ref))

    def put_beside(self, beside: Sequence[BesideBundle]) -> None:
        self.write(replace(self.state(), beside=tuple(beside)))

    def variants(self) -> dict[str, Path]:
        """Folders by variant, each whole and vouched for; what is not is left out."""
        found = {}
        for ref in self.state().refs:
            try:
                bundle = self._library.find(ref)
                self._library.check(bundle)
                found[variant_name(ref)] = bundle.folder
            except LingtingError as error:
                log.error("%s is not served: %s", ref, error)
        return found


def choose(
    beside: Sequence[BesideBundle], model: str, tenant: str, language: str | None
) -> str | None:
    """The variant for a call: by the model it names, its system, its language; None: none."""
    for fits in (
        lambda each: bool(model) and each.is_called(model),
        lambda each: tenant in each.tenants,
        lambda each: language in each.languages,
    ):
        with contextlib.suppress(StopIteration):
            return next(each.variant for each in beside if fits(each))
    return None


def variant_name(ref: str) -> str:
    """As Triton can call a model."""
    return ref.replace("@", "-")
