"""A city's own orders: what is learned of them, and what is refused."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from appliance.assist.city import known, seal
from appliance.assist.city import pack as packs
from appliance.assist.city.pack import CityPack
from appliance.cli.city_train import train_pack
from appliance.errors import SettingsError
from appliance.settings.section import PROJECT

DATONG = PROJECT / "provisioning" / "city_packs" / "datong"
HEAT, DOGS = "050401", "1307"


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CityPack:
    """With few examples, learned in no time."""
    folder = tmp_path / "city"
    shutil.copytree(DATONG, folder)
    head, *rows = (folder / "examples.csv").read_text(encoding="utf-8").splitlines()
    (folder / "examples.csv").write_text("\n".join([head, *rows[::40]]), encoding="utf-8")
    seal.write(folder)
    monkeypatch.setenv("LINGTING_CITY__CACHE", str(tmp_path / "cache"))
    return packs.load(folder)


def orders(path: Path, **columns: tuple[str, str]) -> Path:
    """A hundred, of two matters; `columns`: what each of the two has there."""
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.DictWriter(file, ("text", *columns))
        writer.writeheader()
        for number in range(100):
            matter = number % 2
            text = (
                f"第{number}户，暖气片冰凉，锅炉房说压力不够，屋里才{number % 9 + 8}度",
                f"{number}号院有人养了大狼狗不拴绳，半夜叫，吓着孩子{number}回了",
            )[matter]
            writer.writerow({"text": text, **{name: of[matter] for name, of in columns.items()}})
    return path


def trained(pack: CityPack, data: Path) -> tuple[tuple[str, ...], str]:
    said = io.StringIO()
    return train_pack(pack, [data], Console(file=said, width=120), force=True), said.getvalue()


def test_whose_it_is_is_learned_where_the_orders_tell_it(pack: CityPack, tmp_path: Path) -> None:
    data = orders(
        tmp_path / "orders.csv",
        label=(pack.taxonomy.path(HEAT)[-1].name, DOGS),
        main=("140213-heating", "urban_management"),
        helpers=("140213-housing", ""),
        tier=("加急", "7d"),
    )
    taken, said = trained(pack, data)
    assert taken == ("category", "main", "helpers", "tier") and "主办单位" in said
    models = known.models_of(packs.load(pack.folder), None)
    text = "我们楼暖气片冰凉，说是压力不够"
    assert models.main and models.helpers and models.tier
    assert models.main.guesses(text)[0].label == "heating@county"
    assert models.helpers.guesses(text)[0].label == "housing"
    assert models.tier.guesses(text)[0].label == "24h"


def test_categories_alone_are_enough(pack: CityPack, tmp_path: Path) -> None:
    taken, _ = trained(pack, orders(tmp_path / "orders.csv", label=(HEAT, DOGS)))
    assert taken == ("category",)
    assert not known.own_model(pack, "main").exists()


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"label": ("没有这一类", DOGS)}, "没有这一类"),
        ({"label": (HEAT, DOGS), "main": ("火星办", "urban_management")}, "火星办"),
        ({"label": (HEAT, DOGS), "tier": ("明年", "7d")}, "明年"),
        ({"other": ("a", "b")}, "too few"),
    ],
)
def test_what_is_unknown_is_named(
    pack: CityPack, tmp_path: Path, columns: dict[str, tuple[str, str]], cause: str
) -> None:
    with pytest.raises(SettingsError, match=cause):
        trained(pack, orders(tmp_path / "orders.csv", **columns))
    assert packs.load(pack.folder).digest == pack.digest  # nothing was written
