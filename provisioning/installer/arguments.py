"""The command line of `lingting-install`, in both languages."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from installer.steps import HOLD_S

HERE = Path(__file__).resolve().parent.parent
Command = Callable[[str, str], argparse.ArgumentParser]  # by its name and what it does


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lingting-install",
        description="聆听的安装、升级与回退。 Installs, upgrades and takes back Lingting.",
        epilog="退出码 exit codes: 0 成功 done, 1 失败 failed, 2 用法 usage, 3 不符合条件 not fit, "
        "4 另一个在运行 another runs, 5 已退回 taken back",
    )
    parser.add_argument("--lang", choices=("zh", "en"), help="语言 language of what is printed")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, told: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=told, description=told, allow_abbrev=False)
        made.add_argument("--lang", choices=("zh", "en"), default=argparse.SUPPRESS, help="语言")
        return made

    _release_commands(command)
    _data_commands(command)
    command("firewall", "按 install.toml 重载防火墙 reload it after a change there")
    command("certificate", "换发本机证书 make the box's certificate anew")
    card = command("gpu", "装好驱动后启用显卡 after a driver was installed")
    _takes_medium(card)
    command("resume", "断电后收尾（开机自动运行） finish what a power cut interrupted")
    _takes_json(command("status", "现有版本与历史 releases and what was done"))
    return parser


def _release_commands(command: Command) -> None:
    """From a medium to a release that serves, and away from it."""
    check = command("preflight", "检查本机与介质，不作改动 look only: machine and medium")
    _takes_json(check)
    _takes_medium(check)
    for name, told in (
        ("install", "安装 install on this machine"),
        ("upgrade", "升级 upgrade to this medium's release"),
    ):
        install = command(name, told)
        _takes_medium(install)
        install.add_argument("--answers", type=Path, help="应答文件 answers in a TOML file")
        _takes_yes(install)
        install.add_argument("--no-firewall", action="store_true", help="不动防火墙 leave nftables")
        install.add_argument("--hold", type=float, default=HOLD_S, help="观察秒数 seconds")
        install.add_argument(
            "--die-at",
            metavar="STEP[:after]",
            default="",
            help=argparse.SUPPRESS,  # for drills: kill the installer at this step
        )
    back = command("rollback", "退回上一版本 go back to the release before")
    back.add_argument("--to", metavar="VERSION", help="退回到 which release")
    remove = command("uninstall", "卸载 remove it")
    _takes_yes(remove)
    choice = remove.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--keep-data", action="store_true", help="保留数据与密钥 keep calls and keys"
    )
    choice.add_argument(
        "--delete-data",
        action="store_true",
        help="连同数据与密钥一并删除 delete calls and keys too",
    )


def _data_commands(command: Command) -> None:
    """What is taken out of a box, and put back."""
    save = command("backup", "备份数据、密钥与配置 back up data, keys, configuration")
    put_back = command("restore", "从备份恢复 put a backup back")
    for parser in (save, put_back):
        parser.add_argument("file", type=Path, help="备份文件 the backup")
        parser.add_argument(
            "--passphrase-file", type=Path, required=True, help="首行为口令 first line: passphrase"
        )
        _takes_yes(parser)
    bundle = command("support-bundle", "故障资料包，不含任何通话内容 no words, no numbers")
    bundle.add_argument("file", type=Path, help=".tar.gz")


def _takes_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="机器可读 for programs")


def _takes_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="不提问，一律同意 ask nothing, agree")


def _takes_medium(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--medium", type=Path, default=HERE, help="介质所在目录 the medium's folder (default: here)"
    )
