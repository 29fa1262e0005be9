"""`lingting-install`: from a medium to a box that serves, and back."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from installer import (
    answers,
    data,
    layout,
    preflight,
    record,
    restore,
    revert,
    steps,
    units,
    upkeep,
)
from installer.arguments import parser
from installer.media import Medium, open_medium
from installer.record import COMMITTED, PREPARING, REVERTING, SWITCHED, InstallRecord
from installer.system import alone, log, run, works
from installer.words import InstallError, Language, Text, confirm, say, warn

NOT_FIT = 3


def main(arguments: list[str] | None = None) -> int:
    known = parser()
    given = known.parse_args(arguments)
    if given.command is None:
        known.print_help()
        return 2
    if given.lang:
        Language.english = given.lang == "en"
    try:
        if os.geteuid() != 0 and given.command not in ("preflight", "status"):
            raise InstallError(Text("需要 root 权限", "this takes root"), Text("sudo", "sudo"))
        return COMMANDS[given.command](given)
    except InstallError as error:
        warn(f"lingting-install: {error}")
        log(f"!! {error}")
        return error.code
    except KeyboardInterrupt:
        warn(Text("已中断；再运行一次即可继续", "interrupted; run it again to go on"))
        return 130


def _preflight(given: argparse.Namespace) -> int:
    try:
        medium = open_medium(given.medium)
    except InstallError as error:
        if not given.json:
            raise InstallError(error.cause, error.hint, code=NOT_FIT) from error
        print(json.dumps({"fit": False, "checks": [], "error": str(error)}, ensure_ascii=False))
        return NOT_FIT
    return 0 if _fit(medium, as_json=given.json) else NOT_FIT


def _fit(medium: Medium, *, as_json: bool = False) -> bool:
    if not as_json:
        say(
            Text(
                f"检查本机与介质 {medium.version} ……",
                f"checking machine and medium {medium.version}",
            )
        )
    return preflight.show(list(preflight.run_checks(medium)), as_json)


def _install(given: argparse.Namespace) -> int:
    medium = open_medium(given.medium)
    if _unfinished():
        with alone():
            _settle()
    if not _fit(medium):
        warn(Text("未作任何改动。", "nothing was changed."))
        return NOT_FIT
    with alone():
        _settle()
        _agreed(medium, yes=given.yes)
        unfinished = record.load()
        known = answers.gather(given.answers, layout.ANSWERS, ask=not given.yes)
        if given.no_firewall:
            known.firewall = False
        previous = layout.current_version() or ""
        if previous == medium.version:
            previous = unfinished.previous if unfinished.version == previous else ""
        operation = "upgrade" if previous else "install"
        if layout.current_version() == medium.version and unfinished.phase == COMMITTED:
            previous = previous or medium.version  # it served: a failure must not take it away
        made = InstallRecord(operation, medium.version, previous, PREPARING, begun_at=time.time())
        _take(steps.InstallWork(medium, known, made, given.hold), given.die_at)
    _tell_what_is_next(medium, known)
    return 0


def _tell_what_is_next(medium: Medium, known: answers.Answers) -> None:
    name, authority = known.names[0], layout.PKI / "ca.pem"
    say(
        Text(
            f"\n聆听 {medium.version} 已在服务。检查：lingting doctor\n"
            f"  接口：https://{name}:9000（HTTP），{name}:50051（gRPC，密钥），"
            f"{name}:50052（gRPC，客户端证书）\n"
            f"  热线系统须信任：{authority}；其私钥 ca.key 请移出本机保管（见安装指南第 4 节）\n"
            "  识别：Whisper base；说话人：pyannote 与 CAM++；情绪凭言辞。"
            "换更大的模型见安装指南",
            f"\nLingting {medium.version} serves. Check: lingting doctor\n"
            f"  doors: https://{name}:9000 (HTTP), {name}:50051 (gRPC, keys), "
            f"{name}:50052 (gRPC, client certificates)\n"
            f"  hotline systems must trust {authority}; move its key, ca.key, off this machine "
            "(guide, section 4)\n"
            "  speech: Whisper base; speakers: pyannote, CAM++; moods by words; "
            "for larger models see the guide",
        )
    )
    if layout.ADMINS.exists():
        say(
            Text(
                f"  {layout.ADMINS} 中有三员管理员的密钥与证书：分交三人，然后从本机删除",
                f"  {layout.ADMINS} holds the three admins' keys: hand each to another person, "
                "then delete them here",
            )
        )


def _unfinished() -> bool:
    return record.load().phase in (SWITCHED, REVERTING) or restore.UNDER_WAY.exists()


def _settle() -> None:
    """What was begun comes to its end before anything else is."""
    if _unfinished():
        say(Text("先把上一次做完 ……", "bringing the last operation to its end first ..."))
        revert.settle()


def _agreed(medium: Medium, *, yes: bool) -> None:
    """What only a person can judge; raises InstallError."""
    if not layout.TRUST.exists():
        same = Text(
            "上面的签名密钥指纹与供应商另行告知的一致吗？",
            "is the key's fingerprint above the one that the vendor told you by another way?",
        )
        confirm(same, yes=yes)
    if layout.current_version() == medium.version and record.load().phase == COMMITTED:
        again = Text(
            f"{medium.version} 已经装好。重做各步会重启服务（通话先说完）。继续吗？",
            f"{medium.version} is installed already. To do its steps again restarts the box, after "
            "calls have ended. Go on?",
        )
        confirm(again, yes=yes)


def _take(work: steps.InstallWork, die_at: str) -> None:
    """The steps; a failure after the switch takes everything back."""
    name, _, when = die_at.partition(":")

    def die(step: str, moment: str) -> None:
        if step == name and moment == (when or "before"):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        steps.take(work, lambda step: die(step, "before"), lambda step: die(step, "after"))
    except (InstallError, OSError) as failure:
        error = failure
        if not isinstance(error, InstallError):
            error = InstallError(Text(str(failure), str(failure)))
        if work.record.phase != SWITCHED:
            hint = Text(
                "改正后再运行一次；现有服务未受影响",
                "mend it and run again; what serves was not touched",
            )
            raise InstallError(error.cause, error.hint or hint) from error
        warn(Text(f"失败，正在退回：{error}", f"failed, going back: {error}"))
        revert.take_back(work.record)
        data.note(f"release.{work.record.operation}", work.medium.version, "failed")
        old = work.record.previous
        told = Text(
            f"已退回{'到 ' + old if old else '，本机没有在服务的版本'}",
            f"taken back: {old + ' serves' if old else 'nothing is installed'}",
        )
        raise InstallError(told, error.cause, code=5) from error
    work.record.end(COMMITTED)
    data.note(f"release.{work.record.operation}", work.medium.version)
    _forget_old_releases()


def _forget_old_releases() -> None:
    """The newest stay, and whatever one may have to go back to."""
    last = record.load()
    keep = {last.version, last.previous}
    others = [p for p in layout.RELEASES.iterdir() if p.name not in keep]
    others.sort(key=lambda path: path.stat().st_mtime)
    for path in others[: max(0, len(others) + len(keep) - layout.KEPT_RELEASES)]:
        steps.forget(path)


def _rollback(given: argparse.Namespace) -> int:
    with alone():
        _settle()
        revert.rollback(given.to)
    version = layout.current_version() or ""
    data.note("release.rollback", version)
    say(Text(f"{version} 已在服务", f"{version} serves"))
    return 0


def _backup(given: argparse.Namespace) -> int:
    _must_be_installed()
    if given.file.exists():
        over = Text(f"{given.file} 已存在，覆盖吗？", f"{given.file} exists; write over it?")
        confirm(over, yes=given.yes)
    say(restore.backup(given.file, given.passphrase_file))
    return 0


def _restore(given: argparse.Namespace) -> int:
    _must_be_installed()
    confirm(
        Text(
            f"以 {given.file} 替换本机现有的全部通话与密钥（旧的留在旁边）？",
            f"put {given.file} in the place of all calls and keys on this machine (they are kept "
            "beside it)?",
        ),
        yes=given.yes,
    )
    with alone():
        _settle()
        restore.restore(given.file, given.passphrase_file)
    return 0


def _support(given: argparse.Namespace) -> int:
    _must_be_installed()
    env = {"LINGTING_CONFIG": str(layout.CONFIG)}
    data.note("support-bundle", given.file.name)
    command = (layout.lingting(layout.CURRENT), "support-bundle", str(given.file.resolve()))
    say(run(*command, env=env, doing=Text("收集资料", "gather")).strip())
    return 0


def _firewall(_: argparse.Namespace) -> int:
    _must_be_installed()
    with alone():
        upkeep.reload_firewall()
    return 0


def _certificate(_: argparse.Namespace) -> int:
    with alone():
        upkeep.renew_certificate(_must_be_installed())
    return 0


def _gpu(given: argparse.Namespace) -> int:
    with alone():
        upkeep.set_up_gpu(_must_be_installed(), open_medium(given.medium))
    return 0


def _must_be_installed() -> Path:
    release = layout.current_release()
    if release is None:
        raise InstallError(Text("没有安装", "nothing is installed"))
    return release


def _resume(_: argparse.Namespace) -> int:
    revert.resume()
    return 0


def _status(given: argparse.Namespace) -> int:
    releases = layout.RELEASES.iterdir() if layout.RELEASES.is_dir() else ()
    told = {
        "current": layout.current_version(),
        "releases": sorted(p.name for p in releases if (p / steps.READY).exists()),
        "serving": units.serving(),
        "last": record.load().operation,
        "phase": record.load().phase,
    }
    if given.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for name, value in told.items():
            print(f"{name:10}{', '.join(value) if isinstance(value, list) else value}")
    return 0


def _uninstall(given: argparse.Namespace) -> int:
    if given.delete_data:
        gone = Text(
            "全部通话、密钥与审计日志将被删除，无法找回。继续吗？",
            "all calls, keys and the audit log will be gone for good. Go on?",
        )
        confirm(gone, yes=given.yes)
    with alone():
        data.note("release.uninstall", layout.current_version() or "")
        works("systemctl", "stop", units.RESUME)
        units.stop()
        units.remove()
        if given.delete_data:
            for path in (layout.DATA, layout.MODELS, layout.ETC, layout.STATE, layout.ADMINS):
                shutil.rmtree(path, ignore_errors=True)
            for name in (layout.USER, layout.MODELS_USER):
                works("userdel", name)
            works("groupdel", layout.GROUP)
        else:
            record.PATH.unlink(missing_ok=True)
        for release in layout.RELEASES.iterdir() if layout.RELEASES.is_dir() else ():
            steps.forget(release)
        for path in (layout.CURRENT, layout.COMMAND, layout.CLI):
            path.unlink(missing_ok=True)
        shutil.rmtree(layout.OPT, ignore_errors=True)
    kept = Text(
        f"已卸载，防火墙规则已撤除。数据在 {layout.DATA}，密钥与配置在 {layout.ETC}，"
        "再次安装将沿用",
        f"removed, the firewall's rules too. Calls are in {layout.DATA}, keys and settings in "
        f"{layout.ETC}; installing again takes them up",
    )
    say(
        Text("已卸载，数据与密钥已删除", "removed, data and keys too")
        if given.delete_data
        else kept
    )
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "preflight": _preflight,
    "install": _install,
    "upgrade": _install,
    "rollback": _rollback,
    "uninstall": _uninstall,
    "backup": _backup,
    "restore": _restore,
    "support-bundle": _support,
    "firewall": _firewall,
    "certificate": _certificate,
    "gpu": _gpu,
    "resume": _resume,
    "status": _status,
}


if __name__ == "__main__":
    sys.exit(main())
