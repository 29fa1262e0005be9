"""Which speech bundles are loaded: what calls begin with, one on trial, those of some calls.

    FOLDER/lineup.json   of a library; the models' services follow it

The gateway alone writes it, and the base changes only when no call is heard by the old one any
more, or at a start of the gateway: what was activated then becomes the base, and what was on trial
is forgotten. Some calls may have a bundle of their own: whoever names it as their model, a hotline
system, or a language.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
    base: str = ""  # name@version; empty: what the settings name
    trial: str = ""
    beside: tuple[BesideBundle, ...] = ()

    @property
    def refs(self) -> list[str]:
        """Beside the base."""
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
            return LineupState(str(told["base"]), str(told["trial"]), tuple(beside))
        except FileNotFoundError:
            return LineupState()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("%s: %r; nothing is served beside what is active", self._path, error)
            return LineupState()

    def write(self, state: LineupState) -> None:
        """Whole or not at all; nothing is written as long as there is nothing to tell."""
        if state == LineupState() and not self.is_kept:
            return
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        content = json.dumps({"format": FORMAT, **asdict(state)}, indent=1) + "\n"
        write_atomic(self._path, content.encode(), MODE)

    def base(self) -> Path | None:
        """Its folder, whole and vouched for; None: what the settings name.

        Raises BundleError or NotFound.
        """
        ref = self.state().base
        if not ref:
            return None
        bundle = self._library.find(ref)
        self._library.check(bundle)
        return bundle.folder

    @property
    def is_kept(self) -> bool:
        """Whether a gateway has written one yet."""
        return self._path.is_file()

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
    """As Triton can call a model; of no other bundle, for none has a + in its name."""
    return ref.replace("@", "+")
