"""Bundles on a box: signed, imported whole or not at all, activated, and back again."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from appliance.errors import BundleError, Conflict, InvalidRequest, NotFound, SettingsError
from appliance.models import library as library_module
from appliance.models.archive import names_in, pack, packed_size
from appliance.models.library import HeldBundle, ModelLibrary, version_key
from appliance.models.serving import _folder
from appliance.models.signing import TrustedKeys, create_key, sign
from appliance.models.slots import SlotState
from inference.bundles import MANIFEST, SIGNATURE, seal

Make = Callable[..., Path]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "city.key"
    create_key(path)
    return path


@pytest.fixture
def signers(tmp_path: Path, key: Path) -> TrustedKeys:
    trusted = TrustedKeys(tmp_path / "trusted")
    trusted.add(key.with_suffix(".pub"), "city")
    return trusted


@pytest.fixture
def stick(tmp_path: Path, tiny_bundle: Path, key: Path) -> Make:
    """Signed copies of the tiny bundle, as whoever made them carries them."""

    def make(version: str = "1", name: str = "tiny", **facts: object) -> Path:
        folder = tmp_path / "stick" / f"{name}-{version}"
        shutil.copytree(tiny_bundle, folder)
        told = json.loads((folder / MANIFEST).read_text())
        kept = {k: v for k, v in told.items() if k not in ("format", "files")}
        seal(folder, **{**kept, "name": name, "version": version, **facts})
        sign(folder, key)
        return folder

    return make


@pytest.fixture
def library(tmp_path: Path, signers: TrustedKeys, tiny_bundle: Path) -> ModelLibrary:
    return ModelLibrary(tmp_path / "models", signers, [tiny_bundle], "0.1.0")


def brought(library: ModelLibrary, folder: Path, *, allow_downgrade: bool = False) -> HeldBundle:
    """As the door takes it: one archive, received first."""
    names = names_in(folder)
    with library.receiving(packed_size(folder, names)) as file:
        file.writelines(pack(folder, names))
        file.seek(0)
        return library.take(file, allow_downgrade=allow_downgrade)


def test_what_a_trusted_key_signed_is_taken(library: ModelLibrary, stick: Make) -> None:
    taken = brought(library, stick("2"))
    assert taken.ref == "tiny@2" and library.check(taken) == "city" and not taken.shipped
    assert [bundle.shipped for bundle in library.held()].count(True) == 1
    assert library.find("tiny").ref == "tiny@2"


def test_a_stranger_s_bundle_is_refused(library: ModelLibrary, stick: Make, tmp_path: Path) -> None:
    folder = stick("2")
    (folder / SIGNATURE).unlink()
    with pytest.raises(BundleError, match=r"signature\.json is missing"):
        brought(library, folder)
    create_key(tmp_path / "stranger.key")
    sign(folder, tmp_path / "stranger.key")
    with pytest.raises(BundleError, match="does not trust"):
        brought(library, folder)
    assert len(library.held()) == 1


def test_a_manifest_that_was_altered_is_refused(library: ModelLibrary, stick: Make) -> None:
    folder = stick("2")
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"2"', '"3"', 1))
    with pytest.raises(BundleError, match="not what city signed"):
        brought(library, folder)


def test_of_several_signatures_one_that_holds_is_enough(
    library: ModelLibrary, stick: Make, signers: TrustedKeys, tmp_path: Path
) -> None:
    """As when a bundle is sealed again, and one of two who signed it signs it again."""
    create_key(tmp_path / "aged.key")
    signers.add(tmp_path / "aged.pub", "aged")  # looked at first
    folder = stick("2")
    sign(folder, tmp_path / "aged.key")
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**told, "notice": "sealed again"}))
    with pytest.raises(BundleError, match="is not what aged signed"):
        brought(library, folder)
    sign(folder, tmp_path / "city.key")
    assert len(json.loads((folder / SIGNATURE).read_text())["signatures"]) == 2
    assert brought(library, folder).ref == "tiny@2"


def test_a_flipped_bit_is_refused_and_named(library: ModelLibrary, stick: Make) -> None:
    folder = stick("2")
    raw = bytearray((folder / "model.bin").read_bytes())
    raw[len(raw) // 2] ^= 1
    (folder / "model.bin").write_bytes(raw)
    with pytest.raises(BundleError, match=r"model\.bin is altered"):
        brought(library, folder)
    assert len(library.held()) == 1


def test_what_rots_on_the_disk_does_not_come_to_serve(library: ModelLibrary, stick: Make) -> None:
    brought(library, stick("2"))
    brought(library, stick("3"))
    library.activate("asr", "tiny@2")
    (library.find("tiny@3").folder / "config.json").write_text("{}")
    with pytest.raises(BundleError, match=r"config\.json is altered"):
        library.activate("asr", "tiny@3")
    assert library.slots()["asr"] == SlotState("tiny@2")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"expires": "2020-01-31"}, "expired on 2020-01-31"),
        ({"expires": "soon"}, "no date"),
        ({"requires": "9.0"}, "wants release 9.0"),
        ({"kind": "horoscope"}, "does not serve"),
    ],
)
def test_what_does_not_fit_is_refused(
    library: ModelLibrary, stick: Make, facts: dict[str, str], said: str
) -> None:
    with pytest.raises(BundleError, match=said):
        brought(library, stick("2", **facts))


@pytest.mark.parametrize(("name", "version"), [("../up", "1"), ("tiny", ".."), ("", "1")])
def test_a_name_leads_nowhere_else(
    library: ModelLibrary, stick: Make, name: str, version: str
) -> None:
    folder = stick("2")
    told = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**told, "name": name, "version": version}))
    with pytest.raises(BundleError):
        brought(library, folder)


def test_an_older_one_must_be_asked_for(library: ModelLibrary, stick: Make) -> None:
    brought(library, stick("1.10"))
    with pytest.raises(BundleError, match=r"older than tiny@1\.10"):
        brought(library, stick("1.9"))
    shutil.rmtree(stick("1.8"))
    taken = brought(library, stick("1.7"), allow_downgrade=True)
    assert taken.ref == "tiny@1.7" and library.find("tiny").ref == "tiny@1.10"


def test_the_same_version_is_there_once(library: ModelLibrary, stick: Make) -> None:
    folder = stick("2")
    brought(library, folder)
    with pytest.raises(Conflict, match="is here"):
        brought(library, folder)


def test_a_full_disk_is_said_before_anything_is_copied(
    library: ModelLibrary, stick: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=library_module.SPARE_BYTES)
    monkeypatch.setattr(library_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BundleError, match="GB are free"):
        brought(library, stick("2"))
    assert not list((tmp_path / "models").glob("*/*"))


def test_a_line_that_breaks_leaves_nothing(
    library: ModelLibrary, stick: Make, tmp_path: Path
) -> None:
    folder = stick("2")
    names = names_in(folder)
    whole = b"".join(pack(folder, names))
    for part in (whole[: len(whole) // 2], b"".join(pack(folder, names[:-2]))):
        with pytest.raises(BundleError):
            library.take(BytesIO(part))
        assert not list((tmp_path / "models").glob(".draft-*"))
        assert [bundle.ref for bundle in library.held()] == ["tiny@0"]


def test_activation_has_a_way_back(library: ModelLibrary, stick: Make) -> None:
    brought(library, stick("2"))
    brought(library, stick("3"))
    assert library.active_folder("asr") is None
    library.activate("asr", "tiny@2")
    library.activate("asr", "tiny@3")
    assert library.slots()["asr"] == SlotState("tiny@3", "tiny@2")
    library.activate("asr", "tiny@3")  # once more: the way back stays
    assert library.slots()["asr"] == SlotState("tiny@3", "tiny@2")
    assert library.roll_back("asr") == SlotState("tiny@2", "tiny@3")
    folder = library.active_folder("asr")
    assert folder is not None and folder.name == "2"
    assert library.slots()["diarization"] == SlotState()


def _activate_in_turn(folder: Path, trusted: Path, version: str, times: int) -> None:
    library = ModelLibrary(folder, TrustedKeys(trusted), [], "0.1.0")
    for _ in range(times):
        library.activate("asr", f"tiny@{version}")


def test_of_two_activations_at_once_each_is_whole(
    library: ModelLibrary, stick: Make, tmp_path: Path
) -> None:
    for version in ("2", "3"):
        brought(library, stick(version))
    places, forked = (
        (tmp_path / "models", tmp_path / "trusted"),
        multiprocessing.get_context("fork"),
    )
    both = [
        forked.Process(target=_activate_in_turn, args=(*places, version, 20)) for version in "23"
    ]
    for each in both:
        each.start()
    while any(each.is_alive() for each in both):
        state = library.slots()["asr"]  # whole at every moment
        assert {state.active, state.before} <= {None, "", "tiny@0", "tiny@2", "tiny@3"}
    for each in both:
        each.join()
        assert each.exitcode == 0
    state = library.slots()["asr"]
    assert {state.active, state.before} == {"tiny@2", "tiny@3"}


def test_the_first_way_back_is_what_the_settings_name(library: ModelLibrary, stick: Make) -> None:
    brought(library, stick("2"))
    library.activate("asr_standby", "tiny@2")
    assert library.roll_back("asr_standby").active == ""
    assert library.active_folder("asr_standby") is None
    with pytest.raises(Conflict, match="nothing was activated"):
        library.roll_back("asr")


def test_a_slot_takes_its_kind_alone(library: ModelLibrary, stick: Make) -> None:
    brought(library, stick("2"))
    with pytest.raises(InvalidRequest, match="diarization takes a"):
        library.activate("diarization", "tiny@2")
    with pytest.raises(InvalidRequest, match="no slot"):
        library.activate("oracle", "tiny@2")
    with pytest.raises(NotFound, match="there is tiny@"):
        library.activate("asr", "tiny@9")


def test_what_serves_is_not_removed(library: ModelLibrary, stick: Make) -> None:
    for version in "234":
        brought(library, stick(version))
    library.activate("asr", "tiny@2")
    library.activate("asr", "tiny@3")
    with pytest.raises(Conflict, match="serves as asr"):
        library.remove("tiny@3")
    with pytest.raises(Conflict, match="way back"):
        library.remove("tiny@2")
    library.remove("tiny@4")
    with pytest.raises(NotFound):
        library.find("tiny@4")


def test_a_damaged_state_says_what_to_do(
    library: ModelLibrary, stick: Make, tmp_path: Path
) -> None:
    brought(library, stick("2"))
    (tmp_path / "models" / "active.json").write_text("{")
    with pytest.raises(BundleError, match=r"active\.json") as caught:
        library.slots()
    assert "delete" in caught.value.hint


def test_a_key_is_made_once(tmp_path: Path, key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="exists"):
        create_key(key)
    (tmp_path / "no.pub").write_text("no key")
    with pytest.raises(SettingsError, match=r"no\.pub is no public key"):
        TrustedKeys(tmp_path / "t").add(tmp_path / "no.pub", "no")


@pytest.mark.parametrize(
    ("older", "newer"), [("1.9", "1.10"), ("", "0"), ("1", "1.0.1"), ("1.0rc1", "1.0.1")]
)
def test_versions_are_compared_by_their_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


def _import_and_activate(folder: Path, trusted: Path, stick: Path) -> None:
    library = ModelLibrary(folder, TrustedKeys(trusted), [], "0.1.0")
    brought(library, stick)
    library.activate("asr", "tiny@3")


@pytest.mark.parametrize("after_ms", [5, 10, 20, 40, 80, 160])
def test_a_kill_leaves_the_old_or_the_new(
    library: ModelLibrary, stick: Make, tmp_path: Path, after_ms: int
) -> None:
    brought(library, stick("2"))
    library.activate("asr", "tiny@2")
    third = stick("3")
    places = (tmp_path / "models", tmp_path / "trusted", third)
    changing = multiprocessing.get_context("fork").Process(target=_import_and_activate, args=places)
    changing.start()
    time.sleep(after_ms / 1000)
    assert changing.pid
    os.kill(changing.pid, signal.SIGKILL)
    changing.join()
    folder = library.active_folder("asr")
    assert folder is not None and library.slots()["asr"].active in ("tiny@2", "tiny@3")
    for bundle in library.held():
        library.check(bundle)
    if not any(bundle.ref == "tiny@3" for bundle in library.held()):
        brought(library, third)
    library.activate("asr", "tiny@3")
    assert not list((tmp_path / "models").glob(".draft-*"))


def test_what_the_box_did_not_come_up_with_is_taken_back(
    library: ModelLibrary, stick: Make
) -> None:
    taken = [brought(library, stick(version)) for version in ("2", "3")]
    library.activate("asr", "tiny@0")
    library.prove([library.find("tiny@0").folder])
    assert library.take_back() == []
    library.activate("asr", "tiny@2")
    library.activate("asr", "tiny@3")
    library.prove([taken[0].folder])  # which is not what is active
    with pytest.raises(Conflict, match="tiny@2"):
        library.remove("tiny@2")
    assert library.take_back() == ["tiny@3"]
    assert library.slots()["asr"].active == "tiny@0" and library.take_back() == []


def test_what_the_settings_name_serves_again_after_the_first_is_taken_back(
    library: ModelLibrary, stick: Make
) -> None:
    brought(library, stick("2"))
    library.activate("asr", "tiny@2")
    assert library.take_back() == ["tiny@2"]
    assert library.slots()["asr"].active == ""
    assert _folder(library, "asr") is None


def test_what_was_active_before_releases_told_is_proven(
    library: ModelLibrary, stick: Make, tmp_path: Path
) -> None:
    brought(library, stick("2"))
    slots = {"asr": {"active": "tiny@2", "before": ""}}
    (tmp_path / "models" / "active.json").write_text(json.dumps({"format": 1, "slots": slots}))
    assert library.take_back() == []
