"""What callers claim against what they send; every refusal is clear, quick and cheap."""

import gc

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audio import g711
from appliance.audio.decoder import AudioDecoder
from appliance.audio.sniff import ContainerKind, sniff
from appliance.errors import InvalidAudio, InvalidRequest, LingtingError, TooLarge, Unsupported
from appliance.messages import AudioFormat, Encoding
from tests.unit.audio_files import cut, decode, encode, tail_of, tone, wav_header

PCM = tone(16000, 1, 0.1).tobytes()
CONTRADICTION = "Error: config format doesn't match with header format"
BAD_RATE = "sample_rate_hertz must be between 8000 and 96000"


def raw(encoding, rate_hz=16000, channels=0):
    return AudioFormat(encoding, rate_hz, channels)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4000), max_size=20), st.booleans())
async def test_bare_samples_cut_anywhere(places, named):
    fmt = raw(Encoding.PCM_S16LE if named else Encoding.AUTO, channels=2)
    legs = await decode(cut(PCM, places), fmt, live=True)
    expected = np.frombuffer(PCM, "<i2").reshape(-1, 2).T / 32768
    assert np.allclose(legs, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("encoding", "table"), [(Encoding.ALAW, g711.ALAW), (Encoding.MULAW, g711.MULAW)]
)
async def test_bare_g711_legs_apart(encoding, table):
    codes = np.random.default_rng(1).integers(0, 256, 400, np.uint8)
    legs = await decode(cut(codes.tobytes(), [1, 3, 77]), raw(encoding, channels=2), live=True)
    assert np.array_equal(legs, table[codes.reshape(-1, 2).T])


async def test_attributes_are_known_once_the_header_is():
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=60)
    head = wav_header(6, 2, 8000, 8)
    assert await decoder.feed(head[:-1]) == []
    assert (decoder.legs, decoder.rate_hz) == (0, 0)
    assert [len(leg) for leg in await decoder.feed(head[-1:])] == [0, 0]
    assert (decoder.legs, decoder.rate_hz) == (2, 8000)
    await decoder.close()
    await decoder.close()


@pytest.mark.parametrize(
    ("fmt", "data"),
    [
        (raw(Encoding.AUTO, 8000), wav_header()),
        (raw(Encoding.AUTO, 0, 2), wav_header()),
        (raw(Encoding.ALAW), wav_header()),
        (raw(Encoding.PCM_S16LE, 8000), wav_header(6, rate_hz=8000, bits=8)),
        (raw(Encoding.FLAC, 0), wav_header()),
        (raw(Encoding.OGG_OPUS, 0), b"fLaC" + bytes(100)),
        (raw(Encoding.PCM_S16LE), b"OggS" + bytes(100)),
        (raw(Encoding.FLAC), bytes(100)),
        (raw(Encoding.WAV, 0), PCM),
        (raw(Encoding.AUTO, 8000), encode("flac", "flac", 16000, tone(16000))),
        (raw(Encoding.AUTO, 0, 2), encode("ogg", "libopus", 48000, tone(48000))),
        (raw(Encoding.OGG_OPUS, 0), encode("ogg", "flac", 16000, tone(16000))),
    ],
)
async def test_configuration_against_header(fmt, data):
    with pytest.raises(InvalidAudio) as caught:
        await decode(data + PCM, fmt, live=True)
    assert caught.value.cause == CONTRADICTION


@pytest.mark.parametrize(
    ("fmt", "data"),
    [
        (raw(Encoding.PCM_S16LE, 16000, 1), wav_header() + PCM),
        (raw(Encoding.PCM_S16LE), wav_header(bits=24) + PCM),
        (raw(Encoding.ALAW, 8000), wav_header(6, rate_hz=8000, bits=8) + PCM),
        (raw(Encoding.WAV), wav_header() + PCM),
        (raw(Encoding.FLAC, 16000, 1), encode("flac", "flac", 16000, tone(16000))),
        (raw(Encoding.OGG_OPUS, 16000, 1), encode("ogg", "libopus", 48000, tone(48000))),
    ],
)
async def test_configuration_that_agrees(fmt, data):
    assert len(await decode(data, fmt, live=True)) == 1


@pytest.mark.parametrize("rate_hz", [1, 7999, 96001, 4_000_000_000])
@pytest.mark.parametrize("where", ["configuration", "header"])
async def test_rates_out_of_range(rate_hz, where):
    fmt = raw(Encoding.PCM_S16LE, rate_hz) if where == "configuration" else AudioFormat()
    head = b"" if where == "configuration" else wav_header(rate_hz=rate_hz, bits=8)
    with pytest.raises(InvalidRequest) as caught:
        await decode(head + PCM, fmt)
    assert caught.value.cause == BAD_RATE


async def test_bare_samples_need_a_rate():
    with pytest.raises(InvalidRequest, match=BAD_RATE):
        await decode(PCM, AudioFormat(Encoding.ALAW))
    with pytest.raises(InvalidAudio, match="no known audio header"):
        await decode(PCM)


async def test_a_few_bare_samples_are_audio():
    (leg,) = await decode([b"\1\0", b"\2\0"], raw(Encoding.AUTO))
    assert (leg * 32768).tolist() == [1, 2]


