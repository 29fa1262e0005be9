"""The tables are the standard's: known values, ffmpeg's, and an encoder's round trip."""

import av
import numpy as np
import pytest

from appliance.audio import g711
from appliance.audio.g711 import encode

TABLES = {"pcm_alaw": g711.ALAW_S16, "pcm_mulaw": g711.MULAW_S16}


@pytest.mark.parametrize(
    ("table", "code", "value"),
    [
        (g711.ALAW_S16, 0xD5, 8), (g711.ALAW_S16, 0x55, -8),
        (g711.ALAW_S16, 0xAA, 32256), (g711.ALAW_S16, 0x2A, -32256),
        (g711.MULAW_S16, 0xFF, 0), (g711.MULAW_S16, 0x7F, 0),
        (g711.MULAW_S16, 0x80, 32124), (g711.MULAW_S16, 0x00, -32124),
    ],
)  # fmt: skip
def test_known_values(table, code, value):
    assert table[code] == value


@pytest.mark.parametrize("codec", TABLES)
def test_every_code_as_ffmpeg_decodes_it(codec):
    decoder = av.CodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    (frame,) = decoder.decode(av.Packet(bytes(range(256))))
    assert np.array_equal(frame.to_ndarray()[0], TABLES[codec])


@pytest.mark.parametrize("codec", TABLES)
def test_encoding_a_decoded_code_gives_it_back(codec):
    encoder = av.CodecContext.create(codec, "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(TABLES[codec].reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 8000
    codes = np.frombuffer(b"".join(bytes(p) for p in encoder.encode(frame)), np.uint8)
    assert np.array_equal(TABLES[codec][codes], TABLES[codec])


@pytest.mark.parametrize("codec", TABLES)
def test_the_nearest_value_is_sent(codec):
    table = TABLES[codec] / np.float32(32768)
    assert np.array_equal(table[np.frombuffer(encode(table, table), np.uint8)], table)
    nearby = np.float32([0.0, 0.5, -0.5, 2.0, -2.0])
    heard = table[np.frombuffer(encode(nearby, table), np.uint8)]
    assert np.allclose(heard[:3], nearby[:3], atol=0.02) and abs(heard[3:]).min() > 0.97
