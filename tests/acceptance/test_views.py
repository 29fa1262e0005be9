"""The views of knowledge, quality and warnings, in a real browser before a box in this process."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from tests import fakes
from tests.integration import test_knowledge as knowledge
from tests.integration import test_quality_door as quality
from tests.integration import test_warnings_door as warnings
from tests.integration.gateway import RunningGateway, gateway

CHROMIUM = shutil.which("chromium")
PHONE = {"width": 390, "height": 844}
ATTACK = "<img src=x onerror=window.hacked=1>"
RUDE = "你这个傻子烦不烦"
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM, reason="needs a browser: make build/.monitoring"),
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        await browser.close()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with gateway(tmp_path, keep_audio_days=1) as running:
        yield running


@pytest.fixture
async def web(box: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=box.http, timeout=30) as client:
        yield client


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    made = await browser.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    yield made
    assert await made.evaluate("window.hacked") is None
    assert not wrong


async def test_a_question_is_answered_a_gap_drafted_and_approved(
    page: Page, web: httpx.AsyncClient
) -> None:
    made = await knowledge.live(web, **{**knowledge.FUND, "source": ATTACK})
    await knowledge.found(web, made["id"])
    await knowledge.ask(web, "宠物狗在哪里上户口办证？")
    await page.goto(f"{web.base_url}/knowledge")
    await page.get_by_label("问题").fill("租房怎么提取公积金")
    await page.get_by_role("button", name="查找").click()
    found = page.locator("#results .item").first
    await expect(found.locator("h3")).to_contain_text(knowledge.FORM)
    await expect(found.locator("mark").first).to_be_visible()
    await expect(found.locator(".about")).to_contain_text(ATTACK)
    await expect(found.locator(".about")).to_contain_text("至 2099-12-31")
    await page.locator("#gaps [data-act]").first.click()
    draft = page.locator("#drafts .item").first
    await expect(draft).to_contain_text("为缺口起草")
    await draft.get_by_label("答复").fill("带狗证照片到派出所办理。")
    await draft.get_by_role("button", name="保存草稿").click()
    await expect(page.locator("#drafts .item .answer").first).to_have_text(
        "带狗证照片到派出所办理。"
    )
    await page.locator("#drafts").get_by_role("button", name="通过").first.click()
    await expect(page.locator("#drafts-state")).to_contain_text("已通过")
    await expect(page.locator("#drafts .item")).to_have_count(0)


async def test_a_click_on_a_proof_plays_it(
    page: Page, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fakes, "TEXT", RUDE)
    name = await quality.call(web)
    told = await quality.quality(web, name)
    await page.goto(f"{web.base_url}/quality")
    await page.get_by_label("通话编号").fill(name)
    await page.get_by_role("button", name="打开").click()
    await expect(page.locator("#total")).to_have_text(f"{told['total']:g} 分")
    rude = page.locator("#findings .item", has_text="傻子").first
    proof = quality.finding(told, "rude_words")["proofs"][-1]
    await rude.locator(".play").last.click()
    await expect(page.locator("#now")).to_contain_text("正在放")
    at_s = await page.evaluate("audio.currentTime")
    assert proof["start_ms"] / 1000 <= at_s < proof["start_ms"] / 1000 + 5
    assert await page.evaluate("audio.duration") > 50


async def test_an_appeal_is_made_and_decided(page: Page, web: httpx.AsyncClient) -> None:
    name = await quality.call(web)
    before = (await quality.quality(web, name))["total"]
    await page.goto(f"{web.base_url}/quality#{name}")
    item = page.locator("#findings .item", has_text="结束语")
    await item.locator("summary").click()
    await item.get_by_role("button", name="申诉").click()
    await expect(item.get_by_role("alert")).to_contain_text("理由")
    await item.get_by_label("理由").fill(ATTACK)
    await item.get_by_role("button", name="申诉").click()
    await expect(item).to_contain_text("申诉待处理")
    await expect(item.locator(".events")).to_contain_text(ATTACK)
    await item.locator("summary").click()
    await item.get_by_label("理由").fill("听过录音，说了")
    await item.get_by_role("button", name="改判").click()
    await expect(item).to_contain_text("已改判")
    after = (await quality.quality(web, name))["total"]
    assert after > before
    await expect(page.locator("#total")).to_have_text(f"{after:g} 分")
    await expect(page.locator("#agents")).to_contain_text("3021")


async def test_the_duty_officer_acknowledges_closes_and_mutes(
    page: Page, box: RunningGateway, web: httpx.AsyncClient
) -> None:
    await box.whole.city.learned()
    told = await warnings.burst(web)
    await page.goto(f"{web.base_url}/warnings")
    row = page.locator("#list button").first
    await expect(row).to_contain_text("10 人反映")
    await row.click()
    await expect(page.locator("#shown .course")).to_be_visible()
    await expect(page.locator("#heat td b").first).to_contain_text("10")
    await expect(page.locator("#matters li")).to_have_count(1)
    await page.get_by_role("button", name="知悉").click()
    await expect(page.locator("#shown .badge")).to_have_text("已知悉")
    await page.get_by_role("button", name="结束", exact=True).click()
    await expect(page.locator("#detail").get_by_role("alert")).to_contain_text("理由")
    await page.get_by_label("理由").fill(ATTACK)
    await page.get_by_label("同类静音").select_option("3")
    await page.get_by_role("button", name="结束", exact=True).click()
    await expect(page.locator("#shown .badge")).to_have_text("已结束")
    await expect(page.locator("#act")).to_be_hidden()
    await expect(page.locator("#list button")).to_have_count(0)
    await expect(page.locator("#muted")).to_contain_text(ATTACK)
    assert (await warnings.listed(web))[0]["id"] == told["id"]
    await page.get_by_role("button", name="恢复预警").click()
    await expect(page.locator("#muted li")).to_have_count(0)


async def seen(page: Page, view: str, fills: str) -> None:
    await page.goto(view)
    await expect(page.locator(fills).first).to_be_visible(timeout=10_000)


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": PHONE}])
async def test_axe_finds_nothing_and_nothing_runs_over_the_edge(
    browser: Browser, box: RunningGateway, web: httpx.AsyncClient, options: dict[str, Any]
) -> None:
    await box.whole.city.learned()
    await knowledge.live(web, **knowledge.FUND)
    await knowledge.write(web, **knowledge.HEAT)
    name = await quality.call(web)
    told = await warnings.burst(web)
    page = await browser.new_page(**options)
    for language in ("zh", "en"):
        for view, fills in (
            (f"/knowledge?lang={language}", "#drafts .item"),
            (f"/quality?lang={language}#{name}", "#rules tr"),
            (f"/warnings?lang={language}#{told['id']}", "#shown .course"),
        ):
            await seen(page, f"{web.base_url}{view}", fills)
            rules = ["wcag2a", "wcag2aa", "wcag21aa"]
            found = await Axe().run(page, options={"runOnly": rules})
            assert not found.violations_count, found.generate_report()
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (view, wide)
