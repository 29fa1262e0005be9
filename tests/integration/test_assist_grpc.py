"""Knowledge, quality and warnings by gRPC: what HTTP tells, and faults of their own kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass

from appliance.access.access import CredentialRequest
from appliance.access.roles import AccessRole, Principal
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.settings.doors import AccessSettings
from tests.integration import test_knowledge, test_quality_door, test_warnings_door
from tests.integration.gateway import RunningGateway, gateway

Ask = Callable[..., Awaitable[Any]]
INSTALLER = Principal("installer", "*", frozenset())
SERVICES = ("Knowledge", "Quality", "Warnings")
OTHERWISE = {"id", "name", "call", "gap", "replaces"}  # names of resources, in messages


def asking(channel: grpc.aio.Channel, key: str = "") -> Ask:
    """Asks a method of ours by its short name."""
    methods = {
        each.name: each
        for name in SERVICES
        for each in pb.DESCRIPTOR.services_by_name[name].methods
    }

    async def ask(method: str, **fields: Any) -> Any:
        of = methods[method]
        call = channel.unary_unary(
            f"/{of.containing_service.full_name}/{method}",
            request_serializer=GetMessageClass(of.input_type).SerializeToString,
            response_deserializer=GetMessageClass(of.output_type).FromString,
        )
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        return await call(GetMessageClass(of.input_type)(**fields), timeout=30, metadata=metadata)

    return ask


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path) as running:
        await running.whole.city.learned()
        yield running


@pytest.fixture
async def web(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        yield client


@pytest.fixture
async def ask(box: RunningGateway) -> AsyncIterator[Ask]:
    async with grpc.aio.insecure_channel(box.grpc) as channel:
        yield asking(channel)


async def refused(asked: Awaitable[Any]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asked
    code: grpc.StatusCode = caught.value.code()
    return code


def assert_same(message: Any, told: dict[str, Any]) -> None:
    """What both doors tell of one thing under one name is one; times to the microsecond."""
    mine = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name in (told.keys() & mine.keys()) - OTHERWISE:
        if isinstance(told[name], str | bool):
            assert mine[name] == told[name], name
        elif isinstance(told[name], int | float) and not isinstance(mine[name], str):
            assert mine[name] == pytest.approx(told[name], rel=1e-5), name
        elif isinstance(told[name], list):
            assert len(mine[name]) == len(told[name]), name


async def test_an_entry_is_written_approved_searched_changed_and_retired(
    ask: Ask, web: httpx.AsyncClient
) -> None:
    fields = {**test_knowledge.FUND, "name": "fund-1"}
    made = await ask("ImportEntries", entries=[fields, test_knowledge.HEAT])
    assert made.names[0] == "entries/fund-1" and made.undated == 0
    assert len((await ask("ListEntries", state="draft")).entries) == 2
    page = await ask("ListEntries", page_size=1)
    assert len(page.entries) == 1 and page.next_page_token
    rest = await ask("ListEntries", page_size=1, page_token=page.next_page_token)
    assert rest.entries[0].name != page.entries[0].name
    live = await ask("ApproveEntry", name="fund-1", version=1)
    assert live.state == "live" and live.changed_at.seconds > 1_700_000_000
    assert await refused(ask("ApproveEntry", name="fund-1")) is grpc.StatusCode.FAILED_PRECONDITION
    hit = await test_knowledge.found(web, "fund-1")
    (found,) = (await ask("SearchEntries", question="提取公积金", most=1)).found
    assert found.entry.name == "entries/fund-1"
    assert [[mark.begin, mark.end] for mark in found.marks] == hit["marks"]
    assert_same(found.entry, hit["entry"])
    changed = await ask("UpdateEntry", entry={**fields, "answer": "改了", "state": "live"})
    assert changed.replaces == "entries/fund-1" and changed.state == "draft"
    assert (await ask("RetireEntry", name="entries/fund-1")).state == "retired"
    assert (await ask("GetEntry", name="entries/fund-1")).state == "retired"


async def test_what_is_proposed_is_told_and_judged(ask: Ask, web: httpx.AsyncClient) -> None:
    live = await test_knowledge.live(web, **test_knowledge.FUND)
    await test_knowledge.found(web, live["id"])
    call = await test_knowledge.ask(web)
    told = await ask("GetSuggestions", name=f"calls/{call}")
    assert told.entries[0]["entry"] == live["id"] and told.question
    await ask("JudgeSuggestion", call=call, entry=live["id"], taken=True)
    assert (await ask("GetEntry", name=live["id"])).taken == 1
    assert await refused(ask("GetSuggestions", name="calls/nobody")) is grpc.StatusCode.NOT_FOUND


async def test_what_nobody_can_answer_is_a_gap_and_becomes_a_draft(
    ask: Ask, web: httpx.AsyncClient
) -> None:
    for words in ("请问残疾人证怎么补办", "残疾人证丢了怎么补办啊"):
        await test_knowledge.ask(web, words)
    (gap,) = (await ask("ListGaps")).gaps
    assert gap.questions == 2 and gap.samples[0].call.startswith("calls/")
    draft = await ask("DraftForGap", name=gap.name)
    assert draft.gap == gap.name and draft.state == "draft"


async def test_an_inspection_is_told_decided_sampled_and_counted(
    ask: Ask, web: httpx.AsyncClient
) -> None:
    call, rule = await test_quality_door.call(web), test_quality_door.RULE
    told = await ask("GetInspection", name=f"calls/{call}")
    assert_same(told, await test_quality_door.quality(web, call))
    assert told.call == f"calls/{call}" and told.HasField("total")
    of = {"call": call, "rule": rule}
    appealed = await ask("DecideFinding", **of, action="appeal", reason="我说了")
    assert next(each for each in appealed.findings if each.rule == rule).appeal == "open"
    assert appealed.events[0].at.seconds > 1_700_000_000
    again = ask("DecideFinding", **of, action="appeal", reason="我说了")
    assert await refused(again) is grpc.StatusCode.FAILED_PRECONDITION
    (sampled,) = (await ask("SampleCalls", by="risk")).calls
    assert sampled.call == f"calls/{call}" and sampled.open_appeals == 1
    counted = await ask("GetStatistics")
    assert counted.calls == 1 and not counted.HasField("kappa")
    assert counted.rules[0].violated == 1


async def test_a_warning_is_told_marked_and_muted(ask: Ask, web: httpx.AsyncClient) -> None:
    told = await test_warnings_door.burst(web)
    (listed,) = (await ask("ListWarnings", state="new")).warnings
    assert listed.name == f"warnings/{told['id']}"
    assert_same(listed, told)
    detail = await ask("GetWarning", name=listed.name)
    assert sum(each.count for each in detail.timeline) == 10
    assert detail.orders[0].name.startswith("orders/")
    heat = await ask("GetHeat")
    assert sum(sum(row.counts) for row in heat.rows) == 10
    assert all(len(row.counts) == len(heat.categories) for row in heat.rows)
    assert len((await ask("GetForecast", hours=3)).hours) == 3
    assert len((await ask("ListMatters")).matters[0].orders) == 10
    report = await ask("GetReport", period="week", format="csv")
    assert report.media_type == "text/csv" and "停水" in report.text
    closing = {"name": listed.name, "action": "close", "suppress_days": 2}
    assert await refused(ask("MarkWarning", **closing)) is grpc.StatusCode.INVALID_ARGUMENT
    assert (await ask("MarkWarning", **closing, reason="计划内")).state == "closed"
    (muted,) = (await ask("ListSuppressions")).suppressions
    assert muted.reason == "计划内"
    await ask("DeleteSuppression", name=muted.name)
    assert await refused(ask("DeleteSuppression", name=muted.name)) is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("SearchEntries", {}),
        ("SearchEntries", {"question": "x" * 2001}),
        ("SearchEntries", {"question": "x", "place": "140213"}),
        ("SearchEntries", {"question": "x", "day": "明天"}),
        ("SearchEntries", {"question": "x", "most": 51}),
        ("SearchEntries", {"question": "x", "most": -1}),
        ("ListEntries", {"state": "alive"}),
        ("ListEntries", {"page_token": "a"}),
        ("GetEntry", {"name": "entries/../x"}),
        ("ImportEntries", {"entries": [{"answer": "x", "kind": "nonsense"}]}),
        ("ImportEntries", {"entries": [{"name": "a b", "questions": ["x"], "answer": "x"}]}),
        ("ImportEntries", {"entries": [{"answer": "x"}] * 501}),
        ("DecideFinding", {"call": "c", "rule": "closing", "action": "burn", "reason": "x"}),
        ("SampleCalls", {"by": "taste"}),
        ("SampleCalls", {"n": 201}),
        ("ListWarnings", {"state": "old"}),
        ("ListWarnings", {"limit": 101}),
        ("MarkWarning", {"name": "w-1", "action": "rest"}),
        ("GetHeat", {"days": 32}),
        ("GetForecast", {"hours": 73}),
        ("DeleteSuppression", {"name": "suppressions/x"}),
        ("GetReport", {"period": "year"}),
        ("GetReport", {"format": "pdf"}),
    ],
)
async def test_what_is_wrong_is_told(ask: Ask, method: str, fields: dict[str, Any]) -> None:
    assert await refused(ask(method, **fields)) is grpc.StatusCode.INVALID_ARGUMENT


async def test_each_asks_for_its_roles(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, access=AccessSettings(keys="always")) as box,
        grpc.aio.insecure_channel(box.grpc) as channel,
    ):
        assert await refused(asking(channel)("ListGaps")) is grpc.StatusCode.UNAUTHENTICATED
        for role, may, may_not in (
            (AccessRole.AGENT, "SearchEntries", ("ListGaps", "ListWarnings", "SampleCalls")),
            (AccessRole.EDITOR, "ListGaps", ("ApproveEntry", "GetSuggestions")),
            (AccessRole.DUTY, "ListWarnings", ("SearchEntries", "GetInspection")),
            (AccessRole.INSPECTOR, "SampleCalls", ("MarkWarning", "ImportEntries")),
        ):
            wanted = CredentialRequest(role.value, (role,), "a")
            ask = asking(channel, (await box.access.create(INSTALLER, wanted)).key)
            await ask(may, **({"question": "公积金"} if may == "SearchEntries" else {}))
            for each in may_not:
                assert await refused(ask(each)) is grpc.StatusCode.PERMISSION_DENIED
