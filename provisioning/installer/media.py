"""The medium in hand: whole, ours, and meant for this machine?"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from installer import layout
from installer.system import output_of
from installer.words import InstallError, Text

FORMAT = 1
TRIAL = "Lingting trial build"  # how the key of a trial is called
SUMS, SIGNATURE, KEYRING = "SHA256SUMS", "SHA256SUMS.sig", "release-key.gpg"
APART = {SUMS, SIGNATURE, KEYRING}
USE_ANOTHER = Text(
    "重新拷贝，或向供应商索取新的介质", "copy it again, or ask the vendor for another"
)


@dataclass(frozen=True, slots=True)
class Medium:
    folder: Path
    version: str
    made: str  # ISO 8601
    profiles: tuple[str, ...]
    size_bytes: int


def open_medium(folder: Path) -> Medium:
    """Read what it says of itself; raises InstallError. Nothing is verified yet."""
    path = folder / "medium.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["name"] != "lingting":
            raise KeyError("name")
        if facts["format"] != FORMAT:
            raise InstallError(
                Text("这个介质的格式不认识", "this medium is of an unknown format"),
                Text("用该介质自己的 ./install", "run the medium's own ./install"),
            )
        return Medium(
            folder, facts["version"], facts["made"], tuple(facts["profiles"]), facts["size_bytes"]
        )
    except FileNotFoundError:
        raise InstallError(
            Text(f"{folder} 不是聆听的安装介质", f"{folder} is no medium of Lingting"),
            Text(
                "从介质中运行 ./install，或用 --medium 指出它",
                "run ./install from the medium, or name it by --medium",
            ),
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallError(
            Text(f"介质说明读不出来：{error}", f"the medium's description cannot be read: {error}"),
            USE_ANOTHER,
        ) from error


def verify(medium: Medium, tell: Callable[[int, int], None] = lambda done, all_: None) -> str:
    """Signature, then every checksum, and nothing beside; returns the key's fingerprint.

    Raises InstallError naming the file.
    """
    fingerprint = check_signature(medium.folder)
    sums = read_sums(medium.folder)
    names = sorted(sums)
    for number, name in enumerate(names, start=1):
        tell(number, len(names))
        path = medium.folder / name
        if not path.is_file():
            raise InstallError(
                Text(f"介质不完整：缺少 {name}", f"the medium is incomplete: {name} is missing"),
                USE_ANOTHER,
            )
        if digest(path) != sums[name]:
            raise InstallError(
                Text(f"介质已损坏或被改动：{name}", f"the medium is damaged or altered: {name}"),
                USE_ANOTHER,
            )
    present = {
        path.relative_to(medium.folder).as_posix()
        for path in medium.folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    if strangers := sorted(present - set(names) - APART):
        raise InstallError(
            Text(f"介质中有多余的文件：{strangers[0]}", f"a file is no part of it: {strangers[0]}"),
            USE_ANOTHER,
        )
    return fingerprint


def is_trial(folder: Path) -> bool:
    """Whether it is signed by a key that a build made for trying out, which nobody keeps safe."""
    keyring = layout.TRUST if layout.TRUST.exists() else folder / KEYRING
    return TRIAL in _gpgv(folder, keyring)


def _gpgv(folder: Path, keyring: Path) -> str:
    return output_of(
        *("gpgv", "--status-fd", "1", "--keyring", str(keyring)),
        *(str(folder / SIGNATURE), str(folder / SUMS)),
    )


def check_signature(folder: Path) -> str:
    """By the key this machine already trusts; at the first installation by the medium's own.

    Returns the OpenPGP fingerprint of the key, to compare with what the vendor says.
    """
    keyring = layout.TRUST if layout.TRUST.exists() else folder / KEYRING
    for name in (SUMS, SIGNATURE, KEYRING):
        if not (folder / name).is_file():
            raise InstallError(
                Text(f"介质没有签名：缺少 {name}", f"the medium is not signed: {name} is missing"),
                USE_ANOTHER,
            )
    if shutil.which("gpgv") is None:
        raise InstallError(Text("缺少 gpgv", "gpgv is missing"), Text("安装 gpgv", "install gpgv"))
    told = _gpgv(folder, keyring)
    valid = re.search(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]{40,})", told, re.M)
    if not valid:
        cause = Text("签名无效，或不是本机信任的密钥所签", "the signature is not by a trusted key")
        hint = Text(
            f"不要安装。受信任的密钥在 {keyring}；更换密钥须由安全管理员替换该文件",
            f"do not install it. The trusted key is {keyring}; only replace it if the vendor "
            "told you, by another way, that the key has changed",
        )
        raise InstallError(cause, hint)
    return valid[1]


def read_sums(folder: Path) -> dict[str, str]:
    """File -> SHA-256."""
    found = {}
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        value, _, name = line.partition("  ")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise InstallError(Text(f"校验表有误：{name}", f"the checksums name {name}"))
        found[name] = value
    return found


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
