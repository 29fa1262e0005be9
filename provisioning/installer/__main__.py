"""`lingting-install`: from a medium to a box that serves, and back."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
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
from installer.media import Medium, open_medium
from installer.record import COMMITTED, PREPARING, REVERTING, SWITCHED, Record
from installer.system import alone, log, run, works
from installer.words import InstallError, Language, Text, say, warn

HERE = Path(__file__).resolve().parent.parent
NOT_FIT = 3


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.lang:
        Language.english = given.lang == "en"
    try:
        if os.geteuid() != 0 and given.do not in (_preflight, _status):
            raise InstallError(Text("需要 root 权限", "this takes root"), Text("sudo", "sudo"))
        return int(given.do(given) or 0)
    except InstallError as error:
        warn(f"lingting-install: {error}")
        log(f"!! {error}")
        return error.code
    except KeyboardInterrupt:
        warn(Text("已中断；再运行一次即可继续", "interrupted; run it again to go on"))
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lingting-install",
        description="聆听的安装、升级与回退。 Installs, upgrades and takes back Lingting.",
        epilog="退出码 exit codes: 0 成功 done, 1 失败 failed, 2 用法 usage, 3 不符合条件 not fit, "
        "4 另一个在运行 another runs, 5 已退回 taken back",
    )
    parser.add_argument("--lang", choices=("zh", "en"), help="语言 language of what is printed")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, do: object, told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told, allow_abbrev=False)
        made.set_defaults(do=do)
        made.add_argument("--lang", choices=("zh", "en"), default=argparse.SUPPRESS, help="语言")
        return made

    check = command(
        "preflight", _preflight, "检查本机与介质，不作改动 look only: machine and medium"
    )
    check.add_argument("--json", action="store_true", help="机器可读 for programs")
    _takes_medium(check)
    for name, told in (
        ("install", "安装 install on this machine"),
        ("upgrade", "升级 upgrade to this medium's release"),
    ):
        install = command(name, _install, told)
        _takes_medium(install)
        install.add_argument("--answers", type=Path, help="应答文件 answers in a TOML file")
        install.add_argument("--yes", action="store_true", help="不提问 ask nothing")
        install.add_argument("--no-firewall", action="store_true", help="不动防火墙 leave nftables")
        install.add_argument("--hold", type=float, default=steps.HOLD_S, help="观察秒数 seconds")
        install.add_argument(
            "--die-at",
            metavar="STEP[:after]",
            default="",
            help=argparse.SUPPRESS,  # for drills: kill the installer at this step
        )
    back = command("rollback", _rollback, "退回上一版本 go back to the release before")
    back.add_argument("--to", metavar="VERSION", help="退回到 which release")
    save = command("backup", _backup, "备份数据、密钥与配置 back up data, keys, configuration")
    put_back = command("restore", _restore, "从备份恢复 put a backup back")
    for parser_ in (save, put_back):
        parser_.add_argument("file", type=Path, help="备份文件 the backup")
        parser_.add_argument(
            "--passphrase-file", type=Path, required=True, help="首行为口令 first line: passphrase"
        )
    bundle = command(
        "support-bundle", _support, "故障资料包，不含任何通话内容 no words, no numbers"
    )
    bundle.add_argument("file", type=Path, help=".tar.gz")
    command("firewall", _firewall, "按 install.toml 重载防火墙 reload it after a change there")
    command("certificate", _certificate, "换发本机证书 make the box's certificate anew")
    card = command("gpu", _gpu, "装好驱动后启用显卡 after a driver was installed")
    _takes_medium(card)
    command("resume", _resume, "断电后收尾（开机自动运行） finish what a power cut interrupted")
    command("status", _status, "现有版本与历史 releases and what was done").add_argument(
        "--json", action="store_true", help="机器可读 for programs"
    )
    remove = command("uninstall", _uninstall, "卸载 remove it")
    choice = remove.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--keep-data", action="store_true", help="保留数据与密钥 keep calls and keys"
    )
    choice.add_argument(
        "--delete-data",
        action="store_true",
        help="连同数据与密钥一并删除 delete calls and keys too",
    )
    return parser


def _takes_medium(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--medium", type=Path, default=HERE, help="介质所在目录 the medium's folder (default: here)"
    )


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
    if not _fit(medium):
        warn(Text("未作任何改动。", "nothing was changed."))
        return NOT_FIT
    with alone():
        if record.load().phase in (SWITCHED, REVERTING) or restore.UNDER_WAY.exists():
            say(Text("先把上一次做完 ……", "bringing the last operation to its end first ..."))
            revert.settle()
        unfinished = record.load()
        known = answers.gather(given.answers, layout.ANSWERS, ask=not given.yes)
        if given.no_firewall:
            known.firewall = False
        previous = layout.current_version() or ""
        if previous == medium.version:
            previous = unfinished.previous if unfinished.version == previous else ""
        operation = "upgrade" if previous else "install"
        made = Record(operation, medium.version, previous, PREPARING, begun_at=time.time())
        _take(steps.Work(medium, known, made, given.hold), given.die_at)
    say(
        Text(
            f"\n聆听 {medium.version} 已在服务。检查：lingting doctor",
            f"\nLingting {medium.version} serves. Check: lingting doctor",
        )
    )
    if layout.ADMINS.exists():
        say(
            Text(
                f"{layout.ADMINS} 中有三员管理员的密钥与证书：分交三人，然后从本机删除。",
                f"{layout.ADMINS} holds the three admins' keys: hand each to another person, "
                "then delete them here.",
            )
        )
    return 0


def _take(work: steps.Work, die_at: str) -> None:
    """The steps; a failure after the switch takes everything back."""
    name, _, when = die_at.partition(":")

    def die(step: str, moment: str) -> None:
        if step == name and moment == (when or "before"):
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        steps.take(work, lambda step: die(step, "before"), lambda step: die(step, "after"))
    except InstallError as error:
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
        shutil.rmtree(path, ignore_errors=True)


def _rollback(given: argparse.Namespace) -> int:
    with alone():
        revert.rollback(given.to)
    version = layout.current_version() or ""
    data.note("release.rollback", version)
    say(Text(f"{version} 已在服务", f"{version} serves"))
    return 0


def _backup(given: argparse.Namespace) -> int:
    _must_be_installed()
    say(restore.backup(given.file, given.passphrase_file))
    return 0


def _restore(given: argparse.Namespace) -> int:
    _must_be_installed()
    with alone():
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
    with alone():
        data.note("release.uninstall", layout.current_version() or "")
        units.stop()
        units.remove()
        for path in (layout.CURRENT, layout.COMMAND, layout.CLI):
            path.unlink(missing_ok=True)
        shutil.rmtree(layout.OPT, ignore_errors=True)
        if given.delete_data:
            for path in (layout.DATA, layout.ETC, layout.STATE, layout.ADMINS):
                shutil.rmtree(path, ignore_errors=True)
            for name in (layout.USER, layout.MODELS_USER):
                works("userdel", name)
            works("groupdel", layout.GROUP)
        else:
            record.PATH.unlink(missing_ok=True)
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


if __name__ == "__main__":
    sys.exit(main())
