"""What only the administrator knows: which networks may call, whom the box may call, its names."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from installer.system import output_of, write
from installer.words import InstallError, Text

LOOPBACK = "127.0.0.0/8"
MODE = 0o640


@dataclass(slots=True)
class Answers:
    """Kept in /etc/lingting/install.toml; `--answers FILE` gives them in advance."""

    callers: list[str] = field(default_factory=list)  # networks of hotline systems and desks
    admins: list[str] = field(default_factory=list)  # networks that may reach ssh
    platforms: list[str] = field(default_factory=list)  # networks webhooks go to
    platform_ports: list[int] = field(default_factory=lambda: [443])
    time_servers: list[str] = field(default_factory=list)  # addresses of NTP
    name_servers: list[str] = field(default_factory=list)  # addresses of DNS
    names: list[str] = field(default_factory=list)  # DNS names and addresses of this box
    models: str = "demo"
    firewall: bool = True


QUESTIONS = {
    "callers": Text(
        "哪些网段可以呼入（热线系统、坐席、质检），逗号分隔", "networks that may call, by commas"
    ),
    "admins": Text("哪些网段可以用 ssh 管理本机", "networks that may reach ssh"),
    "platforms": Text(
        "回调（webhook）发往哪些网段，可留空", "networks webhooks go to, may be empty"
    ),
    "time_servers": Text("内网时间服务器地址，可留空", "addresses of time servers, may be empty"),
    "name_servers": Text("内网 DNS 地址，可留空", "addresses of DNS servers, may be empty"),
    "names": Text("本机的域名与地址（写入证书）", "names and addresses of this box (certificate)"),
}
NETWORKS = ("callers", "admins", "platforms", "time_servers", "name_servers")


def gather(given: Path | None, kept: Path, *, ask: bool) -> Answers:
    """From a file, from the last time, or from the keyboard; raises InstallError."""
    for path in (given, kept):
        if path and path.exists():
            return read(path)
    if given:
        raise InstallError(Text(f"找不到 {given}", f"{given} does not exist"))
    answers = Answers(admins=_own_networks(), callers=_own_networks(), names=_own_names())
    if ask and sys.stdin.isatty():
        for name, question in QUESTIONS.items():
            setattr(answers, name, _ask(name, question, getattr(answers, name)))
    return answers


def read(path: Path) -> Answers:
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
        known = {each.name for each in fields(Answers)}
        if unknown := sorted(set(raw) - known):
            raise ValueError(f"{unknown[0]}: {', '.join(sorted(known))}")
        answers = Answers(**raw)
        for name in NETWORKS:
            setattr(answers, name, _networks(getattr(answers, name)))
    except (OSError, ValueError, TypeError) as error:
        raise InstallError(
            Text(f"{path}：{error}", f"{path}: {error}"),
            Text("见 docs/install.md 中的例子", "docs/install.md has an example"),
        ) from error
    return answers


def keep(answers: Answers, path: Path) -> None:
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
        for name, value in asdict(answers).items()
    ]
    write(path, "".join(lines), MODE)


def _ask(name: str, question: Text, default: list[str]) -> list[str]:
    check: Callable[[list[str]], list[str]] = _networks if name in NETWORKS else list
    while True:
        typed = input(f"{question} [{', '.join(default)}]: ").strip()
        try:
            return check([part.strip() for part in typed.split(",") if part.strip()]) or default
        except ValueError as error:
            print(Text(f"  写法有误：{error}", f"  not understood: {error}"))


def _networks(given: list[str]) -> list[str]:
    return [str(ipaddress.ip_network(text, strict=False)) for text in given]


def _own_networks() -> list[str]:
    """Those this machine is in, and where the administrator is connected from."""
    found = []
    for line in output_of("ip", "-o", "-4", "addr", "show", "scope", "global").splitlines():
        parts = line.split()
        found.append(str(ipaddress.ip_interface(parts[parts.index("inet") + 1]).network))
    if connected := os.environ.get("SSH_CONNECTION"):
        found.append(f"{connected.split()[0]}/32" if ":" not in connected else connected.split()[0])
    return list(dict.fromkeys(found)) or [LOOPBACK]


def _own_names() -> list[str]:
    addresses = []
    for line in output_of("ip", "-o", "-4", "addr", "show", "scope", "global").splitlines():
        parts = line.split()
        addresses.append(str(ipaddress.ip_interface(parts[parts.index("inet") + 1]).ip))
    return list(dict.fromkeys([socket.gethostname(), "localhost", *addresses, "127.0.0.1"]))
