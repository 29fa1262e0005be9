"""An administrator's answers: what is left out is told by the machine, what is wrong by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from installer import answers, firewall
from installer.words import InstallError, Language


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """In 192.0.2.0/24, with an administrator connected from elsewhere."""
    told = {
        "ip": "2: eth0    inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0",
        "ss": "0 0 192.0.2.7:22 198.51.100.9:51514",
    }
    monkeypatch.setattr(answers, "output_of", lambda *command: told[command[0]])
    monkeypatch.setattr(Language, "english", True)


def read(tmp_path: Path, text: str) -> answers.Answers:
    path = tmp_path / "answers.toml"
    path.write_text(text)
    return answers.read(path)


def test_what_is_left_out_is_as_the_machine_is(tmp_path: Path) -> None:
    found = read(tmp_path, 'callers = ["203.0.113.0/24"]')
    assert found.callers == ["203.0.113.0/24"]
    assert found.admins == ["192.0.2.0/24", "198.51.100.9/32"], "nobody is locked out"
    assert "192.0.2.7" in found.names and "localhost" in found.names
    assert "198.51.100.9/32 } tcp dport 22" in firewall.render(found)


def test_ssh_may_be_elsewhere(tmp_path: Path) -> None:
    assert "tcp dport 2222" in firewall.render(read(tmp_path, "ssh_port = 2222"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('caller = ["192.0.2.0/24"]', "there is no caller; is callers meant?"),
        ('callers = "192.0.2.0/24"', "makes no sense; e.g. callers = ["),
        ('callers = ["everywhere"]', "everywhere"),
        ("callers = []", "nobody may call"),
        ("names = []", "names = [] makes no sense"),
        ('names = ["a b"]', "makes no sense"),
        ('firewall = "no"', "e.g. firewall = true"),
        ('platform_ports = ["443"]', "e.g. platform_ports = [443]"),
        ("platform_ports = []", "e.g. platform_ports = [443]"),
        ("ssh_port = 0", "ssh_port = 0 makes no sense"),
        ("callers = [", "answers.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InstallError) as refused:
        read(tmp_path, text)
    assert words in str(refused.value)
    assert "docs/install.md has an example" in str(refused.value)
