"""A pack is switched under a running box: sealed anew, or another link; never half of one."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from appliance.assist.city import seal
from appliance.assist.city.pack import CityPack
from appliance.assist.current import CurrentCity
from appliance.errors import SettingsError
from appliance.settings.section import PROJECT

DATONG = PROJECT / "provisioning" / "city_packs" / "datong"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "city"
    shutil.copytree(DATONG, folder)
    for name in ("examples.csv", "emergency_examples.csv"):  # few are learned in no time
        head, *rows = (folder / name).read_text(encoding="utf-8").splitlines()
        (folder / name).write_text("\n".join([head, *rows[::25]]), encoding="utf-8")
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


async def test_what_else_reads_a_pack_takes_it_too(copy: Path, tmp_path: Path) -> None:
    taken: list[Path] = []
    city = CurrentCity(copy, taking=lambda pack: taken.append(pack.folder))
    renamed(copy, "新大同")
    seal.write(copy)
    assert await city.look() and taken == [copy]


async def test_a_pack_that_the_others_cannot_take_is_not_taken(copy: Path) -> None:
    def refuses(pack: CityPack) -> None:
        raise SettingsError("read the city pack", "no lexicon", "")

    city = CurrentCity(copy, taking=refuses)
    before = city.pack
    renamed(copy, "新大同")
    seal.write(copy)
    assert not await city.look() and city.pack is before


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


async def test_what_cannot_be_kept_is_told_and_not_learned_by_the_gateway(
    copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor by one that is being stopped, whose learner was told to stop with it."""
    (tmp_path / "full").write_text("")
    city = CurrentCity(copy, tmp_path / "full" / "cache")
    await city.start()
    async with asyncio.timeout(60):
        assert (await city.learned()).models is None
    await city.close()
    assert "nothing is kept in" in caplog.text
