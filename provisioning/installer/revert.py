"""The way back: the older release serves again, with everything that was said meanwhile.

The work is done by lingting-resume.service, not by the installer: systemd starts it again if it is
killed, and at the next boot, until the record on the disk has come to its end.
"""

from __future__ import annotations

import time

from installer import data, layout, record, restore, steps, units
from installer.record import Record
from installer.system import alone, link, run
from installer.words import InstallError, Text, say

POLL_S = 0.5
LONGEST_S = 600.0


def take_back(done: Record) -> None:
    """Have `done.previous` serve again, or nothing if nothing did; waits until that is so."""
    done.phase = record.REVERTING
    done.save()
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "--no-block", units.RESUME)
    deadline = time.monotonic() + LONGEST_S
    while record.load().phase == record.REVERTING:
        if time.monotonic() > deadline:
            raise InstallError(
                Text("退回没有完成", "going back has not come to its end"),
                Text(f"journalctl -u {units.RESUME}", f"journalctl -u {units.RESUME}"),
            )
        time.sleep(POLL_S)


def resume() -> None:
    """Bring what the record says is under way to its end, one way or the other."""
    if restore.UNDER_WAY.exists():
        with alone():
            restore.undo()
    done = record.load()
    if done.phase == record.SWITCHED:
        with alone():  # an installer that lives finishes by itself
            _finish(done)
    elif done.phase == record.REVERTING:
        _revert(done)


def _finish(done: Record) -> None:
    """After a power cut within an upgrade: the new release gets its chance, but only one."""
    try:
        link(layout.CURRENT, layout.RELEASES / done.version)
        units.place()
        units.enable(firewall=layout.FIREWALL.exists())
        units.restart()
        steps.call_the_box()
    except InstallError as error:
        say(Text(f"新版本未通过，退回：{error}", f"the new release failed, going back: {error}"))
        done.phase = record.REVERTING
        done.save()
        _revert(done)
        return
    done.end(record.COMMITTED)
    data.note(f"release.{done.operation}", done.version)
    say(Text(f"{done.version} 已在服务", f"{done.version} serves"))


def _revert(done: Record) -> None:
    newer = layout.RELEASES / done.version
    units.stop()
    if done.previous:
        data.take_back(newer, done.schema)
        link(layout.CURRENT, layout.RELEASES / done.previous)
        units.place()
        units.restart()
        steps.call_the_box()
        done.end(record.REVERTED)
        data.note("release.revert", f"{done.version} -> {done.previous}")
    else:
        done.end(record.REVERTED)
        units.remove()
        layout.CURRENT.unlink(missing_ok=True)


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
    take_back(Record("rollback", now, wanted, schema=schema, begun_at=time.time()))
