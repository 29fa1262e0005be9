"""The named steps from a medium to a box that serves. Each may be done twice, or cut off anywhere.

Until `switch` what serves is untouched. From there on a failure takes everything back by itself
(revert.py), also after a power cut.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from installer import certificate, data, firewall, gpu, layout, units
from installer.answers import Answers, keep
from installer.media import KEYRING, SUMS, Medium, digest, verify
from installer.record import SWITCHED, InstallRecord
from installer.system import link, log, output_of, run, sync_folder, write
from installer.words import InstallError, Text, progress, say

UNPACKED, READY = ".unpacked", ".ready"  # marks of a release that is whole
GPU_READY = ".gpu"  # it has what a GPU needs
NO_GPU_WHEELS = Text(
    "介质中没有 GPU 程序包：使用 CPU。用带 GPU 的介质运行 lingting-install gpu --medium 介质目录",
    "the medium has nothing for GPUs: CPU mode. Run `lingting-install gpu --medium FOLDER` with "
    "one that has",
)
FIRST_CONFIG = Path(__file__).with_name("lingting.toml")
HOLD_S = 20.0
PATIENCE_S = 60.0  # with the canary: a slow machine is not a broken one
KEY_BYTES = 32


@dataclass(slots=True)
class InstallWork:
    """What the steps share."""

    medium: Medium
    answers: Answers
    record: InstallRecord
    hold_s: float = HOLD_S

    @property
    def release(self) -> Path:
        return layout.RELEASES / self.medium.version


def check_medium(work: InstallWork) -> None:
    verify(work.medium, progress)
    if not layout.TRUST.exists():  # the administrator was asked
        write(layout.TRUST, (work.medium.folder / KEYRING).read_bytes())


def debian_packages(work: InstallWork) -> None:
    """From the medium alone; apt chooses what is missing."""
    source = (
        f"deb [trusted=yes] file:{quote(str(work.medium.folder / 'apt'))} ./\n"  # checked already
    )
    wanted = ["python3", "python3-venv", "libpython3.11", "nftables"]
    if all(_installed(name) for name in wanted):
        return
    folder = layout.STATE / "apt"
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(source, encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache::Archives": folder / "archives",
        "APT::Sandbox::User": "root",
    }
    given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", *given, "-qq", "update", env=quiet)
    get = ("install", "-y", "-qq", "--no-install-recommends", *wanted)
    run("dpkg", "--configure", "-a", env=quiet)  # what a power cut left
    run("apt-get", *given, *get, env=quiet)


def _installed(name: str) -> bool:
    return "ok installed" in output_of("dpkg-query", "-W", "-f", "${Status}", name)


def unpack(work: InstallWork) -> None:
    release, mark = work.release, work.release / UNPACKED
    ours = digest(work.medium.folder / SUMS)
    if mark.exists() and mark.read_text(encoding="utf-8") == ours:
        return
    if layout.current_release() == release:
        raise InstallError(
            Text(
                f"{release.name} 已从另一介质安装并在服务",
                f"{release.name} serves already, from another medium",
            ),
            Text("新的内容须有新的版本号", "other contents need another version"),
        )
    forget(release)  # half of it, from a try that was cut off
    release.mkdir(parents=True, exist_ok=True)
    for package in sorted((work.medium.folder / "packages").glob("*.deb")):
        run("dpkg-deb", "--extract", str(package), "/", doing=Text("解包", "unpack"))
    os.sync()  # before the mark that vouches for it
    write(mark, ours)


def forget(release: Path) -> None:
    """Take a release away; its marks first, so that half of one never passes for whole."""
    for mark in (READY, UNPACKED):
        (release / mark).unlink(missing_ok=True)
    shutil.rmtree(release, ignore_errors=True)


def environment(work: InstallWork) -> None:
    """A Python environment of the release's own, from the medium's wheels, each checked by hash."""
    release, venv = work.release, layout.venv(work.release)
    if (release / READY).exists():
        return
    shutil.rmtree(venv, ignore_errors=True)
    run("python3", "-m", "venv", "--without-pip", str(venv))
    wheels = work.medium.folder / "wheels" / "cpu"
    _pip(venv, wheels, "-r", str(wheels / "lock.txt"), "--require-hashes")
    _pip(venv, wheels, "--no-build-isolation", "--editable", str(release))
    ours = [str(release / name) for name in ("appliance", "inference")]
    run(str(venv / "bin" / "python"), "-m", "compileall", "-q", *ours)
    run("chmod", "-R", "a+rX,go-w", str(release))
    os.sync()
    (release / READY).touch()
    sync_folder(release)


def graphics(work: InstallWork) -> None:
    """What a GPU needs beside, if there is one that can be used; and which of the two it is."""
    found = gpu.look()
    wheels = work.medium.folder / "wheels" / "gpu"
    mark = work.release / GPU_READY
    if found.kind == "ready" and not mark.exists() and "gpu" in work.medium.profiles:
        _pip(layout.venv(work.release), wheels, "-r", str(wheels / "lock.txt"), "--require-hashes")
        os.sync()  # before the mark that vouches for it
        mark.touch()
    used = found.kind == "ready" and mark.exists()
    write(layout.machine(work.release), f"LINGTING_TRITON__KIND={'auto' if used else 'cpu'}\n")
    say(f"        {found.told}")
    if found.kind == "ready" and not used:
        say(Text(f"        → {NO_GPU_WHEELS.zh}", f"        → {NO_GPU_WHEELS.en}"))
    elif found.fix:
        say(f"        → {found.fix}")


def _pip(venv: Path, wheels: Path, *wanted: str) -> None:
    """pip out of its own wheel on Debian: ensurepip's, brought by python3-venv."""
    pip = next(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    run(
        *(str(venv / "bin" / "python"), f"{pip}/pip", "install", "--quiet", "--no-index"),
        *("--no-deps", "--no-input", "--disable-pip-version-check", "--find-links", str(wheels)),
        *wanted,
        doing=Text("安装 Python 程序包", "install Python packages"),
    )


def users(_: InstallWork) -> None:
    """Two accounts without a shell: one holds the calls, the other only runs models."""
    if not output_of("getent", "group", layout.GROUP):
        run("groupadd", "--system", layout.GROUP)
    for name in (layout.USER, layout.MODELS_USER):
        if not output_of("getent", "passwd", name):
            run(
                *("useradd", "--system", "--gid", layout.GROUP, "--home-dir", "/nonexistent"),
                *("--no-create-home", "--shell", "/usr/sbin/nologin", name),
            )
    for folder, owner, mode in (
        (layout.DATA, layout.USER, 0o700),
        (layout.STORE, layout.USER, 0o700),
        (layout.AUDIT, layout.USER, 0o700),
        (layout.MODELS, layout.USER, 0o750),
        (layout.ETC, "root", 0o755),
        (layout.TRUSTED, "root", 0o755),
        (layout.CREDENTIALS, "root", 0o700),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, owner, layout.GROUP if owner != "root" else "root")
        folder.chmod(mode)


def keys(work: InstallWork) -> None:
    """Made here, once, sealed to this machine (its TPM, if it has one); never overwritten."""
    for name in ("master-key", "audit-key"):
        data.seal_new(name, os.urandom(KEY_BYTES))
    if not certificate.is_good():
        certificate.make_authority(work.release, work.answers.names[0])
        certificate.make(work.release, work.answers.names)


def configuration(work: InstallWork) -> None:
    """The administrator's file is written once; later releases read it as it is."""
    keep(work.answers, layout.ANSWERS)
    if not layout.CONFIG.exists():
        write(layout.CONFIG, FIRST_CONFIG.read_bytes(), 0o640, layout.GROUP)


def rehearse(work: InstallWork) -> None:
    """The new release, by itself: does it hear its canary, and would the data migrate?"""
    run(
        *(layout.lingting(work.release), "canary", "--own"),
        doing=Text("新版本自检", "let the new release hear its canary"),
        timeout_s=600,
    )
    previous = layout.RELEASES / work.record.previous
    work.record.schema = data.heads(previous) if work.record.previous else {}
    data.rehearse_migration(work.release)


def place_units(work: InstallWork) -> None:
    units.place()


def close_firewall(work: InstallWork) -> None:
    firewall.lay(work.answers)


def switch(work: InstallWork) -> None:
    """From here on the new release serves."""
    work.record.phase = SWITCHED
    work.record.save()
    link(layout.CURRENT, work.release)
    link(layout.COMMAND, layout.CURRENT / "provisioning" / "install")
    link(layout.CLI, layout.CURRENT / "venv" / "bin" / "lingting")
    units.mind_the_installer()


def start(work: InstallWork) -> None:
    units.enable(firewall=work.answers.firewall)
    units.restart()


def canary(_: InstallWork) -> None:
    call_the_box()


def call_the_box() -> None:
    """A real call into the running box, over its own doors; raises InstallError."""
    run(
        *(layout.lingting(layout.CURRENT), "canary", "--patience", str(PATIENCE_S)),
        env={"LINGTING_CONFIG": str(layout.CONFIG)},
        doing=Text("试呼", "call the box"),
        timeout_s=PATIENCE_S + 120,
    )


def admins(work: InstallWork) -> None:
    make_admins(work.release)


def make_admins(release: Path) -> None:
    """The first three, each with a key and a certificate of their own; once.

    A folder without the mark is of a try that was cut off: its keys may never have been written.
    """
    mark = layout.STATE / "admins-made"
    if mark.exists():
        return
    cut_off = layout.ADMINS.exists()
    shutil.rmtree(layout.ADMINS, ignore_errors=True)
    layout.ADMINS.mkdir(mode=0o700)
    try:
        run(
            *(layout.lingting(release), "access", "init", *(["--anew"] if cut_off else [])),
            *("--folder", str(layout.ADMINS), "--pki", str(layout.PKI)),
            env={"LINGTING_CONFIG": str(layout.CONFIG)},
            doing=Text("设立三员", "make the first admins"),
        )
        for folder in layout.ADMINS.iterdir():  # each is handed to another person
            shutil.copy(layout.PKI / "ca.pem", folder)
    except InstallError as error:
        shutil.rmtree(layout.ADMINS)
        if "there are admins already" not in str(error.cause):
            raise
    os.sync()
    mark.touch()


def hold(work: InstallWork) -> None:
    """Watch it for a while: nothing may restart, and it still answers."""
    restarts = units.restarts()
    deadline = time.monotonic() + work.hold_s
    while time.monotonic() < deadline:
        time.sleep(1.0)
        now = units.restarts()
        if unsteady := [name for name in now if now[name] != restarts[name]]:
            raise InstallError(
                Text(
                    f"新版本运行不稳：{'、'.join(unsteady)} 自行重启",
                    f"the new release is not steady: {', '.join(unsteady)} restarted",
                ),
                Text(f"journalctl -u {unsteady[0]}", f"journalctl -u {unsteady[0]}"),
            )
    call_the_box()


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    title: Text
    do: Callable[[InstallWork], None]


STEPS = (
    Step("verify", Text("校验介质", "verify the medium"), check_medium),
    Step("packages", Text("安装系统软件包", "install Debian packages"), debian_packages),
    Step("unpack", Text("解包新版本", "unpack the release"), unpack),
    Step("environment", Text("建立运行环境", "set up its environment"), environment),
    Step("gpu", Text("显卡", "GPU"), graphics),
    Step("users", Text("账户与目录", "accounts and folders"), users),
    Step("keys", Text("密钥与证书", "keys and certificates"), keys),
    Step("configuration", Text("配置", "configuration"), configuration),
    Step("rehearse", Text("自检与迁移演练", "rehearse: canary, migration"), rehearse),
    Step("units", Text("服务单元", "units"), place_units),
    Step("firewall", Text("防火墙", "firewall"), close_firewall),
    Step("switch", Text("切换版本", "switch"), switch),
    Step("start", Text("启动服务", "start"), start),
    Step("canary", Text("试呼", "canary call"), canary),
    Step("admins", Text("设立三员管理员", "the first admins"), admins),
    Step("hold", Text("观察", "hold"), hold),
)


def take(work: InstallWork, before: Callable[[str], None], after: Callable[[str], None]) -> None:
    """All steps, in order; `before` and `after` are told each one's name."""
    for number, step in enumerate(STEPS, start=1):
        work.record.step = step.name
        work.record.save()
        before(step.name)
        began = time.monotonic()
        log(f"== {step.name}")
        say(f"[{number:2}/{len(STEPS)}] {step.title}")
        step.do(work)
        after(step.name)
        work.record.done.append(step.name)
        work.record.save()
        log(f"== {step.name}: {time.monotonic() - began:.1f} s")
