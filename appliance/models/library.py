"""The bundles that a box holds, and which of them serves: folders that are whole or not there.

    FOLDER/<name>/<version>/   a bundle, never altered once it is there
    FOLDER/active.json         what serves in each slot, and what served before
    FOLDER/.draft-*            one that was cut off; swept away by the next import

A power cut at any moment leaves the old or the new. Bundles that came with the release are held
too, and are not in this folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

from appliance.errors import BundleError, Conflict, InvalidRequest, NotFound
from appliance.files import sync_folder
from appliance.models.archive import unpack
from appliance.models.signing import TrustedKeys
from appliance.models.slots import SLOTS, SlotsFile, SlotState
from inference.bundles import (
    MANIFEST,
    BundleInvalid,
    Manifest,
    load_manifest,
    verify,
)

LOCK, DRAFT = ".lock", ".draft-"
SPARE_BYTES = 200 << 20  # left free on the disk
RELEASE = "release"  # who vouches for what came with it
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IMPORTING, ACTIVATING, REMOVING = "import a bundle", "activate a bundle", "remove a bundle"


@dataclass(frozen=True, slots=True)
class HeldBundle:
    """One that is here."""

    folder: Path
    manifest: Manifest
    shipped: bool

    @property
    def ref(self) -> str:
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(sealed.size for sealed in self.manifest.files.values())


class ModelLibrary:
    """One folder of bundles.

    Args:
        folder: made when something is imported.
        signers: whose bundles are taken.
        shipped: folders of the bundles that came with the release.
        release: this product's version, as 0.1.0.
    """

    def __init__(
        self, folder: Path, signers: TrustedKeys, shipped: Sequence[Path], release: str
    ) -> None:
        self._folder, self._signers = folder, signers
        self._shipped, self._release = shipped, release
        self._slots = SlotsFile(folder)

    # --- what is here

    def held(self) -> list[HeldBundle]:
        """By name and version; a folder that is no bundle is left out."""
        own = [(path, False) for path in sorted(self._folder.glob("*/*")) if _is_plain(path)]
        found = []
        for path, shipped in (*((path, True) for path in self._shipped), *own):
            with contextlib.suppress(BundleInvalid):
                found.append(HeldBundle(path, load_manifest(path), shipped))
        return sorted(found, key=lambda b: (b.manifest.name, version_key(b.manifest.version)))

    def find(self, ref: str) -> HeldBundle:
        """By name@version, or by its name alone the newest; raises NotFound."""
        name, _, version = ref.partition("@")
        named = [bundle for bundle in self.held() if bundle.manifest.name == name]
        fitting = [b for b in named if not version or b.manifest.version == version]
        if not fitting:
            there = ", ".join(b.ref for b in (named or self.held())) or "nothing"
            raise NotFound("find a bundle", f"there is no {ref}", f"there is {there}")
        return fitting[-1]

    def check(self, bundle: HeldBundle) -> str:
        """Every file against its hash, and who vouches for it; returns their name.

        Raises BundleError, naming the file at fault.
        """
        try:
            verify(bundle.folder)
        except BundleInvalid as error:
            raise BundleError("check a bundle", str(error), "import it again") from error
        return RELEASE if bundle.shipped else self._signers.who_signed(bundle.folder).name

    # --- in and out

    def take(self, archive: BinaryIO, *, allow_downgrade: bool = False) -> HeldBundle:
        """Import what `archive.pack` made, whole or not at all.

        Raises:
            BundleError: it is not whole, nobody vouches for it, it has expired, it is older than
                what is here, or of a kind that no slot takes; or the disk is too small.
            Conflict: it is here already.
        """
        with self._locked(), self._drafting() as draft:
            unpack(archive, draft)
            manifest = self._readable(draft)
            self._check_fit(manifest, allow_downgrade)
            self._check_new(manifest)
            for file in draft.iterdir():
                with file.open("rb+") as written:
                    _finish(written)
            return self._keep(draft, manifest)

    @contextlib.contextmanager
    def receiving(self, size: int) -> Iterator[BinaryIO]:
        """A file beside the bundles for an archive of so many bytes, gone afterwards.

        Raises BundleError if the disk is too small for it and for what it holds.
        """
        self._check_room("the archive", 2 * size)
        with tempfile.TemporaryFile(dir=self._folder) as file:  # it has no name to be left behind
            yield file

    def _check_new(self, manifest: Manifest) -> None:
        if (self._folder / manifest.name / manifest.version).exists():
            hint = "give what you changed another version"
            raise Conflict(IMPORTING, f"{manifest.name}@{manifest.version} is here", hint)

    def _keep(self, draft: Path, manifest: Manifest) -> HeldBundle:
        """Once all of it is as sealed, and somebody who is trusted vouches for it."""
        try:
            verify(draft)
        except BundleInvalid as error:
            raise BundleError(IMPORTING, str(error), "copy it to the stick again") from error
        self._signers.who_signed(draft)
        target = self._folder / manifest.name / manifest.version
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(0o750)
        draft.rename(target)
        sync_folder(target.parent)
        return HeldBundle(target, manifest, shipped=False)

    def remove(self, ref: str, loaded: Callable[[str], bool] = lambda ref: False) -> HeldBundle:
        """Delete one that serves nowhere and is no way back; raises NotFound or Conflict.

        Args:
            loaded: whether the engines have it.
        """
        with self._locked():
            bundle = self.find(ref)
            if loaded(bundle.ref):
                hint = "let go of it first: lingting models unserve, abort, or a restart"
                raise Conflict(REMOVING, f"{bundle.ref} is loaded", hint)
            if bundle.shipped:
                cause = f"{bundle.ref} came with the release"
                raise Conflict(REMOVING, cause, "it goes with the release")
            for slot, state in self.slots().items():
                if bundle.ref in (state.active, state.before, state.proven):
                    use = "serves as" if bundle.ref == state.active else "is the way back of"
                    hint = "activate another one there first"
                    raise Conflict(REMOVING, f"{bundle.ref} {use} {slot}", hint)
            gone = self._folder / f"{DRAFT}{bundle.manifest.name}-{bundle.manifest.version}"
            bundle.folder.rename(gone)
            sync_folder(gone.parent)
            shutil.rmtree(gone)
        return bundle

    # --- what serves

    def slots(self) -> dict[str, SlotState]:
        """Of every slot; raises BundleError if the file is damaged."""
        return self._slots.read()

    def activate(self, slot: str, ref: str) -> HeldBundle:
        """Let a bundle serve; it is checked whole once more.

        Raises BundleError, InvalidRequest or NotFound; what served goes on serving then.
        """
        with self._locked():
            bundle = self.find(ref)
            self.check_slot(slot, bundle)
            self.check(bundle)
            state = self.slots()[slot]
            before = state.before if state.active == bundle.ref else state.active
            self._slots.write(slot, replace(state, active=bundle.ref, before=before))
        return bundle

    def check_slot(self, slot: str, bundle: HeldBundle) -> None:
        """Whether a bundle may serve there; raises InvalidRequest, or BundleError if it expired."""
        kind = _kind(slot)
        if bundle.manifest.kind != kind:
            cause = f"{bundle.ref} is a {bundle.manifest.kind}, {slot} takes a {kind}"
            raise InvalidRequest(ACTIVATING, cause, "name one of that kind")
        _check_dates(ACTIVATING, bundle.manifest)

    def restore(self, slot: str, state: SlotState) -> None:
        """A slot as it was."""
        with self._locked():
            if self.slots()[slot] != state:
                self._slots.write(slot, state)

    def roll_back(self, slot: str) -> SlotState:
        """Let what served before serve again; raises Conflict if nothing did."""
        _kind(slot)
        with self._locked():
            state = self.slots()[slot]
            if not state.active:
                raise Conflict("roll back", f"nothing was activated as {slot}")
            if state.before:
                self.check(self.find(state.before))
            turned = replace(state, active=state.before, before=state.active)
            self._slots.write(slot, turned)
        return turned

    def prove(self, folders: Collection[Path]) -> None:
        """The box serves what is in these folders: of what is active, that is proven."""
        if not self._slots.is_kept:
            return
        served = {folder.resolve() for folder in folders}
        with self._locked():
            for slot, state in self.slots().items():
                there = not state.active or self.find(state.active).folder.resolve() in served
                if there and state.active != state.proven:
                    self._slots.write(slot, replace(state, proven=state.active))

    def take_back(self) -> list[str]:
        """What was activated since the box came up last is not, from the next start on; the refs.

        For a box that does not come up: what it came up with serves again.
        """
        gone = []
        for slot, state in self.slots().items():
            if state.active and state.active != state.proven:
                with self._locked():
                    turned = replace(state, active=state.proven, before=state.active)
                    self._slots.write(slot, turned)
                gone.append(state.active)
        return gone

    def active_folder(self, slot: str) -> Path | None:
        """Of what was activated in a slot; None: what the settings name. Raises NotFound."""
        ref = self.slots()[slot].active
        return self.find(ref).folder if ref else None

    # --- details

    def _readable(self, source: Path) -> Manifest:
        try:
            manifest = load_manifest(source)
        except BundleInvalid as error:
            raise BundleError(IMPORTING, str(error), "make it by lingting models export") from error
        for part in (manifest.name, manifest.version, *manifest.files):
            if not NAME.fullmatch(part):
                cause = f"{source / MANIFEST} names {part!r:.80}: letters, digits, . _ - are taken"
                raise BundleError(IMPORTING, cause, "seal it with a plain name and version")
        return manifest

    def _check_fit(self, manifest: Manifest, allow_downgrade: bool) -> None:
        ref = f"{manifest.name}@{manifest.version}"
        if manifest.kind not in SLOTS.values():
            cause = f"{ref} is a {manifest.kind!r:.80}, which this release does not serve"
            raise BundleError(
                IMPORTING, cause, f"it serves {', '.join(sorted(set(SLOTS.values())))}"
            )
        _check_dates(IMPORTING, manifest)
        if version_key(manifest.requires) > version_key(self._release):
            cause = f"{ref} wants release {manifest.requires}, this is {self._release}"
            raise BundleError(IMPORTING, cause, "upgrade the box first")
        newer = [
            held
            for held in self.held()
            if held.manifest.name == manifest.name
            and version_key(held.manifest.version) > version_key(manifest.version)
        ]
        if newer and not allow_downgrade:
            cause = f"{ref} is older than {newer[-1].ref}, which is here"
            raise BundleError(IMPORTING, cause, "take it all the same with --allow-downgrade")
        self._check_room(ref, sum(sealed.size for sealed in manifest.files.values()))

    def _check_room(self, ref: str, size: int) -> None:
        self._open()
        free = shutil.disk_usage(self._folder).free
        if size + SPARE_BYTES > free:
            cause = f"{ref} takes {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
            hint = f"{SPARE_BYTES >> 20} MB must stay free: remove what no longer serves"
            raise BundleError(IMPORTING, cause, hint)

    @contextlib.contextmanager
    def _drafting(self) -> Iterator[Path]:
        """A folder beside the bundles, gone afterwards unless it was renamed."""
        for left in self._folder.glob(f"{DRAFT}*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self._folder))
        draft.chmod(0o750)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _open(self) -> None:
        """The models' services read it, and nobody else but its owner."""
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True)
            self._folder.chmod(0o750)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time, whoever makes it."""
        self._open()
        with (self._folder / LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """To compare versions by: numbers as numbers, 1.10 after 1.9; "" before all."""
    parts = re.findall(r"\d+|[^\d.+_-]+", version)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)


def _kind(slot: str) -> str:
    if slot not in SLOTS:
        cause = f"there is no slot {slot!r:.40}"
        raise InvalidRequest(ACTIVATING, cause, f"there are {', '.join(SLOTS)}")
    return SLOTS[slot]


def _check_dates(doing: str, manifest: Manifest) -> None:
    if not manifest.expires:
        return
    try:
        last = date.fromisoformat(manifest.expires)
    except ValueError:
        cause = f"{manifest.name} expires on {manifest.expires!r:.40}, which is no date"
        raise BundleError(doing, cause, "seal it again, as 2027-12-31") from None
    if date.today() > last:
        cause = f"{manifest.name}@{manifest.version} expired on {last}"
        raise BundleError(doing, cause, "take a newer version")


def _is_plain(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _finish(file: BinaryIO) -> None:
    """On the disk, readable by the models' services."""
    os.fchmod(file.fileno(), 0o640)
    file.flush()
    os.fsync(file.fileno())
