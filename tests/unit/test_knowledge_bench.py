"""`lingting bench knowledge`: what it makes, and the peer that it measures beside ours."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from appliance.assist.city import pack as packs
from appliance.cli.app import app
from appliance.settings import load_settings
from tools.bench.knowledge_texts import made_entries
from tools.peers.jieba_bm25 import JiebaBm25


def test_entries_are_made_alike_each_time_and_copies_say_another_amount() -> None:
    pack = packs.load(load_settings().city.pack, sealed=False)
    made = made_entries(pack, 200, 0.3)
    assert made == made_entries(pack, 200, 0.3)
    copies = [each for each in made if each.copies is not None]
    assert 30 < len(copies) < 90
    for each in copies:
        first = made[each.copies or 0]
        assert first.title in each.title and first.title != each.title
        assert each.answer.partition("，")[2] == first.answer.partition("，")[2]


def test_the_peer_finds_by_words() -> None:
    texts = ["公积金提取要身份证", "供暖温度不达标", "老年公交卡", "孩子上学报名"]
    assert JiebaBm25(texts).search("公积金怎么提取")[0] == 0


def test_all_of_it_is_measured() -> None:
    done = CliRunner().invoke(app, ["bench", "knowledge", "--passages", "300", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["entries"] == 300 and told["passages"] > 300 and told["found"] > 0.8
    assert {"import_s", "search_p95_ms", "visible_most_ms", "memory_mib", "jieba_import_s"} <= {
        *told
    }
