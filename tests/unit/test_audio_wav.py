"""WAV in every coding, cut anywhere, with headers as they come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.audio import g711, wav
from appliance.audio.decoder import AudioDecoder
from appliance.errors import InvalidAudio
from appliance.messages import AudioFormat, Encoding
from tests.unit.audio_files import chunk, cut, decode, tail_of, tone, wav_header

TONE = tone(16000, 1, 0.1)[:, 0]
FLOAT = TONE.astype(np.float32) / 32768
NOISE_CODES = np.random.default_rng(0).integers(0, 256, 800, np.uint8)


def s24(values):
    return (values.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


CODINGS = {
    "u8": (1, 8, ((TONE >> 8) + 128).astype(np.uint8).tobytes(), 1 / 128),
    "s16": (1, 16, TONE.astype("<i2").tobytes(), 1e-7),
    "s24": (1, 24, s24(TONE), 1e-6),
    "s32": (1, 32, (TONE.astype("<i4") << 16).tobytes(), 1e-6),
    "f32": (3, 32, FLOAT.astype("<f4").tobytes(), 1e-7),
    "f64": (3, 64, FLOAT.astype("<f8").tobytes(), 1e-7),
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("extensible", [False, True])
async def test_codings(coding, extensible):
    tag, bits, data, tolerance = CODINGS[coding]
    extra = b""
    if extensible:
        guid = tag.to_bytes(2, "little") + bytes.fromhex("000000001000800000aa00389b71")
        tag, extra = 0xFFFE, b"\x16\0" + bits.to_bytes(2, "little") + b"\0\0\0\0" + guid
    (leg,) = await decode(wav_header(tag, bits=bits, size=len(data), extra=extra) + data)
    assert np.abs(leg - FLOAT).max() <= tolerance


@pytest.mark.parametrize(("tag", "table"), [(6, g711.ALAW), (7, g711.MULAW)])
async def test_g711_in_wav(tag, table):
    (leg,) = await decode(wav_header(tag, rate_hz=16000, bits=8) + NOISE_CODES.tobytes())
    assert np.array_equal(leg, table[NOISE_CODES])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=20), st.sampled_from(["s16", "s24", "f64"]))
async def test_cut_anywhere_in_header_or_sample(places, coding):
    tag, bits, data, _ = CODINGS[coding]
    before = chunk(b"LIST", b"odd") + chunk(b"JUNK", bytes(28))
    whole = wav_header(tag, 2, bits=bits, before=before) + data
    legs = await decode(cut(whole, places))
    assert len(legs) == 2
    expected = await decode([whole])
    assert np.array_equal(legs, expected)
    assert np.allclose(legs[1], FLOAT[1::2], atol=1e-6)


async def test_byte_by_byte():
    (leg,) = await decode(cut(wav_header() + TONE.tobytes(), list(range(400))))
    assert np.array_equal(leg, FLOAT)


@pytest.mark.parametrize(
    ("size", "behind", "expected"),
    [
        (0, b"", len(TONE)),
        (0xFFFFFFFF, b"", len(TONE)),
        (2 * len(TONE), chunk(b"LIST", bytes(500)), len(TONE)),
        (200, b"", 100),
        (1 << 30, b"", len(TONE)),
        (0, b"\x01", len(TONE)),
    ],
)
async def test_data_sizes_true_and_false(size, behind, expected):
    (leg,) = await decode(wav_header(size=size) + TONE.tobytes() + behind)
    assert np.array_equal(leg, FLOAT[:expected])


async def test_samples_over_four_gib_have_their_size_elsewhere():
    ds64 = chunk(b"ds64", (0).to_bytes(8, "little") + (200).to_bytes(8, "little") + bytes(12))
    header = b"RF64" + wav_header(before=ds64)[4:]
    (leg,) = await decode(header + TONE.tobytes())
    assert len(leg) == 100


async def test_a_header_in_a_later_message_is_no_audio():
    message = wav_header() + TONE.tobytes()
    (leg,) = await decode([message, message, message])
    assert np.array_equal(leg, np.tile(FLOAT, 3))


async def test_float_out_of_range_is_clipped():
    (leg,) = await decode(wav_header(3, bits=32) + np.array([1e30, -2, 0.5], "<f4").tobytes())
    assert leg.tolist() == [1, -1, 0.5]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (wav_header(3, bits=32) + np.array([0, np.nan], "<f4").tobytes(), "not finite"),
        (wav_header(3, bits=64) + np.array([np.inf, 0], "<f8").tobytes(), "not finite"),
        (wav_header(bits=12), "12-bit samples"),
        (wav_header(0xFFFE), "extensible format chunk is cut off"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0" + bytes(100), "no format chunk"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", bytes(8)) + chunk(b"data", b""), "no format chunk"),
        (b"RIFF\0\0\0\0WAVEJUNK\0\0\0\x7f" + bytes(100), "no samples within"),
        (wav_header()[:30], "ends before its header"),
        (wav_header(channels=0) + bytes(100), "0 channels"),
        (wav_header(channels=3) + bytes(100), "3 channels"),
        (wav_header(), "empty audio"),
        (wav_header() + b"\0", "empty audio"),
    ],
)
async def test_bad_ones_are_named(data, cause):
    with pytest.raises(InvalidAudio, match=cause) as caught:
        await decode(data, AudioFormat(Encoding.WAV))
    assert caught.value.hint


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(tail):
    try:
        header = wav.parse_header(b"RIFF\0\0\0\0WAVE" + tail)
    except InvalidAudio:
        return
    assert header is None or header.data_at <= 12 + len(tail)


# --- as live clients write it


def messages(count: int, header: bytes | None = None) -> list[bytes]:
    """The tone in so many messages, each behind a header: its own, or the one given."""
    step = len(TONE) // count
    parts = [TONE[at : at + step].tobytes() for at in range(0, step * count, step)]
    return [(header or wav_header(size=len(part))) + part for part in parts]


@pytest.mark.parametrize("places", [[], [3], [50, 51, 900], list(range(0, 1000, 7))], ids=str)
@pytest.mark.parametrize("live", [False, True])
async def test_every_message_a_wav_of_its_own(places: list[int], live: bool) -> None:
    (leg,) = await decode(cut(b"".join(messages(4)), places), live=live)
    assert np.array_equal(leg, FLOAT)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF - 36, 0x80000000])
async def test_every_message_begins_with_the_header_of_a_stream(size: int) -> None:
    (leg,) = await decode(messages(4, wav_header(size=size)), live=True)
    assert np.array_equal(leg, FLOAT)


@pytest.mark.parametrize("piece", [1, 5, 400, 10_000])
async def test_a_true_size_in_the_first_header_and_more_sound_behind_it(piece: int) -> None:
    data = wav_header(size=400) + TONE.tobytes()
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    (leg,) = await decode(pieces, live=True)
    assert np.array_equal(leg, FLOAT)


@pytest.mark.parametrize("live", [False, True])
async def test_last_chunks_are_no_sound_and_a_wav_may_follow_them(live: bool) -> None:
    half = len(TONE) // 2
    first, second = TONE[:half].tobytes(), TONE[half:].tobytes()
    notes = chunk(b"LIST", bytes(range(256)) * 3) + chunk(b"id3 ", b"odd")
    data = wav_header(size=len(first)) + first + notes + wav_header(size=len(second)) + second
    (leg,) = await decode(data, live=live)
    assert np.array_equal(leg, FLOAT)


async def test_another_header_that_says_something_else_is_refused() -> None:
    with pytest.raises(InvalidAudio, match="other samples than the first"):
        await decode(messages(2)[0] + messages(2, wav_header(rate_hz=8000))[0], live=True)


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0x7FFFFFFF - 36, 0x7FFFF000, 0x80000000, 0xFFFFFFDB])
async def test_a_size_that_is_none_promises_nothing(size: int) -> None:
    decoder = AudioDecoder(AudioFormat(), live=False, max_duration_s=60)
    await decoder.feed(wav_header(size=size) + TONE.tobytes())
    await tail_of(decoder)
    assert not decoder.cut_short


async def test_a_header_of_many_chunks_in_single_bytes_is_read_once() -> None:
    """Looked at from the start each time, it would take many minutes."""
    decoder = AudioDecoder(AudioFormat(), live=True, max_duration_s=60)
    header = wav_header(before=chunk(b"JUNK", b"") * 40_000)
    for at in range(len(header)):
        await decoder.feed(header[at : at + 1])
    legs = await decoder.feed(TONE.tobytes())
    assert len(legs) == 1


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("live", [False, True])
async def test_messages_of_odd_sizes_bring_their_pad_byte(live: bool, together: bool) -> None:
    codes = [NOISE_CODES[at : at + 131].tobytes() for at in range(0, 131 * 6, 131)]
    sent = [wav_header(6, rate_hz=16000, bits=8, size=131) + each + b"\0" for each in codes]
    (leg,) = await decode(b"".join(sent) if together else sent, live=live)
    assert np.array_equal(leg, g711.ALAW[NOISE_CODES[: 131 * 6]])


async def test_a_pad_byte_before_the_last_chunks_is_no_sound() -> None:
    codes = NOISE_CODES[:131].tobytes()
    data = wav_header(6, rate_hz=16000, bits=8, size=131) + codes + b"\0"
    (leg,) = await decode(data + chunk(b"LIST", bytes(range(256)) * 40), live=True)
    assert np.array_equal(leg, g711.ALAW[NOISE_CODES[:131]])
