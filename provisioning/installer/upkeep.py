"""What an administrator changes on a box that serves: its firewall, its certificate, its GPU."""

from __future__ import annotations

from pathlib import Path

from installer import answers, certificate, data, firewall, layout, steps, units
from installer.media import Medium, verify
from installer.record import InstallRecord
from installer.words import InstallError, Text, progress, say


def reload_firewall() -> None:
    """As install.toml has it now; nothing changes if that makes no sense."""
    known = answers.read(layout.ANSWERS)
    firewall.lay(known)
    units.enable(firewall=known.firewall)
    if known.firewall:
        units.load_firewall()
    data.note("firewall.change", str(layout.ANSWERS))
    told = Text("防火墙已按应答载入", "the firewall is as the answers say")
    off = Text("防火墙已按应答停用", "the firewall is off, as the answers say")
    say(told if known.firewall else off)


def renew_certificate(release: Path) -> None:
    """For the names in install.toml; callers trust the authority, so nothing changes for them."""
    known = answers.read(layout.ANSWERS)
    certificate.make(release, known.names)
    data.note("certificate.renew", " ".join(known.names))
    units.restart_gateway()
    steps.call_the_box()
    say(Text("证书已更新，已在服务", "the certificate is new, and the box serves with it"))


def set_up_gpu(release: Path, medium: Medium) -> None:
    """After a driver was installed, or a card taken out."""
    if medium.version != release.name:
        raise InstallError(
            Text(
                f"介质是 {medium.version}，在服务的是 {release.name}",
                f"the medium is {medium.version}, but {release.name} serves",
            ),
            Text("用同版本的介质，或先升级", "take the medium of that release, or upgrade first"),
        )
    verify(medium, progress)
    work = steps.InstallWork(medium, answers.read(layout.ANSWERS), InstallRecord())
    steps.graphics(work)
    data.note("gpu.change", release.name)
    units.restart()
    steps.call_the_box()
