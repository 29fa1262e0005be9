"""Places: what they are called, what lies in what, and how fast thousands are listened for."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from appliance.assist.address.files import local_sounds, of_city, of_divisions
from appliance.assist.address.find import find
from appliance.assist.address.forms import forms, proper
from appliance.assist.address.gazetteer import Gazetteer, Place, level_of, trimmed
from appliance.errors import SettingsError

ROOT = Path(__file__).resolve().parents[2]
CHINA = ROOT / "provisioning" / "divisions" / "china_2022.csv"


def test_codes() -> None:
    assert trimmed("140213000000") == "140213"
    assert trimmed("140213") == "140213"
    assert [level_of(code.ljust(12, "0")) for code in ("14", "1402", "140213", "140213001")] == [
        *("province", "city", "county", "town")
    ]


def test_what_lies_in_what() -> None:
    gazetteer = Gazetteer(
        [
            Place("140200000000", "大同市", "city"),
            Place("140213000000", "平城区", "county"),
            Place("140213057000", "御河街道", "town"),
            Place("p", "御河桥", "bridge", ("140213057000", "140214000000")),
        ]
    )
    assert [p.name for p in gazetteer.ancestors("140213057000")] == ["大同市", "平城区", "御河街道"]
    assert gazetteer.agree(2, 3) and gazetteer.agree(1, 3)
    assert gazetteer.place("140213") is gazetteer.places[1]
    assert gazetteer.place("p") is gazetteer.places[3]
    assert gazetteer.place("x") is None


@pytest.mark.parametrize(
    ("name", "as_used"),
    [
        ("古店村委会", "古店村"),
        ("新荣村村委会", "新荣村"),
        ("康吉社区居民委员会", "康吉社区"),
        ("御河街道办事处", "御河街道"),
        ("平城区", "平城区"),
    ],
)
def test_names_as_they_are_used(name: str, as_used: str) -> None:
    assert proper(name) == as_used


@pytest.mark.parametrize(
    ("kind", "name", "core"),
    [
        ("county", "平城区", "平城"),
        ("village", "南村", "南村"),
        ("compound", "锦绣花园小区", "锦绣"),
        ("compound", "501宿舍", "501宿舍"),  # a number alone would be any room
        ("street", "新华大街", "新华"),
        ("school", "大同市第一中学", "第一中学"),
        ("hospital", "左云县医院", "左云县医院"),  # 左云县 alone is no hospital
        ("county", "经济开发区", "经济开发区"),  # 开发 alone is said of anything
    ],
)
def test_cores(kind: str, name: str, core: str) -> None:
    form = next(forms(0, kind, name, "大同市", {"左云县"}))
    assert form.text[slice(*form.core)] == core


def test_china_is_found_as_it_is_written() -> None:
    china = of_divisions(CHINA)
    assert len(china.places) > 44_000
    used = find("浙江省杭州市余杭区五常街道文一西路969号", china).mentions[0].meant
    assert used and used.division == "330110005"


def test_three_thousand_names_are_listened_for_in_milliseconds() -> None:
    rng = random.Random(5)
    chars = "平城云冈新荣州浑源灵丘广天镇阳高左御河锦绣花园康吉社振华迎宾永泰清远武定古店口泉"
    places = [Place("140200000000", "大同市", "city"), Place("140213000000", "平城区", "county")]
    for number in range(3000):
        name = "".join(rng.choices(chars, k=rng.randint(2, 4))) + rng.choice(["小区", "路", "村"])
        places.append(Place(f"p{number}", name, "compound", ("140213000000",)))
    city = Gazetteer(places)
    text = "喂你好我想反映一下我们这边下水道堵了好几天了在平城区御河锦绣小区门口一直没人管"
    find(text, city)
    times = []
    for _ in range(7):
        find.cache_clear()
        began = time.perf_counter()
        find(text, city)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.03  # 10 ms on a core of its own


class TestFiles:
    def test_a_city(self, tmp_path: Path) -> None:
        (tmp_path / "divisions.csv").write_text(
            "code,name,aliases,old_names\n140213000000,平城区,平城,城区\n", encoding="utf-8"
        )
        (tmp_path / "places.csv").write_text(
            "name,kind,divisions,aliases,old_names,sample\n新华街,street,140213000000,,新华路;老街,1\n",
            encoding="utf-8",
        )
        city = of_city(tmp_path)
        assert city.places[0].names == ("平城", "城区")
        assert city.places[1].names == ("新华路", "老街")
        assert city.places[1].divisions == ("140213000000",)

    def test_what_is_said_alike(self, tmp_path: Path) -> None:
        path = tmp_path / "sounds.csv"
        assert local_sounds(path) == ()
        path.write_text("one,other,nats\nen,eng,0.3\n", encoding="utf-8")
        assert local_sounds(path) == (("en-eng", 0.3),)
        path.write_text("one,other,nats\nen,eng,much\n", encoding="utf-8")
        with pytest.raises(SettingsError, match="much"):
            local_sounds(path)

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "divisions.csv"
        path.write_text("code,title\n14,山西省\n", encoding="utf-8")
        with pytest.raises(SettingsError, match="name"):
            of_divisions(path)
