"""What `lingting doctor` says of the files a box lives with: bundles, the city pack, the store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from appliance.call.lexicon import load_lexicon
from appliance.cli.doctor_check import Check, CheckState
from appliance.cli.words import Bilingual
from appliance.errors import SettingsError
from appliance.security import audit
from appliance.settings import Settings

MIB, GIB = 1 << 20, 1 << 30
VERIFY_TIMEOUT_S = 300.0  # large weights on a slow disk


def speech_bundle(settings: Settings) -> Check:
    return _bundle("speech bundle", "models.asr", settings.models.asr)


def diarization_bundle(settings: Settings) -> Check:
    folder = settings.models.diarization
    if folder is None:
        found = Bilingual("none: speakers are not told apart", "没有：不区分说话人")
        return Check("diarization bundle", CheckState.ok, found)
    return _bundle("diarization bundle", "models.diarization", folder)


def emotion_bundle(settings: Settings) -> Check:
    folder = settings.models.emotion
    if folder is None:
        found = Bilingual("none: no moods are told", "没有：不判断情绪")
        return Check("emotion bundle", CheckState.ok, found)
    return _bundle("emotion bundle", "models.emotion", folder)


def _bundle(name: str, setting: str, folder: Path) -> Check:
    """In a process of its own: the gateway does not know the models' code."""
    command = [sys.executable, "-m", "inference.bundles", "verify", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        found = Bilingual(f"could not be verified: {error}", f"无法校验：{error}")
        return Check(name, CheckState.fail, found, Bilingual("try again", "再试一次"))
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["unknown reason"])[-1]
        fix = Bilingual(
            f"install the bundle again, or set {setting} to the right folder",
            f"重新安装模型包，或把 {setting} 指向正确的目录",
        )
        return Check(name, CheckState.fail, reason, fix)
    verified = done.stdout.strip()
    if _is_demo(folder):
        fix = Bilingual(
            f"for real calls set {setting} to a bundle of real weights",
            f"用于真实话务前，把 {setting} 指向正式模型包",
        )
        found = Bilingual(f"{verified}; demonstration weights", f"{verified}；演示用模型")
        return Check(name, CheckState.warn, found, fix)
    return Check(name, CheckState.ok, verified)


def _is_demo(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["demo"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def city_pack(settings: Settings) -> Check:
    try:
        load_lexicon(settings.city.pack)
    except SettingsError as error:
        return Check("city pack", CheckState.fail, error.cause, error.hint)
    return Check("city pack", CheckState.ok, str(settings.city.pack))


def store(settings: Settings) -> Check:
    """Where calls are kept: writable, and with room to spare."""
    kept = settings.store
    folder = kept.folder
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        fix = Bilingual(
            "give it to the user that runs the box, or set store.folder",
            "把它交给运行本服务的账户，或改设 store.folder",
        )
        found = Bilingual(f"{folder} cannot be written to", f"{folder} 不可写")
        return Check("store", CheckState.fail, found, fix)
    free = shutil.disk_usage(folder).free
    free_gib = f"{free / GIB:.1f} GiB"
    found = Bilingual(f"{kept.folder}, {free_gib} free", f"{kept.folder}，剩余 {free_gib}")
    if free < kept.reserve_mib * MIB:
        fix = Bilingual(
            f"free space: below {kept.reserve_mib} MiB recordings are refused",
            f"腾出空间：低于 {kept.reserve_mib} MiB 时不再接收录音",
        )
        return Check("store", CheckState.warn, found, fix)
    return Check("store", CheckState.ok, found)


def audit_log(settings: Settings) -> Check:
    """Whether the chain of privileged acts is whole."""
    folder = settings.audit.folder or settings.store.folder / "audit"
    if not folder.is_dir():
        return Check("audit log", CheckState.ok, Bilingual("none yet", "还没有"))
    if not os.access(folder, os.R_OK | os.X_OK):
        found = Bilingual(f"{folder} cannot be read", f"{folder} 不可读")
        return Check(
            "audit log", CheckState.warn, found, Bilingual("run this as root", "以 root 运行")
        )
    verdict = audit.verify(folder)
    if not verdict.ok:
        fix = Bilingual(
            "keep the folder as it is and tell the audit admin: lingting audit verify",
            "保持目录原样，告知审计管理员：lingting audit verify",
        )
        found = Bilingual(f"tampered with: {verdict.fault}", f"被篡改：{verdict.fault}")
        return Check("audit log", CheckState.fail, found, fix)
    found = Bilingual(
        f"whole: {verdict.records} records, {verdict.heads} signed heads",
        f"完整：{verdict.records} 条记录，{verdict.heads} 个签名",
    )
    return Check("audit log", CheckState.ok, found)
