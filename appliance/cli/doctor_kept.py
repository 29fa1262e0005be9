"""What `lingting doctor` says of the files a box lives with: bundles, the city pack, the store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from appliance.call.lexicon import load_lexicon
from appliance.errors import SettingsError
from appliance.security import audit
from appliance.settings import Settings

MIB, GIB = 1 << 20, 1 << 30
VERIFY_TIMEOUT_S = 300.0  # large weights on a slow disk


class State(StrEnum):
    ok = "ok"
    warn = "warn"  # works, with something less
    fail = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: State
    found: str
    fix: str = ""


def speech_bundle(settings: Settings) -> Check:
    return _bundle("speech bundle", "models.asr", settings.models.asr)


def diarization_bundle(settings: Settings) -> Check:
    folder = settings.models.diarization
    if folder is None:
        return Check("diarization bundle", State.ok, "none: speakers are not told apart")
    return _bundle("diarization bundle", "models.diarization", folder)


def emotion_bundle(settings: Settings) -> Check:
    folder = settings.models.emotion
    if folder is None:
        return Check("emotion bundle", State.ok, "none: no moods are told")
    return _bundle("emotion bundle", "models.emotion", folder)


def _bundle(name: str, setting: str, folder: Path) -> Check:
    """In a process of its own: the gateway does not know the models' code."""
    command = [sys.executable, "-m", "inference.bundles", "verify", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, State.fail, f"could not be verified: {error}", "try again")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["unknown reason"])[-1]
        fix = f"install the bundle again, or set {setting} to the right folder"
        return Check(name, State.fail, reason, fix)
    verified = done.stdout.strip()
    if _is_demo(folder):
        fix = f"for real calls set {setting} to a bundle of real weights"
        return Check(name, State.warn, f"{verified}; demonstration weights", fix)
    return Check(name, State.ok, verified)


def _is_demo(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["demo"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def city_pack(settings: Settings) -> Check:
    try:
        load_lexicon(settings.city.pack)
    except SettingsError as error:
        return Check("city pack", State.fail, error.cause, error.hint)
    return Check("city pack", State.ok, str(settings.city.pack))


def store(settings: Settings) -> Check:
    """Where calls are kept: writable, and with room to spare."""
    kept = settings.store
    folder = kept.folder
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        fix = "give it to the user that runs the box, or set store.folder"
        return Check("store", State.fail, f"{folder} cannot be written to", fix)
    free = shutil.disk_usage(folder).free
    found = f"{kept.folder}, {free / GIB:.1f} GiB free"
    if free < kept.reserve_mib * MIB:
        fix = f"free space: below {kept.reserve_mib} MiB recordings are refused"
        return Check("store", State.warn, found, fix)
    return Check("store", State.ok, found)


def audit_log(settings: Settings) -> Check:
    """Whether the chain of privileged acts is whole."""
    folder = settings.audit.folder or settings.store.folder / "audit"
    if not folder.is_dir():
        return Check("audit log", State.ok, "none yet")
    if not os.access(folder, os.R_OK | os.X_OK):
        return Check("audit log", State.warn, f"{folder} cannot be read", "run this as root")
    verdict = audit.verify(folder)
    if not verdict.ok:
        fix = "keep the folder as it is and tell the audit admin: lingting audit verify"
        return Check("audit log", State.fail, f"tampered with: {verdict.fault}", fix)
    found = f"whole: {verdict.records} records, {verdict.heads} signed heads"
    return Check("audit log", State.ok, found)
