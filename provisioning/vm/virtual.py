"""`python -m provisioning.vm.virtual`: a clean Debian 12 in qemu, installed from the medium's ISO.

Slow (no KVM is needed) and complete: its own kernel, its own disk, its plug can be pulled. The
story: boot, install, call; pull the plug in the middle of an upgrade; boot, call; starve each
engine of memory, call; upgrade; roll back, call; uninstall. Exit code 0 if all chapters end well.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

DISK_GIB, MEMORY_MIB, CORES = 12, 6144, 2
MARK = "LINGTING-VM"  # what the machine writes to its serial line at the end of a chapter
CHAPTER_TIMEOUT_S = 3600.0
POLL_S = 1.0
CHAPTERS = ("call", "memory", "upgrade", "rollback", "uninstall")  # after the plug was pulled
console = Console(highlight=False)

# Runs in the machine at every boot; which chapter it is stands on the kernel's command line.
STORY = """\
#!/bin/bash
exec >/dev/ttyS1 2>&1  # the first is the console's own
chapter=$(sed -n 's/.*lingting.chapter=\\([a-z-]*\\).*/\\1/p' /proc/cmdline)
# A service gets too little memory, by its cgroup: the kernel kills it, calls go on, it comes back.
starve() {
  for n in $(seq 240); do
    journalctl -b -u lingting-gateway | grep -q "triton is ready" && break
    sleep 5; false
  done || { echo "Triton was never used"; return 1; }
  systemctl set-property --runtime "lingting-$1" MemoryMax=60M MemorySwapMax=0
  systemctl restart --no-block "lingting-$1"
  for n in $(seq 60); do
    journalctl -b -k | grep -q "oom-kill.*lingting-$1" && break
    sleep 5; false
  done || return 1
  lingting canary --patience 300 || return 1
  systemctl set-property --runtime "lingting-$1" MemoryMax=infinity
  systemctl restart "lingting-$1" && lingting canary --patience 300
}
mkdir -p /media/old /media/new
udevadm settle
mount -o ro LABEL=LINGTING-OLD /media/old && mount -o ro LABEL=LINGTING-NEW /media/new || exit
case $chapter in
  install) /root/provision.sh /media/old ;;
  upgrade) /media/new/install --lang en upgrade --yes --hold 5 && lingting canary --patience 300 ;;
  call) lingting canary --patience 300 ;;
  memory) starve cpu && starve triton ;;
  rollback) lingting-install --lang en rollback && lingting canary --patience 300 ;;
  uninstall) lingting-install --lang en uninstall --keep-data && ! test -e /opt/lingting ;;
esac
echo "LINGTING-VM $chapter $?"
sync
poweroff
"""
UNIT = """\
[Unit]
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/root/story.sh

