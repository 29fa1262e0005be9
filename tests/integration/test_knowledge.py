"""The knowledge base through its door: written, approved, searched, proposed, and its gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.access.access import CredentialRequest
from appliance.access.roles import AccessRole, Principal
from appliance.settings.doors import AccessSettings
from tests.integration.gateway import RunningGateway, gateway
from tests.integration.test_webhooks import Receiver, hooks

FUND = {
    "questions": ["租房怎么提取住房公积金", "租房提取公积金要什么材料"],
    "answer": "连续足额缴存满三个月、本人及配偶在本市无自有住房的，可以提取住房公积金支付房租。"
    "带身份证和无房证明到公积金中心办理，也可以在手机上申请。每人每年提取一次。",
    "department": "大同市住房公积金管理中心",
    "source": "大同市住房公积金提取管理办法",
    "valid_to": "2099-12-31",
}
HEAT = {
    "questions": ["供暖温度不达标怎么办"],
    "answer": "室内温度低于18度的，先打供热单位电话，二十四小时内上门测温。",
    "valid_to": "2099-12-31",
}
FORM = "租房怎么提取住房公积金"
ASKED = "你好，我在外面租房住，想问一下租房能不能提取住房公积金，要带什么材料？"
INSTALLER = Principal("installer", "*", frozenset())


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
async def web(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        yield client


async def write(web: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await web.post("/api/v1/knowledge", json=fields)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def live(web: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    made = await write(web, **fields)
    answer = await web.post(f"/api/v1/knowledge/{made['id']}/approve")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def search(web: httpx.AsyncClient, question: str, **query: Any) -> list[dict[str, Any]]:
    answer = await web.get("/api/v1/knowledge/search", params={"q": question, **query})
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()["found"]
    return told


async def found(
    web: httpx.AsyncClient, entry: str, question: str = "提取公积金", **query: Any
) -> dict[str, Any]:
    """Once a change is searched: within a second."""
    async with asyncio.timeout(5):
        while True:
            for each in await search(web, question, **query):
                if each["entry"]["id"] == entry:
                    return each
            await asyncio.sleep(0.02)


async def ask(web: httpx.AsyncClient, words: str = ASKED) -> str:
    """A written message; the call that it is kept as."""
    answer = await web.post("/api/v1/texts", json={"channel": "wechat", "text": words})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def gaps(web: httpx.AsyncClient) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = (await web.get("/api/v1/knowledge/gaps")).json()["gaps"]
    return told


async def test_a_draft_answers_once_it_is_approved(web: httpx.AsyncClient) -> None:
    made = await write(web, **FUND)
    assert made["state"] == "draft" and not await search(web, "提取公积金")
    await web.post(f"/api/v1/knowledge/{made['id']}/approve")
    told = await found(web, made["id"])
    assert told["entry"]["approved_by"] and told["entry"]["source"] == FUND["source"]
    begin, end = told["marks"][0]
    assert FUND["answer"][begin:end] in ("提取", "公积金", "提取住房公积金", "住房公积金")
    assert told["begin"] <= begin < end <= told["end"]
    again = await web.post(f"/api/v1/knowledge/{made['id']}/approve")
    assert again.status_code == 409


async def test_a_change_of_a_live_entry_waits_for_its_approval(web: httpx.AsyncClient) -> None:
    made = await live(web, **FUND)
    await found(web, made["id"])
    new = {**FUND, "answer": "从明年起每年可以提取两次住房公积金。"}
    draft = (await web.put(f"/api/v1/knowledge/{made['id']}", json=new)).json()
    assert draft["replaces"] == made["id"] and draft["state"] == "draft"
    assert (await found(web, made["id"]))["entry"]["answer"] == FUND["answer"]
    done = (await web.post(f"/api/v1/knowledge/{draft['id']}/approve")).json()
    assert done["id"] == made["id"] and done["answer"] == new["answer"]
    versions = (await web.get(f"/api/v1/knowledge/{made['id']}/history")).json()["versions"]
    assert [each["action"] for each in versions] == ["drafted", "approved", "approved"]
    assert versions[1]["entry"]["answer"] == FUND["answer"]


async def test_what_was_changed_meanwhile_is_not_overwritten(web: httpx.AsyncClient) -> None:
    made = await write(web, **FUND)
    one = await web.put(
        f"/api/v1/knowledge/{made['id']}", json=HEAT, headers={"If-Match": f'"{made["version"]}"'}
    )
    other = await web.put(
        f"/api/v1/knowledge/{made['id']}", json=FUND, headers={"If-Match": f'"{made["version"]}"'}
    )
    assert (one.status_code, other.status_code) == (200, 409)


async def test_what_has_expired_never_answers(web: httpx.AsyncClient) -> None:
    made = await live(web, **{**FUND, "valid_from": "2020-01-01", "valid_to": "2024-12-31"})
    await found(web, made["id"], day="2024-12-31")
    assert not await search(web, "提取公积金") and not await search(web, "公积金", day="2025-01-01")
    expiring = (await web.get("/api/v1/knowledge/expiring")).json()["entries"]
    assert [each["id"] for each in expiring] == [made["id"]]


async def test_a_countys_rule_comes_before_the_citys_there(web: httpx.AsyncClient) -> None:
    city = await live(web, **FUND)
    here = {"answer": "平城区提取公积金到区政务大厅。", "scope": PINGCHENG}
    county = await live(web, **{**FUND, **here})
    await found(web, county["id"])
    there = await search(web, "租房提取公积金", place=PINGCHENG)
    assert [each["entry"]["id"] for each in there] == [county["id"]]
    assert there[0]["also"] == [city["id"]]
    elsewhere = await search(web, "租房提取公积金", place="140214000000")
    assert [each["entry"]["id"] for each in elsewhere] == [city["id"]]


PINGCHENG = "140213000000"


async def test_it_is_proposed_while_they_speak(web: httpx.AsyncClient) -> None:
    made = await live(web, **FUND)
    await live(web, **HEAT)
    await found(web, made["id"])
    call = await ask(web)
    told = (await web.get(f"/api/v1/calls/{call}/suggestions")).json()
    assert told["entries"][0]["entry"] == made["id"] and "公积金" in told["question"]
    assert told["entries"][0]["source"] and told["entries"][0]["valid_to"] == "2099-12-31"
    events = (await web.get(f"/api/v1/calls/{call}")).json()["derived"]["suggestions"]
    assert events == told


async def test_an_agents_word_is_counted_once_and_may_be_taken_back(
    web: httpx.AsyncClient,
) -> None:
    made = await live(web, **FUND)
    await found(web, made["id"])
    call = await ask(web)
    for taken in (True, True, False):
        path = f"/api/v1/calls/{call}/suggestions/{made['id']}"
        assert (await web.post(path, json={"taken": taken})).status_code == 204
    entry = (await web.get(f"/api/v1/knowledge/{made['id']}")).json()
    assert (entry["taken"], entry["rejected"]) == (0, 1)
    unknown = await web.post(f"/api/v1/calls/{call}/suggestions/nothing", json={"taken": True})
    assert unknown.status_code == 404


async def test_what_nobody_answered_becomes_a_draft(web: httpx.AsyncClient) -> None:
    await live(web, **HEAT)
    for words in (ASKED, "我租房子住，公积金怎么提取？", "租房提取公积金在哪里办？"):
        await ask(web, words)
    async with asyncio.timeout(20):
        while not (told := await gaps(web)) or told[0]["questions"] < 3:
            await asyncio.sleep(0.05)
    assert "公积金" in told[0]["title"] and len(told) == 1
    draft = await web.post(f"/api/v1/knowledge/gaps/{told[0]['id']}/draft")
    assert draft.status_code == 201 and draft.json()["state"] == "draft"
    assert draft.json()["gap"] == told[0]["id"]
    made = await live(web, **FUND)
    await found(web, made["id"])
    assert not await gaps(web)  # the entry answers them now


async def test_a_question_goes_with_its_call(web: httpx.AsyncClient) -> None:
    call = await ask(web)
    async with asyncio.timeout(20):
        while not await gaps(web):
            await asyncio.sleep(0.05)
    assert (await web.delete(f"/api/v1/calls/{call}")).status_code == 204
    assert not await gaps(web)


async def test_many_at_once_and_what_contradicts(web: httpx.AsyncClient) -> None:
    other = {**FUND, "id": "b", "answer": "每人每年可以提取公积金二次，限额3000元。"}
    same = {**FUND, "id": "a", "answer": "每人每年可以提取公积金一次，限额2000元。"}
    body = {"entries": [same, {**HEAT, "id": "c", "valid_to": ""}]}
    answer = await web.post("/api/v1/knowledge/batch", json=body, params={"approve": True})
    assert answer.json() == {"ids": ["a", "c"], "contradictions": [], "undated": 1}
    await found(web, "a")
    answer = await web.post("/api/v1/knowledge/batch", json={"entries": [other]})
    (told,) = answer.json()["contradictions"]
    assert told["entry"] == "b" and told["other"] == "a" and "元" in told["why"]


async def test_entries_that_ask_the_same_become_one(web: httpx.AsyncClient) -> None:
    ids = [
        (await live(web, **{**FUND, "questions": [title]}))["id"]
        for title in (
            "租房怎么提取住房公积金",
            "租房怎么提取住房公积金？",
            "租房怎么才能提取住房公积金",
        )
    ]
    await live(web, **HEAT)
    await found(web, ids[-1])
    (told,) = (await web.get("/api/v1/knowledge/duplicates")).json()["duplicates"]
    assert sorted(told["ids"]) == sorted(ids)
    body = {"keep": told["keep"], "ids": told["ids"]}
    draft = (await web.post("/api/v1/knowledge/merge", json=body)).json()
    done = (await web.post(f"/api/v1/knowledge/{draft['id']}/approve")).json()
    assert done["id"] == told["keep"] and len(done["questions"]) == 3
    async with asyncio.timeout(5):
        while len(await search(web, "提取公积金")) != 1:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"answer": ""}, "answer"),
        ({"answer": "长" * 20_001}, "answer"),
        ({"scope": "999999000000"}, "scope"),
        ({"valid_to": "2026-02-30"}, "valid_to"),
        ({"valid_from": "2027-01-01", "valid_to": "2026-01-01"}, "valid_to"),
        ({"questions": ["问"] * 3 + [str(n) for n in range(60)]}, "questions"),
        ({"title": "x"}, "title"),
    ],
)
async def test_what_cannot_be_an_entry_is_told(
    web: httpx.AsyncClient, wrong: dict[str, Any], param: str
) -> None:
    answer = await web.post("/api/v1/knowledge", json={**FUND, **wrong})
    assert answer.status_code == 400 and answer.json()["param"] == param


async def test_nobody_approves_what_they_wrote(tmp_path: Path) -> None:
    async with gateway(tmp_path, access=AccessSettings(keys="always")) as box:
        keys = {}
        for role in (AccessRole.EDITOR, AccessRole.APPROVER, AccessRole.AGENT):
            wanted = CredentialRequest(role.value, (role,), tenant="*")
            made = await box.access.create(INSTALLER, wanted)
            keys[role] = {"authorization": f"Bearer {made.key}"}
        async with httpx.AsyncClient(base_url=box.http, timeout=30) as web:
            mine = await web.post("/api/v1/knowledge", json=FUND, headers=keys[AccessRole.EDITOR])
            path = f"/api/v1/knowledge/{mine.json()['id']}"
            refused = await web.post(f"{path}/approve", headers=keys[AccessRole.EDITOR])
            approved = await web.post(f"{path}/approve", headers=keys[AccessRole.APPROVER])
            assert (refused.status_code, approved.status_code) == (403, 200)
            theirs = await web.post(
                "/api/v1/knowledge", json=HEAT, headers=keys[AccessRole.APPROVER]
            )
            own = f"/api/v1/knowledge/{theirs.json()['id']}/approve"
            assert (await web.post(own, headers=keys[AccessRole.APPROVER])).status_code == 403
            many = {"entries": [FUND]}
            at_once = await web.post(
                "/api/v1/knowledge/batch?approve=true", json=many, headers=keys[AccessRole.EDITOR]
            )
            assert at_once.status_code == 403
            agent = keys[AccessRole.AGENT]
            assert (
                await web.post("/api/v1/knowledge", json=FUND, headers=agent)
            ).status_code == 403
            searched = await web.get("/api/v1/knowledge/search?q=公积金", headers=agent)
            assert searched.status_code == 200


async def test_an_answer_is_sent_by_a_text_channel(tmp_path: Path, receiver: Receiver) -> None:
    wanted = hooks(tmp_path, await receiver.serve(), events=("knowledge.answer",))
    async with (
        gateway(tmp_path, wanted) as box,
        httpx.AsyncClient(base_url=box.http, timeout=30) as web,
    ):
        entry = (await live(web, **FUND))["id"]
        await found(web, entry)
        path = f"/api/v1/calls/{await ask(web)}/suggestions/{entry}/send"
        for _ in range(2):
            assert (await web.post(path, json={"channel": "sms"})).status_code == 202
        assert (await web.post(path, json={"channel": "飞鸽"})).status_code == 400
        (told,) = await receiver.until(1)
        assert told["data"]["answer"] == FUND["answer"] and told["data"]["channel"] == "sms"
        assert told["type"] == "lingting.knowledge.answer" and "phone" not in told["data"]
        assert (await web.get(f"/api/v1/knowledge/{entry}")).json()["taken"] == 1
        await web.post(f"/api/v1/knowledge/{entry}/retire")
        assert (await web.post(path, json={"channel": "sms"})).status_code == 409


async def test_an_answer_that_nobody_takes_is_not_sent(web: httpx.AsyncClient) -> None:
    entry = (await live(web, **FUND))["id"]
    path = f"/api/v1/calls/{await ask(web)}/suggestions/{entry}/send"
    refused = await web.post(path, json={"channel": "sms"})
    assert refused.status_code == 409 and "knowledge.answer" in refused.text


async def test_an_import_never_takes_a_live_answer_away(web: httpx.AsyncClient) -> None:
    entry = (await live(web, **FUND))["id"]
    again = {"entries": [{**FUND, "id": entry, "answer": "改过的答案，可以提取。"}]}
    (draft,) = (await web.post("/api/v1/knowledge/batch", json=again)).json()["ids"]
    proposed = (await web.get(f"/api/v1/knowledge/{draft}")).json()
    assert draft != entry and proposed["replaces"] == entry and proposed["state"] == "draft"
    hit = await found(web, entry)
    assert hit["entry"]["state"] == "live" and hit["entry"]["answer"] == FUND["answer"]
    approved = (await web.post(f"/api/v1/knowledge/{draft}/approve")).json()
    assert approved["id"] == entry and approved["answer"] == "改过的答案，可以提取。"


async def test_of_two_changes_of_one_entry_the_second_is_written_anew(
    web: httpx.AsyncClient,
) -> None:
    entry = (await live(web, **FUND))["id"]
    path = f"/api/v1/knowledge/{entry}"
    one, other = [
        (await web.put(path, json={**FUND, "source": source})).json()["id"] for source in "ab"
    ]
    assert (await web.post(f"/api/v1/knowledge/{one}/approve")).status_code == 200
    late = await web.post(f"/api/v1/knowledge/{other}/approve")
    assert late.status_code == 409 and (await web.get(path)).json()["source"] == "a"
    await web.post(f"{path}/retire")
    assert (await web.post(f"/api/v1/knowledge/{other}/approve")).status_code == 409


async def test_what_an_agent_would_not_have_is_gone_and_becomes_a_gap(
    web: httpx.AsyncClient,
) -> None:
    entry = (await live(web, **FUND))["id"]
    await found(web, entry)
    call = await ask(web)
    path = f"/api/v1/calls/{call}/suggestions"
    assert [each["entry"] for each in (await web.get(path)).json()["entries"]] == [entry]
    assert (await web.post(f"{path}/{entry}", json={"taken": False})).status_code == 204
    assert (await web.get(path)).json()["entries"] == []


async def test_a_merge_says_what_retires_and_takes_what_is_live_alone(
    web: httpx.AsyncClient,
) -> None:
    one, other = [(await live(web, **FUND))["id"] for _ in range(2)]
    draft = (await write(web, **HEAT))["id"]
    merge = "/api/v1/knowledge/merge"
    assert (await web.post(merge, json={"keep": one, "ids": [draft]})).status_code == 400
    made = (await web.post(merge, json={"keep": one, "ids": [one, other]})).json()
    assert made["absorbs"] == [other]
    path = f"/api/v1/knowledge/{made['id']}"
    edited = (await web.put(path, json={**FUND, "source": "合并后"})).json()
    assert edited["absorbs"] == [other]
    assert (await web.post(f"{path}/approve")).json()["id"] == one
    assert (await web.get(f"/api/v1/knowledge/{other}")).json()["state"] == "retired"
