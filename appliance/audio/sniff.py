"""What the first bytes are."""

from __future__ import annotations

from enum import StrEnum

from appliance.audio import wav

HEAD_BYTES = 12  # enough to tell


class ContainerKind(StrEnum):
    """A container; the value is the name of ffmpeg's demuxer.

    The demuxer is always named: left to guess, ffmpeg would open play lists that read our files.
    """

    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    MP3 = "mp3"
    AAC = "aac"
    MP4 = "mp4"
    AMR = "amr"
    WEBM = "matroska"
    AIFF = "aiff"
    AU = "au"
    CAF = "caf"
    W64 = "w64"
    ASF = "asf"


STREAMED = (ContainerKind.WAV, ContainerKind.FLAC, ContainerKind.OGG)  # what a live call may send
_MP3_BITRATES = {  # kbit/s of layer III, by whether it is MPEG-1
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = (44100, 48000, 32000)


def sniff(head: bytes, *, sure: bool = False) -> ContainerKind | None:
    """Name the container, or None.

    Args:
        head: at least `HEAD_BYTES`, if there are as many.
        sure: bare samples are just as likely, so that two bytes which could begin
            an MPEG frame prove nothing unless the next frame follows.
    """
    if wav.looks_like_header(head):
        return ContainerKind.WAV
    for magic, kind in (
        (b"fLaC", ContainerKind.FLAC),
        (b"OggS", ContainerKind.OGG),
        (b"ID3", ContainerKind.MP3),
        (b"#!AMR", ContainerKind.AMR),
        (b"\x1a\x45\xdf\xa3", ContainerKind.WEBM),
        (b".snd", ContainerKind.AU),
        (b"caff", ContainerKind.CAF),
        (b"riff\x2e\x91\xcf\x11", ContainerKind.W64),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ContainerKind.ASF),
    ):
        if head.startswith(magic):
            return kind
    if head[4:8] == b"ftyp":
        return ContainerKind.MP4
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return ContainerKind.AIFF
    for kind, length in (
        (ContainerKind.MP3, _mp3_frame(head)),
        (ContainerKind.AAC, _adts_frame(head)),
    ):
        if length and (not sure or head[length : length + 2] == head[:2]):
            return kind
    return None


GSM_FRAME = 33  # bytes, each frame of raw GSM 06.10; its first half byte is 0xD


def is_raw_gsm(head: bytes) -> bool:
    """Whether it may well be: there is no header to tell."""
    firsts = head[: 8 * GSM_FRAME : GSM_FRAME]
    return len(firsts) >= 3 and all(each >> 4 == 0xD for each in firsts)


def _mp3_frame(head: bytes) -> int:
    """Length of the layer III frame that begins here, bytes; 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    halvings = {3: 1, 2: 2, 0: 4}[version]
    kilobits = _MP3_BITRATES[version == 3][bitrate]
    per_frame = 144_000 if version == 3 else 72_000
    return per_frame * kilobits * halvings // _MP3_RATES[rate] + (head[2] >> 1 & 1)


def _adts_frame(head: bytes) -> int:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0
