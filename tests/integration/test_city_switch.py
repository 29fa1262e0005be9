"""A pack is switched under a running box: sealed anew, or another link; never half of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.assist.city import seal
from appliance.assist.current import CurrentCity
from appliance.errors import SettingsError
from appliance.settings.section import PROJECT

DATONG = PROJECT / "provisioning" / "city_packs" / "datong"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "city"
    shutil.copytree(DATONG, folder)
    seal.write(folder)
    return folder


def renamed(folder: Path, title: str) -> None:
    file = folder / "pack.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("大同市", title), encoding="utf-8")


async def test_a_pack_sealed_anew_is_taken(copy: Path) -> None:
    city = CurrentCity(copy)
    before = city.pack.version
    assert not await city.look()
    renamed(copy, "新大同")
    assert not await city.look()  # edited, and nobody has said that it may be used
    seal.write(copy)
    assert await city.look()
    assert city.pack.identity.title == "新大同" and city.pack.version != before


async def test_a_faulty_pack_is_not_taken(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    city = CurrentCity(copy)
    before = city.pack
    (copy / "refusals.toml").write_text("[[refusal]]\n", encoding="utf-8")
    seal.write(copy)
    assert not await city.look()
    assert city.pack is before and "refusals.toml:1" in caplog.text
    assert not await city.look()  # told once


async def test_a_link_that_leads_elsewhere_is_followed(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(copy, other)
    renamed(other, "另一市")
    seal.write(other)
    link = tmp_path / "current"
    link.symlink_to(copy)
    city = CurrentCity(link)
    link.unlink()
    link.symlink_to(other)
    assert await city.look() and city.pack.identity.title == "另一市"


def test_a_box_does_not_start_with_a_changed_pack(copy: Path) -> None:
    renamed(copy, "新大同")
    with pytest.raises(SettingsError, match=r"pack\.toml: it was changed"):
        CurrentCity(copy)
