"""What only the administrator knows: which networks may call, whom the box may call, its names."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
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
NAME = re.compile(r"[A-Za-z0-9*]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")  # DNS, IPv4, IPv6


@dataclass(slots=True)
class Answers:
    """Kept in /etc/lingting/install.toml; `--answers FILE` gives them in advance."""

    callers: list[str] = field(default_factory=list)  # networks of hotline systems and desks
    admins: list[str] = field(default_factory=list)  # networks that may reach ssh
    platforms: list[str] = field(default_factory=list)  # networks webhooks go to
    platform_ports: list[int] = field(default_factory=lambda: [443])
    time_servers: list[str] = field(default_factory=list)  # addresses of NTP
    ssh_port: int = 22
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
    answers = _own()
    if ask and sys.stdin.isatty():
        for name, question in QUESTIONS.items():
            setattr(answers, name, _ask(name, question, getattr(answers, name)))
    return answers


def _own() -> Answers:
    """What this machine can tell of itself: the defaults, asked or not."""
    return Answers(callers=_own_networks(), admins=_own_networks(), names=_own_names())


def read(path: Path) -> Answers:
    """What a file leaves out is as this machine tells; raises InstallError."""
    answers = _own()
    known = [each.name for each in fields(Answers)]
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except (OSError, ValueError) as error:
        raise _wrong(path, Text(f"读不出来：{error}", str(error))) from error
    for name, value in raw.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            meant = (f"；是否指 {close[0]}", f"; is {close[0]} meant?") if close else ("", "")
            listed = ", ".join(known)
            cause = Text(
                f"未知的项 {name}{meant[0]}（可用：{listed}）",
                f"there is no {name}{meant[1]} (there are: {listed})",
            )
            raise _wrong(path, cause)
        setattr(answers, name, _checked(path, name, value))
    if not answers.callers:
        raise _wrong(path, Text("callers 为空：谁也不能呼入", "callers is empty: nobody may call"))
    return answers


def _checked(path: Path, name: str, value: object) -> object:
    """A value of the right kind, in its usual form; raises InstallError."""
    default = getattr(Answers(), name)
    if isinstance(default, bool):
        wanted, good = "true, false", isinstance(value, bool)
    elif name == "platform_ports":
        wanted = "[443]"
        good = isinstance(value, list) and bool(value)
        good = good and all(type(n) is int and 0 < n < 65536 for n in value)
    elif name == "ssh_port":
        wanted, good = "22", type(value) is int and 0 < value < 65536
    elif isinstance(default, list):
        wanted = '["192.0.2.0/24"]' if name in NETWORKS else '["box.example", "192.0.2.1"]'
        good = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if good and name == "names":
            good = bool(value) and all(NAME.fullmatch(each) for each in value)
    else:
        wanted, good = '"demo"', isinstance(value, str)
    if not good:
        cause = Text(
            f"{name} = {value!r} 写法有误，例如 {name} = {wanted}",
            f"{name} = {value!r} makes no sense; e.g. {name} = {wanted}",
        )
        raise _wrong(path, cause)
    if name not in NETWORKS:
        return value
    try:
        return _networks(value)
    except ValueError as error:
        raise _wrong(path, Text(f"{name}：不是网段：{error}", f"{name}: {error}")) from error


def _wrong(path: Path, cause: Text) -> InstallError:
    return InstallError(
        Text(f"{path}：{cause.zh}", f"{path}: {cause.en}"),
        Text("见 docs/install.zh-CN.md 中的例子", "docs/install.md has an example"),
    )


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
    """Those this machine is in, and where administrators are connected from at this moment."""
    found = []
    for line in output_of("ip", "-o", "-4", "addr", "show", "scope", "global").splitlines():
        parts = line.split()
        found.append(str(ipaddress.ip_interface(parts[parts.index("inet") + 1]).network))
    found += [str(ipaddress.ip_network(peer)) for peer in _connected()]
    return list(dict.fromkeys(found)) or [LOOPBACK]


def _connected() -> list[str]:
    """Peers of ssh; sudo has taken SSH_CONNECTION away, so the kernel is asked."""
    peers = []
    for line in output_of("ss", "-Htn", "state", "established", "sport", "= :22").splitlines():
        address = line.split()[-1].rpartition(":")[0].strip("[]").removeprefix("::ffff:")
        if not ipaddress.ip_address(address).is_loopback:
            peers.append(address)
    return peers


def _own_names() -> list[str]:
    addresses = []
    for line in output_of("ip", "-o", "-4", "addr", "show", "scope", "global").splitlines():
        parts = line.split()
        addresses.append(str(ipaddress.ip_interface(parts[parts.index("inet") + 1]).ip))
    return list(dict.fromkeys([socket.gethostname(), "localhost", *addresses, "127.0.0.1"]))
