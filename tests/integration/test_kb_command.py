"""`lingting kb` against a running box."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.cli.app import app
from appliance.errors import Forbidden, LingtingError, Unauthenticated
from appliance.settings.doors import AccessSettings
from tests.integration.gateway import RunningGateway, gateway

TABLE = """id,问题,答案,来源,失效日期
fund,租房怎么提取住房公积金|公积金租房提取,无自有住房的可以提取住房公积金支付房租，每年一次。,管理办法,2099-12-31
heat,供暖温度不达标怎么办,室内低于18度的先打供热单位电话。,供热条例,
"""
ASKED = "question,entry\n租房能取公积金吗,fund\n暖气温度低找谁,heat\n公积金,heat\n"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        yield running


async def kb(box: RunningGateway, *words: str, told: int = 0) -> Result:
    arguments = ["kb", "--server", box.http, *words]
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert done.exit_code == told, (done.output, done.exception)
    return done


async def imported(box: RunningGateway, folder: Path) -> None:
    (folder / "kb.csv").write_text(TABLE, encoding="utf-8")
    done = await kb(box, "import", str(folder / "kb.csv"), "--approve", "--json")
    found = {"entries": 2, "undated": 1, "left_out": 0, "contradictions": 0}
    assert json.loads(done.stdout) == found
    async with asyncio.timeout(5):
        while len(box.whole.knowledge.library) < 2:
            await asyncio.sleep(0.02)


async def test_import_search_measure_and_export(box: RunningGateway, tmp_path: Path) -> None:
    await imported(box, tmp_path)
    found = await kb(box, "search", "租房怎么取公积金")
    assert "管理办法" in found.stdout and "2099-12-31" in found.stdout
    (tmp_path / "asked.csv").write_text(ASKED, encoding="utf-8")
    told = json.loads((await kb(box, "eval", str(tmp_path / "asked.csv"), "--json")).stdout)
    assert told["n"] == 3 and told["r1"] == round(2 / 3, 4)
    await kb(box, "export", str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["fund"]["questions"] == "租房怎么提取住房公积金|公积金租房提取"
    again = await kb(box, "import", str(tmp_path / "out.csv"), "--approve", "--json")
    assert json.loads(again.stdout)["entries"] == 2
    assert (await box.whole.knowledge.get("fund")).version == 2


async def test_a_line_that_cannot_be_kept_is_named_and_costs_no_other(
    box: RunningGateway, tmp_path: Path
) -> None:
    wrong = TABLE.replace("2099-12-31", "2099-02-31")
    (tmp_path / "kb.csv").write_text(wrong, encoding="utf-8")
    done = await kb(box, "import", str(tmp_path / "kb.csv"), "--json", told=1)
    assert json.loads(done.stdout)["entries"] == 1
    assert "kb.csv:2: left out" in done.stderr and "valid_to" in done.stderr


async def test_gaps_and_duplicates_are_listed(box: RunningGateway, tmp_path: Path) -> None:
    await imported(box, tmp_path)
    assert "no gaps" in (await kb(box, "gaps")).stdout
    told = json.loads((await kb(box, "dedupe", "--json")).stdout)
    assert told == {"duplicates": [], "contradictions": []}


async def test_what_is_no_list_of_questions_is_told(box: RunningGateway, tmp_path: Path) -> None:
    (tmp_path / "asked.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = await kb(box, "eval", str(tmp_path / "asked.csv"), told=1)
    assert isinstance(done.exception, LingtingError)


async def test_who_may_not_import_is_told_once_and_how(tmp_path: Path) -> None:
    (tmp_path / "kb.csv").write_text(TABLE, encoding="utf-8")
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        done = await kb(box, "import", str(tmp_path / "kb.csv"), told=1)
    assert isinstance(done.exception, Forbidden | Unauthenticated)
    assert "--key-file" in str(done.exception) and "left out" not in done.output


async def test_drafts_are_approved_by_the_hundred(box: RunningGateway, tmp_path: Path) -> None:
    (tmp_path / "kb.csv").write_text(TABLE, encoding="utf-8")
    await kb(box, "import", str(tmp_path / "kb.csv"))
    assert "2 of 2 drafts answer now" in (await kb(box, "approve", "--all")).stdout
    assert (await box.whole.knowledge.get("fund")).state == "live"
    again = await kb(box, "approve", "fund", told=1)
    assert "fund: not approved" in again.stderr
