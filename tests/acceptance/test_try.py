"""The page at `/try`, in a real browser with a microphone that plays a call, before a real box."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright

from appliance.audio.g711 import ALAW
from appliance.settings.section import PROJECT
from inference.cer import cer
from tests.acceptance.test_page import SECONDS, Visit
from tests.daemon import QUICK, Daemon, daemon

CHROMIUM = shutil.which("chromium")
CALL = PROJECT / "tests" / "espeak_call"
SAID = "您好，大同市12345热线，请问您有什么需要反映？"
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM, reason="needs a browser: make build/.monitoring"),
]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent's leg of the call as a microphone has it."""
    raw = np.frombuffer((CALL / "call.wav").read_bytes()[58:], np.uint8)[0::2]
    path = tmp_path_factory.mktemp("speech") / "agent.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((ALAW[raw] * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def browser(speech: Path) -> Iterator[Browser]:
    flags = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech}",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("box"), **QUICK) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, box: Daemon) -> Iterator[Visit]:
    made = Visit(browser, f"{box.url}/", permissions=["microphone"])
    made.page.goto(f"{box.url}/try")
    yield made
    made.context.close()
    assert not made.wrong


def test_a_recording_becomes_words(visit: Visit) -> None:
    visit.page.set_input_files("#file", CALL / "call.wav")
    expect(visit.page.locator("#state")).to_have_text("完成", timeout=60 * SECONDS)
    assert SAID[:8] in visit.page.locator("#words").inner_text().replace("\n", "")


def test_what_is_no_recording_is_said(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "note.wav").write_text("no audio at all " * 40)
    visit.page.set_input_files("#file", tmp_path / "note.wav")
    expect(visit.page.locator("#wrong")).not_to_be_empty(timeout=20 * SECONDS)
    visit.wrong = [line for line in visit.wrong if "400" not in line]  # the browser's own remark


def test_who_speaks_sees_the_words_come(visit: Visit) -> None:
    visit.page.click("#speak")
    expect(visit.page.locator("#words .partial")).to_be_visible(timeout=30 * SECONDS)
    expect(visit.page.locator("#words p:not(.partial)").first).to_be_visible(timeout=30 * SECONDS)
    visit.page.click("#speak")
    expect(visit.page.locator("#state")).to_have_text("完成", timeout=30 * SECONDS)
    first = visit.page.locator("#words p").first.inner_text()
    assert cer(SAID, first) < 0.5, first
    expect(visit.page.locator("#speak")).to_have_text("对着麦克风说")


def test_it_is_for_everybody(visit: Visit) -> None:
    found = Axe().run(visit.page)
    assert not found.response["violations"], found.generate_report()
    visit.page.get_by_text("English").click()
    expect(visit.page.locator("h2")).to_have_text("Try it")
