"""Archives from anybody: only plain files, only below the folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from appliance.security.untar import UnsafeArchive, untar


def archive(*members: tarfile.TarInfo) -> tarfile.TarFile:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for member in members:
            made.addfile(member, io.BytesIO(b"x" * member.size))
    buffer.seek(0)
    return tarfile.open(fileobj=buffer, mode="r|")


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    made.size = 3 if kind == tarfile.REGTYPE else 0
    return made


def test_plain_files_come_out(tmp_path: Path) -> None:
    untar(
        archive(member("a"), member("folder", tarfile.DIRTYPE), member("folder/b")),
        lambda _: tmp_path,
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "folder/b").read_bytes() == b"xxx"


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside"),
        member("/etc/outside"),
        member("a/../../outside"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "../outside"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda m: m.name,
)
def test_anything_else_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(UnsafeArchive):
        untar(archive(bad), lambda _: inside)
    assert not list(inside.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_file_never_replaces_another(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        untar(archive(member("a"), member("a")), lambda _: tmp_path)