async def test_more_channels_than_legs():
    with pytest.raises(InvalidAudio, match="3 channels, where 1 to 2 are taken"):
        await decode(PCM, raw(Encoding.PCM_S16LE, channels=3))
    with pytest.raises(InvalidAudio, match="2 channels, where 1 to 1 are taken"):
        await decode(wav_header(channels=2) + PCM, max_legs=1)


MP3 = encode("mp3", "libmp3lame", 16000, tone(16000))
LYING = {
    "nothing": (b"", "empty audio"),
    "one byte": (b"R", "ends before|no known"),
    "text": (b"hello, this is not audio at all", "no known audio header"),
    "html": (b"<html><body>502 Bad Gateway</body></html>", "no known audio header"),
    "flac magic alone": (b"fLaC", "empty audio|no known"),
    "flac, garbage": (b"fLaC" + bytes(range(256)) * 20, "empty audio|metadata|damaged"),
    "ogg, garbage": (b"OggS" + bytes(range(256)) * 20, "Invalid data|End of file|damaged"),
    "mp4, garbage": (b"\0\0\0\x18ftypM4A " + bytes(range(256)) * 20, "Invalid data|damaged"),
    "amr, garbage": (b"#!AMR\n" + b"\xff" * 2000, "Invalid data|damaged"),
    "webm, garbage": (b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 20, "Invalid data|damaged|End of"),
    "mp3 tag alone": (b"ID3\x04\0\0\0\0\0\0" + bytes(5000), "Invalid data|damaged|End of|empty"),
    "mp4 without its index": (
        encode("mp4", "aac", 16000, tone(16000))[:-300], "Invalid data|damaged",
    ),
    "ogg header only": (
        encode("ogg", "libopus", 48000, tone(48000))[:120], "empty audio|Invalid|damaged|End of",
    ),
    "mp3 in wav, garbage": (wav_header(0x55, bits=0) + bytes(range(256)), "damaged|empty|Invalid"),
}  # fmt: skip


@pytest.mark.parametrize("case", LYING)
async def test_lying_files_are_refused(case):
    data, reason = LYING[case]
    with pytest.raises(InvalidAudio, match=reason):
        await decode(data)


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "mp4"])
@pytest.mark.parametrize("seed", range(3))
async def test_damaged_files_are_taken_or_refused_but_never_hang(kind, seed):
    codec = {"flac": "flac", "ogg": "libopus", "mp3": "libmp3lame", "mp4": "aac"}[kind]
    data = bytearray(encode(kind, codec, 48000, tone(48000)))
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 60):
        data[place] = rng.integers(0, 256)
    try:
        (leg, *_) = await decode(bytes(data))
    except LingtingError:
        return
    assert np.isfinite(leg).all()


async def test_a_live_call_takes_only_what_streams():
    for data in (MP3, wav_header(0x31, bits=0) + bytes(100)):
        with pytest.raises(Unsupported, match="send PCM"):
            await decode(data, live=True)
    with pytest.raises(Unsupported):
        AudioDecoder(AudioFormat(Encoding.CONTAINER), live=True, max_duration_s=1)


async def test_samples_that_begin_like_mp3_are_samples_when_a_rate_is_given():
    samples = np.array([-1025, 0x44, 5, 5] * 1000, "<i2").tobytes()
    samples = samples[:2] + MP3[2:4] + samples[4:]
    assert sniff(samples) is ContainerKind.MP3
    for live in (True, False):
        (leg,) = await decode(samples, raw(Encoding.AUTO), live=live)
        assert len(leg) == 4000
    (leg,) = await decode([MP3], raw(Encoding.AUTO))
    assert len(leg) > 30_000


@pytest.mark.parametrize("data", [PCM * 20, encode("flac", "flac", 16000, tone(16000))])
async def test_longer_than_allowed(data):
    fmt = raw(Encoding.AUTO)
    with pytest.raises(TooLarge, match="longer than 1 s"):
        await decode(data, fmt, max_duration_s=1)


async def test_an_hour_of_alaw_in_bounded_memory():
    decoder = AudioDecoder(raw(Encoding.ALAW, 8000), live=False, max_duration_s=3600)
    piece = np.random.default_rng(2).integers(0, 256, 1 << 16, np.uint8).tobytes()
    process, got = psutil.Process(), 0
    for at in range(0, 3600 * 8000, len(piece)):
        (leg,) = await decoder.feed(piece[: 3600 * 8000 - at])
        got += len(leg)
        if at == 10 * len(piece):
            gc.collect()
            before = process.memory_info().rss
    (tail,) = await tail_of(decoder)
    assert got + len(tail) == 3600 * 16000
    assert process.memory_info().rss - before < 20 << 20


@pytest.mark.parametrize("kept", [0.5, 1.0])
async def test_a_recording_that_is_not_whole_is_told_apart(kept):
    data = wav_header(size=len(PCM)) + PCM
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=60)
    await decoder.feed(data[: int(len(data) * kept)])
    await tail_of(decoder)
    assert decoder.cut_short is (kept < 1)