[Install]
WantedBy=multi-user.target
"""


@dataclass(slots=True)
class Machine:
    """A disk, a kernel, two media."""

    folder: Path
    media: tuple[Path, Path]

    def make(self, archive: Path) -> None:
        """The disk, out of an archive of root.py; needs mke2fs."""
        root = self.folder / "root"
        root.mkdir()
        tar = ["tar", "--numeric-owner", "-C", str(root), "-xf", str(archive)]
        subprocess.run(tar, check=True)
        for name, target in (("vmlinuz", "kernel"), ("initrd", "initrd")):
            shutil.copy(next(root.glob(f"boot/{name}*")), self.folder / target)
        (root / "etc" / "hostname").write_text("box\n")
        (root / "etc" / "fstab").write_text("/dev/vda / ext4 errors=remount-ro 0 1\n")
        shutil.copy(Path(__file__).with_name("provision.sh"), root / "root" / "provision.sh")
        story = root / "root" / "story.sh"
        story.write_text(STORY)
        story.chmod(0o755)
        (root / "etc/systemd/system/story.service").write_text(UNIT)
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "story.service").symlink_to("/etc/systemd/system/story.service")
        disk = self.folder / "disk.img"
        with disk.open("wb") as file:
            file.truncate(DISK_GIB << 30)
        make = ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(disk)]
        subprocess.run(make, check=True)
        shutil.rmtree(root)

    def boot(self, chapter: str) -> subprocess.Popen[bytes]:
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += ["-smp", str(CORES), "-m", str(MEMORY_MIB), "-display", "none", "-no-reboot"]
        command += ["-nic", "none", "-serial", f"file:{chapter}-console.log"]
        command += ["-serial", f"file:{self.log(chapter)}"]
        command += ["-kernel", str(self.folder / "kernel"), "-initrd", str(self.folder / "initrd")]
        append = f"root=/dev/vda rw console=ttyS0 quiet panic=-1 lingting.chapter={chapter}"
        command += ["-append", append]
        drives = [("disk.img", "raw", "off"), *((str(path), "raw", "on") for path in self.media)]
        for name, kind, read_only in drives:
            path = self.folder / name
            options = f"file={path},format={kind},if=virtio,readonly={read_only},cache=writeback"
            command += ["-drive", options]
        return subprocess.Popen(command, cwd=self.folder)

    def log(self, chapter: str) -> Path:
        return self.folder / f"{chapter}.log"

    def run(self, chapter: str, *, cut_after_s: float | None = None) -> bool:
        """A chapter to its end, or until its plug is pulled; whether it ended well."""
        self.log(chapter).unlink(missing_ok=True)
        process, begun = self.boot(chapter), time.monotonic()
        deadline = begun + (cut_after_s or CHAPTER_TIMEOUT_S)
        with console.status(chapter) as status:
            while process.poll() is None and time.monotonic() < deadline:
                status.update(f"{chapter} {time.monotonic() - begun:.0f} s {self._last(chapter)}")
                time.sleep(POLL_S)
        process.kill()
        process.wait()
        seconds = time.monotonic() - begun
        if cut_after_s:
            console.print(f"{chapter}: the plug was pulled after {seconds:.0f} s")
            return True
        well = f"{MARK} {chapter} 0" in self._read(chapter)
        console.print(f"{chapter}: {'well' if well else 'FAILED'} after {seconds:.0f} s")
        if not well:
            console.print(self._read(chapter)[-3000:], markup=False)
        return well

    def _read(self, chapter: str) -> str:
        path = self.log(chapter)
        return path.read_text(errors="replace") if path.exists() else ""

    def _last(self, chapter: str) -> str:
        lines = self._read(chapter).strip().splitlines()
        return lines[-1][-60:].replace("[", "(") if lines else ""


def label(medium: Path, name: str, target: Path) -> Path:
    """An ISO of a medium under a name of its own."""
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", name, "-o", str(target)]
    subprocess.run([*command, str(medium)], check=True, capture_output=True)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m provisioning.vm.virtual", description=__doc__)
    parser.add_argument("archive", type=Path, help="of `python -m provisioning.vm.root vm`")
    parser.add_argument("old", type=Path, help="medium to install")
    parser.add_argument("new", type=Path, help="medium to upgrade to")
    parser.add_argument("--seed", type=int, default=None, help="when the plug is pulled")
    parser.add_argument("--work", type=Path, default=None, help="folder to keep the machine in")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(10_000)
    console.print(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="lingting-vm-", dir=given.work) as folder:
        place = Path(folder)
        media = (
            label(given.old, "LINGTING-OLD", place / "old.iso"),
            label(given.new, "LINGTING-NEW", place / "new.iso"),
        )
        machine = Machine(place, media)
        with console.status("making the disk"):
            machine.make(given.archive)
        return 0 if tell(machine, seed) else 1


def tell(machine: Machine, seed: int) -> bool:
    """The whole story; stops at the first chapter that does not end well."""
    begun = time.monotonic()
    if not machine.run("install"):
        return False
    cut_s = random.Random(seed).uniform(0.3, 0.9) * (time.monotonic() - begun)
    machine.run("upgrade", cut_after_s=cut_s)
    return all(machine.run(name) for name in CHAPTERS)


if __name__ == "__main__":
    sys.exit(main())
