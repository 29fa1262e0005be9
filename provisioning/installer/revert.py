"""The way back: the older release serves again, with everything that was said meanwhile.

The work is done by lingting-resume.service, not by the installer: systemd starts it again if it is
killed, and at the next boot, until the record on the disk has come to its end. It also waits beside
an installer that has begun what cannot be left half done, and takes over if that one dies.
"""

from __future__ import annotations

import time

from installer import answers, certificate, data, layout, record, restore, steps, units
from installer.record import InstallRecord
from installer.system import ANOTHER, alone, link
from installer.words import InstallError, Text, say

POLL_S = 0.5
LONGEST_S = 600.0


def take_back(done: InstallRecord) -> None:
    """Have `done.previous` serve again, or nothing if nothing did; waits until that is so."""
    done.phase = record.REVERTING
    done.save()
    units.mind_the_installer()
    deadline = time.monotonic() + LONGEST_S
    while record.load().phase == record.REVERTING:
        if time.monotonic() > deadline:
            raise InstallError(
                Text("退回没有完成", "going back has not come to its end"),
                Text(f"journalctl -u {units.RESUME}", f"journalctl -u {units.RESUME}"),
            )
        time.sleep(POLL_S)


def resume() -> None:
    """Bring what was under way to its end, one way or the other."""
    while True:
        done = record.load()
        if done.phase == record.REVERTING:  # an installer that lives waits for this, with the lock
            _revert(done)
            return
        try:
            with alone(patience_s=0):  # an installer that lives finishes by itself
                settle()
                return
        except InstallError as error:
            if error.code != ANOTHER:
                raise
        time.sleep(POLL_S)


def settle() -> None:
    """The same for whoever has the lock."""
    if restore.UNDER_WAY.exists():
        restore.undo()
    done = record.load()
    if done.phase == record.REVERTING:
        if (layout.UNITS / units.RESUME).is_symlink():
            take_back(done)
        else:  # it was cut off when it had taken that unit away
            _revert(done)
    elif done.phase == record.SWITCHED:
        finish(done)
    release = layout.current_release()
    if release and layout.ANSWERS.exists() and not certificate.is_good():
        certificate.make(release, answers.read(layout.ANSWERS).names)
        units.restart_gateway()


def finish(done: InstallRecord) -> None:
    """After a power cut within an upgrade: the new release gets its chance, but only one."""
    try:
        link(layout.CURRENT, layout.RELEASES / done.version)
        units.place()
        units.enable(firewall=answers.read(layout.ANSWERS).firewall)
        units.restart()
        steps.call_the_box()
        steps.make_admins(layout.RELEASES / done.version)
    except (InstallError, OSError) as error:
        say(Text(f"新版本未通过，退回：{error}", f"the new release failed, going back: {error}"))
        done.phase = record.REVERTING
        done.save()
        _revert(done)
        return
    done.end(record.COMMITTED)
    data.note(f"release.{done.operation}", done.version)
    say(Text(f"{done.version} 已在服务", f"{done.version} serves"))


def _revert(done: InstallRecord) -> None:
    newer = layout.RELEASES / done.version
    units.stop()
    if done.previous:
        data.take_back(newer, done.schema)
        try:
            _serve(done.previous)
        except InstallError:
            if done.operation != "rollback":
                raise  # and systemd tries again
            _serve(done.version)  # which served well before
            done.end(record.COMMITTED)
            raise
        done.end(record.REVERTED)
        data.note("release.revert", f"{done.version} -> {done.previous}")
    else:
        units.remove()
        layout.CURRENT.unlink(missing_ok=True)
        done.end(record.REVERTED)


def _serve(version: str) -> None:
    link(layout.CURRENT, layout.RELEASES / version)
    units.place()
    units.restart()
    steps.call_the_box()


def rollback(to: str | None) -> None:
    """To the release before, or to `to`; raises InstallError."""
    now, last = layout.current_version(), record.load()
    if now is None:
        raise InstallError(Text("没有安装", "nothing is installed"))
    kept = sorted(path.name for path in layout.RELEASES.iterdir() if (path / steps.READY).exists())
    wanted = to or (last.previous if last.version == now else "")
    if not wanted or wanted == now or wanted not in kept:
        raise InstallError(
            Text(
                f"没有可退回的版本 {wanted}（现有：{'、'.join(kept)}）",
                f"there is no release {wanted or 'before'} to go back to (kept: {', '.join(kept)})",
            ),
            Text("lingting-install status 列出各版本", "lingting-install status lists them"),
        )
    schema = data.heads(layout.RELEASES / wanted)
    take_back(InstallRecord("rollback", now, wanted, schema=schema, begun_at=time.time()))
    if layout.current_version() != wanted:
        raise InstallError(
            Text(f"{wanted} 起不来，仍由 {now} 服务", f"{wanted} does not serve; {now} does again"),
            Text(f"journalctl -u {units.RESUME}", f"journalctl -u {units.RESUME}"),
            code=5,
        )
