"""Unpack a tar that may come from anybody: plain files below given folders, nothing else."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath


class UnsafeArchive(ValueError):
    """It holds a link, a device, or a name that leads outside; nothing after it was unpacked."""


def untar(archive: tarfile.TarFile, folder_of: Callable[[PurePosixPath], Path]) -> None:
    """Each file into the folder that `folder_of` its name tells; raises UnsafeArchive.

    (tarfile's own filters are not in Debian 12's Python.)
    """
    for member in archive:
        name = PurePosixPath(member.name)
        if member.isdir():
            continue
        if not member.isfile() or name.is_absolute() or ".." in name.parts:
            raise UnsafeArchive(f"{member.name[:80]!r} is no plain file of it")
        path = folder_of(name) / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = archive.extractfile(member)
        assert source is not None
        with path.open("xb") as file:
            path.chmod(0o600)
            shutil.copyfileobj(source, file)
