"""The page at `/`, in a real browser before a real box."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.callers import Caller
from tests.crowd import Crowd, crowd
from tests.daemon import QUICK, Daemon, daemon
from tests.room import MachineRoom, machine_room
from tests.wire import wire

CHROMIUM = shutil.which("chromium")
LAPTOP, WALL = {"width": 1366, "height": 768}, {"width": 2560, "height": 1440}
SECONDS = 1000.0  # in Playwright's milliseconds
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM, reason="needs a browser: make build/.monitoring"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"]  # the tests may run as root
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Visit:
    """A page, and everything about it that must not be."""

    def __init__(self, browser: Browser, url: str, **options: object) -> None:
        self.context = browser.new_context(
            **{"viewport": LAPTOP, "ignore_https_errors": True, **options}  # type: ignore[arg-type]
        )
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", lambda asked: self._asked(asked.url, url))
        self.page.goto(url)

    def _heard(self, message: object) -> None:
        if getattr(message, "type", "") in ("error", "warning"):
            self.wrong.append(getattr(message, "text", ""))

    def _asked(self, wanted: str, own: str) -> None:
        if not wanted.startswith((own, "data:")):
            self.wrong.append(f"it asks {wanted}")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("box"), **QUICK) as running:
        running.until_in_use("triton")
        yield running


@pytest.fixture
def visit(browser: Browser, box: Daemon) -> Iterator[Visit]:
    made = Visit(browser, f"{box.url}/")
    expect(made.page.locator("#line")).to_have_text("实时")
    yield made
    made.context.close()
    assert not made.wrong


@contextlib.contextmanager
def calling(box: Daemon, *names: str, seconds: float = 15) -> Iterator[list[Caller]]:
    """Callers in real time, one call after the other; all are over afterwards."""
    address = f"127.0.0.1:{box.grpc_port}"
    callers = [Caller(name, address, seconds=seconds, speed=1) for name in names]
    for caller in callers:
        caller.start()
    yield callers
    for caller in callers:
        caller.stop()
    for caller in callers:
        caller.join(90)


def test_it_says_how_the_box_is(visit: Visit) -> None:
    page = visit.page
    expect(page.locator(".headline strong")).to_have_text(re.compile("一切正常|在接话"))
    for title in ("引擎", "模型", "存储与任务", "安全"):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    expect(page.locator("dt", has_text="Triton")).to_have_text(re.compile("在用"))
    expect(page.get_by_text("演示用模型").first).to_be_visible()
    expect(page.locator(".u-wrap canvas")).to_have_count(6)


def test_a_call_appears_as_it_is_spoken_and_goes(visit: Visit, box: Daemon) -> None:
    row = visit.page.locator("#calls li").first
    with calling(box, "page"):
        expect(row).to_be_visible(timeout=10 * SECONDS)
        expect(row.locator(".text")).to_contain_text("暖气", timeout=30 * SECONDS)
    expect(visit.page.locator("#calls li")).to_have_count(0, timeout=30 * SECONDS)
    expect(visit.page.locator("#more")).to_have_text("现在没有通话")


def test_a_lost_triton_is_seen_and_its_return_too(visit: Visit, box: Daemon) -> None:
    engine = visit.page.locator("dt", has_text="CPU")
    box.triton().kill()
    expect(engine).to_have_text(re.compile("在用"), timeout=20 * SECONDS)
    expect(visit.page.locator(".headline strong")).to_have_text(re.compile("注意"))
    triton = visit.page.locator("dt", has_text="Triton")
    expect(triton).to_have_text(re.compile("在用"), timeout=60 * SECONDS)


def test_a_lost_connection_comes_back_and_shows_what_it_missed(
    browser: Browser, box: Daemon
) -> None:
    with wire(box.http_port) as line:
        visit = Visit(browser, f"http://127.0.0.1:{line.port}/")
        page, calls = visit.page, visit.page.locator("#calls .name")
        with calling(box, "before", seconds=20):
            expect(calls).to_have_text(re.compile("before"), timeout=10 * SECONDS)
            line.cut()
            expect(page.locator("#line")).to_have_text(re.compile("断开"), timeout=30 * SECONDS)
        with calling(box, "after", seconds=30):
            line.mend()
            expect(page.locator("#line")).to_have_text("实时", timeout=60 * SECONDS)
            expect(calls).to_have_text(re.compile("after"), timeout=20 * SECONDS)
            expect(calls).to_have_count(1)
            times = page.evaluate("columns[0].filter((at) => at)")
            assert times == sorted(times)
        visit.context.close()


def test_english_is_remembered(visit: Visit, box: Daemon) -> None:
    visit.page.get_by_role("link", name="English").click()
    expect(visit.page.get_by_role("heading", name="Engines")).to_be_visible()
    visit.page.goto(f"{box.url}/")
    expect(visit.page.get_by_role("heading", name="Engines")).to_be_visible()
    assert visit.page.locator("html").get_attribute("lang") == "en"


def test_it_can_be_used_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    names: list[str] = []
    while "12 小时" not in names and len(names) < 30:
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"状态", "English", "15 分钟", "12 小时"} <= set(names), names
    page.get_by_role("button", name="12 小时").press("Enter")
    expect(page.get_by_role("button", name="12 小时")).to_have_attribute("aria-pressed", "true")


def test_a_wrong_clock_of_the_browser_does_not_matter(browser: Browser, box: Daemon) -> None:
    visit = Visit(browser, f"{box.url}/", timezone_id="America/New_York")
    visit.page.clock.set_system_time("2031-01-01T00:00:00Z")
    visit.page.reload()
    expect(visit.page.locator("#line")).to_have_text("实时")
    shown = visit.page.locator(".headline time")
    expect(shown).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    newest = "columns[0][columns[0].length - 1] || 0"
    deadline = time.monotonic() + 30
    while not (sampled_at := visit.page.evaluate(newest)):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert abs(sampled_at - time.time()) < 60  # the box's time
    visit.context.close()
    assert not visit.wrong


@pytest.mark.parametrize("size", [LAPTOP, WALL], ids=["laptop", "wall"])
def test_nothing_runs_over_the_edge(browser: Browser, box: Daemon, size: dict[str, int]) -> None:
    visit = Visit(browser, f"{box.url}/", viewport=size)
    expect(visit.page.locator(".headline")).to_be_visible()
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= size["width"]
    visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?lang=en"])
def test_axe_finds_nothing(browser: Browser, box: Daemon, scheme: str, path: str) -> None:
    """WCAG 2 A and AA, contrast among it, with a call on the page."""
    visit = Visit(browser, f"{box.url}/", color_scheme=scheme)
    visit.page.goto(f"{box.url}{path}")
    with calling(box, "axe", seconds=8):
        expect(visit.page.locator("#calls li").first).to_be_visible(timeout=10 * SECONDS)
        found = Axe().run(visit.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    assert not found.violations_count, found.generate_report()
    visit.context.close()


def test_charts_have_values_for_those_who_do_not_see_lines(visit: Visit) -> None:
    load = visit.page.locator('[data-chart="load"] .legend li')
    expect(load.nth(1)).to_have_text(re.compile(r"容量 \d+"), timeout=30 * SECONDS)
    expect(visit.page.locator('[data-chart="use"] .legend li').first).to_have_text(
        re.compile(r"CPU \d+ %"), timeout=30 * SECONDS
    )


def test_what_does_not_change_is_not_drawn_again(visit: Visit) -> None:
    """Who reads it with a screen reader, or has selected it, is not thrown back each second."""
    cards = visit.page.locator(".cards .panel").first
    expect(cards).to_be_visible()
    clock = visit.page.locator(".headline time")
    mark = visit.page.locator(".headline strong .mark")
    for _ in range(8):  # an engine may be measured once more just then, which does change it
        visit.page.wait_for_timeout(2 * SECONDS)
        text = cards.inner_text()
        cards.evaluate("element => { element.dataset.seen = 'yes' }")
        mark.evaluate("element => { element.dataset.seen = 'yes' }")
        shown = clock.inner_text()
        expect(clock).not_to_have_text(shown)
        visit.page.wait_for_timeout(3 * SECONDS)
        if cards.inner_text() == text:
            break
    expect(cards).to_have_attribute("data-seen", "yes")
    expect(mark).to_have_attribute("data-seen", "yes")


def test_a_slow_browser_holds_up_nobody(browser: Browser, box: Daemon) -> None:
    slow, quick = Visit(browser, f"{box.url}/"), Visit(browser, f"{box.url}/")
    line = slow.context.new_cdp_session(slow.page)
    line.send("Network.enable")
    limits = {"latency": 500, "downloadThroughput": 2_000, "uploadThroughput": 2_000}
    line.send("Network.emulateNetworkConditions", {"offline": False, **limits})
    line.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    slow.page.reload(timeout=240 * SECONDS, wait_until="commit")
    with calling(box, "s1", "s2", "s3", seconds=40):
        expect(quick.page.locator("#calls li")).to_have_count(3, timeout=5 * SECONDS)
        text = quick.page.locator("#calls .text").filter(has_text="暖气").first
        expect(text).to_be_visible(timeout=30 * SECONDS)
        quickly = {**dict.fromkeys(limits, -1), "latency": 0, "offline": False}
        line.send("Network.emulateNetworkConditions", quickly)
        expect(slow.page.locator("#calls li")).to_have_count(3, timeout=60 * SECONDS)
    for visit in (slow, quick):
        visit.context.close()


# --- calls that no citizen would make


@pytest.fixture(scope="module")
def room_of_many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with crowd(tmp_path_factory.mktemp("crowd")) as made:
        yield made


ATTACK = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>'\"}}{{7*7}}"


def test_what_is_said_is_never_a_program(browser: Browser, room_of_many: Crowd) -> None:
    visit = Visit(browser, f"{room_of_many.url}/")
    room_of_many.add(1, name=ATTACK.replace("{", "{{").replace("}", "}}"), system=ATTACK)
    room_of_many.say(0, ATTACK)
    row = visit.page.locator("#calls li").first
    for place in (".text", ".name", ".system"):
        expect(row.locator(place)).to_have_text(ATTACK)
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.locator("#calls script, #calls img").count() == 0
    visit.context.close()
    assert not visit.wrong


def test_ten_thousand_calls(browser: Browser, room_of_many: Crowd) -> None:
    """The newest two hundred are shown, the others counted; what is said still comes at once."""
    visit = Visit(browser, f"{room_of_many.url}/")
    room_of_many.add(10_000)
    rows = visit.page.locator("#calls li")
    expect(rows).to_have_count(200, timeout=20 * SECONDS)
    expect(visit.page.locator("#more")).to_have_text(re.compile(r"另有 9\d{3} 通"))
    for number in range(9_990, 10_000):
        room_of_many.say(number, f"第 {number} 句")
        expect(visit.page.locator(f"#call-id{number} .text")).to_have_text(f"第 {number} 句")
    visit.context.close()
    assert not visit.wrong


# --- a box that asks for keys


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineRoom]:
    with machine_room(tmp_path_factory.mktemp("room")) as made:
        yield made


def sign_in(visit: Visit, key: str) -> None:
    visit.page.get_by_label("密钥").fill(key)
    visit.page.get_by_role("button", name="登录").click()


@pytest.fixture
def stranger(browser: Browser, room: MachineRoom) -> Iterator[Visit]:
    made = Visit(browser, f"https://127.0.0.1:{room.box.http_port}/")
    yield made
    made.context.close()
    refused = re.compile(r"the server responded with a status of 401|^Event$")
    assert not [told for told in made.wrong if not refused.search(told)]


def test_without_a_key_there_is_only_the_question_for_one(stranger: Visit) -> None:
    assert stranger.page.locator("#condition, #calls, .charts").count() == 0
    sign_in(stranger, "lt_wrong")
    expect(stranger.page.get_by_role("alert")).to_contain_text("密钥无效")


def test_an_operator_sees_the_box_and_no_call(stranger: Visit, room: MachineRoom) -> None:
    sign_in(stranger, room.key("op", "--role", "operator", "--tenant", "*"))
    expect(stranger.page.locator(".headline")).to_be_visible()
    assert stranger.page.locator("#calls").count() == 0
    expect(stranger.page.locator("dt", has_text="证书").first).to_be_visible()
    stranger.page.get_by_role("button", name="退出").click()
    expect(stranger.page.get_by_label("密钥")).to_be_visible()


def test_an_agent_sees_its_calls_and_not_the_box(stranger: Visit, room: MachineRoom) -> None:
    sign_in(stranger, room.key("ag", "--role", "agent", "--tenant", "a"))
    expect(stranger.page.locator("#more")).to_have_text("现在没有通话")
    assert stranger.page.locator("#condition, .charts").count() == 0


def test_who_has_no_part_in_it_is_told_so(stranger: Visit, room: MachineRoom) -> None:
    mine = room.folder / "admins" / "audit_admin" / "audit_admin.token"
    sign_in(stranger, Path(mine).read_text().strip())
    expect(stranger.page.get_by_role("alert")).to_contain_text("certificate was not shown")


def test_a_revoked_key_ends_the_session(stranger: Visit, room: MachineRoom) -> None:
    wanted = ("access", "create", "gone", "--role", "operator", "--tenant", "*")
    made = room.lingting(*wanted, role="security_admin")
    key, name = made.splitlines()[0], re.search(r"cred_\w+", made)
    assert name
    sign_in(stranger, key)
    expect(stranger.page.locator(".headline")).to_be_visible()
    room.lingting("access", "revoke", name[0], role="security_admin")
    expect(stranger.page.get_by_label("密钥")).to_be_visible(timeout=20 * SECONDS)
