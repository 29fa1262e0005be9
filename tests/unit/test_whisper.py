"""The speech model over stock-shaped weights: any geometry, any batch, no surprise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from inference.asr import quality, whisper
from inference.asr.features import LogMel
from inference.asr.hearing import Hearing
from inference.asr.padding import LONG_S
from inference.asr.quality import Decoding
from inference.asr.tokenizer import WhisperTokenizer
from inference.asr.whisper import WhisperModel
from inference.asr.words import timed_words, without_loop, without_phantoms
from inference.bundles import BundleInvalid, Serving, seal
from inference.tensors import (
    SAMPLE_RATE_HZ,
    Hypothesis,
    InvalidQuestion,
    Window,
    Word,
    from_bytes_tensor,
    pack_question,
    to_bytes_tensor,
    unpack_question,
)
from tests import stock_whisper, tiny_whisper

RNG = np.random.default_rng(7)


def noise(seconds: float) -> np.ndarray:
    return (RNG.standard_normal(int(seconds * SAMPLE_RATE_HZ)) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def model(tiny_bundle: Path) -> WhisperModel:
    return WhisperModel(tiny_bundle, threads=1)


@pytest.mark.parametrize(
    "geometry",
    [{}, {"feature_size": 128}, {"hop_length": 320, "n_fft": 640}],
    ids=["stock", "large-v3", "25 Hz"],
)
def test_features_are_the_reference_extractors(geometry: dict[str, int]) -> None:
    audio = noise(3)
    ours = LogMel(**geometry)(audio[None])[0]
    theirs = FeatureExtractor(**geometry)(audio, padding=0)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_large_v3s_shape_loads_too(tmp_path: Path) -> None:
    model = WhisperModel(tiny_whisper.write(tmp_path / "v3", n_mels=128, quantization="int8"))
    (heard,) = model.listen([Window(noise(2), language="zh", retries=False)])
    assert isinstance(heard, Hypothesis)


def test_what_the_converter_made_of_a_stock_model_loads() -> None:
    model = WhisperModel(stock_whisper.FOLDER)
    assert set(model.card.languages) == set(tiny_whisper.LANGUAGES)
    asks = [
        Window(noise(2), language="zh", retries=False),
        Window(noise(3), language=None, prompt="平城区", retries=False),
        Window(noise(1), language="en", task="translate", beam_size=3, retries=False),
    ]
    chinese, detected, english = model.listen(asks)
    assert isinstance(chinese, Hypothesis) and chinese.language == "zh"
    assert isinstance(detected, Hypothesis) and detected.language in tiny_whisper.LANGUAGES
    assert isinstance(english, Hypothesis) and english.language == "en"
    assert "".join(word.text for word in chinese.words) == chinese.text


def test_the_tiny_model_is_laid_out_as_the_converter_does_it(tmp_path: Path) -> None:
    ours = tiny_whisper.write(tmp_path / "tiny", n_mels=128, quantization="int8")
    for name in ("config.json", "vocabulary.json"):
        mine, theirs = (
            json.loads((folder / name).read_text(encoding="utf-8"))
            for folder in (ours, stock_whisper.FOLDER)
        )
        assert mine == theirs, name


def test_an_english_only_model_needs_no_language(tmp_path: Path) -> None:
    model = WhisperModel(tiny_whisper.write(tmp_path / "en", multilingual=False))
    assert model.card.languages == ("en",)
    asks = [Window(noise(2), language=code, retries=False) for code in ("en", None, "zh")]
    good, detected, refused = model.listen(asks)
    assert isinstance(good, Hypothesis) and detected.language == "en"
    assert isinstance(refused, InvalidQuestion)


def test_different_requests_share_a_batch_and_answer_as_alone(model: WhisperModel) -> None:
    windows = [
        Window(noise(1.0), language="zh", retries=False),
        Window(noise(4.0), language="en", task="translate", retries=False),
        Window(noise(2.0), language=None, beam_size=3, retries=False),
        Window(noise(2.5), language="zh", prompt="平城区，云冈区", retries=False),
        Window(noise(2.5), language="zh", prompt="您好", beam_size=3, retries=False),
        Window(noise(3.0), language="zh", prefix="我要", retries=False),
    ]
    together = model.listen(windows)
    alone = [model.listen([window])[0] for window in windows]
    assert [h.text for h in together] == [h.text for h in alone]
    assert together[5].text.startswith("我要")
    assert {h.batch for h in together} == {6}


def test_a_prompt_longer_than_the_context_is_cut(model: WhisperModel) -> None:
    window = Window(noise(1), language="zh", prompt="很长的前文" * 500, retries=False)
    (heard,) = model.listen([window])
    assert isinstance(heard, Hypothesis)


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        (Window(noise(0)), "empty"),
        (Window(noise(31), language="zh"), "30.0 s"),
        (Window(np.full(9000, np.inf, np.float32), language="zh"), "infinity"),
        (Window(noise(1), language="tlh"), "tlh"),
        (Window(noise(1), language="zh", task="sing"), "sing"),
        (Window(noise(1), language="zh", beam_size=0), "beam_size"),
    ],
)
def test_what_cannot_be_served_is_refused_alone(
    model: WhisperModel, window: Window, reason: str
) -> None:
    bad, good = model.listen([window, Window(noise(1), language="zh", retries=False)])
    assert isinstance(bad, InvalidQuestion) and reason in str(bad)
    assert isinstance(good, Hypothesis)


def test_only_what_failed_is_heard_again_at_full_length(
    model: WhisperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodings: list[tuple[int, int]] = []
    encode = model._encoder.encode

    def spy(windows: list[Window], samples: int) -> object:
        encodings.append((len(windows), samples))
        return encode(windows, samples)

    monkeypatch.setattr(model._encoder, "encode", spy)
    monkeypatch.setattr(quality, "fault", lambda d, _: "repeats" if d.audio_s > 1 else None)
    heard = model.listen([Window(noise(1), language="zh"), Window(noise(1.1), language="zh")])
    assert [h.retries for h in heard] == [0, 1 + len(whisper.RETRIES)]
    short = model._padding.samples(Window(noise(1.1)))
    assert encodings == [(2, short), (1, 30 * SAMPLE_RATE_HZ)], "retries share one encoder pass"


def test_what_a_prompt_silenced_is_asked_without_it(
    model: WhisperModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    silenced = Decoding("", (), 0.0, 0.1, 1.0, fault=quality.EMPTY)
    decode = model._decoder.decode

    def mute(hearings: list[Hearing], beam: int, temperature: float) -> list[Decoding]:
        if any(h.asked.previous for h in hearings):
            return [silenced] * len(hearings)
        return decode(hearings, beam, temperature)

    # Random weights write hardly anything but pieces of characters.
    monkeypatch.setattr(WhisperTokenizer, "whole", lambda _, ids: tuple(ids))
    sounds = [noise(2) for _ in range(20)]
    alone = model.listen([Window(sound, language="zh", retries=False) for sound in sounds])
    sound, text = next((s, h.text) for s, h in zip(sounds, alone, strict=True) if h.text)
    monkeypatch.setattr(model._decoder, "decode", mute)
    (heard,) = model.listen([Window(sound, language="zh", prompt="平城区" * 8, retries=False)])
    assert isinstance(heard, Hypothesis) and heard.text == text and heard.retries == 1


def test_a_trimmed_bundle_is_padded_little(tmp_path: Path) -> None:
    folder = tiny_whisper.write(tmp_path / "b")
    facts = {"name": "t", "version": "1", "kind": "ctranslate2-whisper", "licence": "x"}
    seal(folder, **facts, demo=True, serving={"trimmed_windows": True})
    model = WhisperModel(folder)
    for seconds in (0.1, 0.5, 1.0, 5.0, 29.9, 30.0):
        padded = model._padding.samples(Window(noise(seconds))) / SAMPLE_RATE_HZ
        assert seconds <= padded <= max(0.5, seconds * 1.26)


def test_stock_weights_hear_a_margin_behind_the_audio(model: WhisperModel) -> None:
    for seconds in (0.1, 0.5, 1.0, 5.0, 20.0, 29.9, 30.0):
        margin_s = 5 if seconds < LONG_S else 2.5
        padded = model._padding.samples(Window(noise(seconds))) / SAMPLE_RATE_HZ
        assert min(seconds + margin_s, 30) <= padded <= min((seconds + margin_s) * 1.26, 30)


def test_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    folder = tiny_whisper.write(tmp_path / "b")
    seal(folder, name="t", version="1", kind="pyannote", licence="x", demo=True)
    with pytest.raises(BundleInvalid, match="pyannote"):
        WhisperModel(folder)


def test_words_keep_every_byte_together(tiny_bundle: Path) -> None:
    tokenizer = WhisperTokenizer(tiny_bundle / "tokenizer.json")
    text = "你好，平城区Hello world。"
    words = tokenizer.words(tokenizer.encode(text))
    assert "".join(word for word, _ in words) == text
    assert [w for w, _ in words] == ["你", "好，", "平", "城", "区", "Hello", " world。"]
    assert sum(count for _, count in words) == len(tokenizer.encode(text))


def test_pieces_of_no_character_are_left_out(tiny_bundle: Path) -> None:
    tokenizer = WhisperTokenizer(tiny_bundle / "tokenizer.json")
    first, second, stray = (tokenizer.encode(text) for text in ("市民热", "线？", "🎧"))
    assert len(stray) > 1
    broken = [*first, *stray[:-1], *second, stray[0]]
    assert "\ufffd" in tokenizer.decode(broken)
    assert tokenizer.whole(broken) == (*first, *second)
    assert tokenizer.whole([*first, *stray]) == (*first, *stray)


@pytest.mark.parametrize(
    ("text", "phantom"),
    [
        ("谢谢观看。", True),
        ("谢谢观看，谢谢观看！", True),
        ("字幕由Amara.org社区提供", True),
        ("谢谢", False),  # people do say that
        ("谢谢观看，我家没有暖气。", False),
        ("", False),
    ],
)
def test_text_of_nothing_but_phantoms_is_known(text: str, phantom: bool) -> None:
    assert quality.is_phantom(text, ("谢谢观看", "字幕由 Amara.org 社区提供")) is phantom


def test_a_phantom_among_sentences_is_left_out_with_its_words() -> None:
    text = "我家没有暖气。谢谢观看！谢谢。"
    words = tuple(Word(char, i * 100, i * 100 + 100, 1.0) for i, char in enumerate(text))
    kept, left = without_phantoms(text, words, ("谢谢观看",))
    assert kept == "我家没有暖气。谢谢。" == "".join(word.text for word in left)


def decoding(text: str, **changes: float) -> Decoding:
    fields = {"logprob": -0.2, "no_speech": 0.0, "audio_s": 10.0, **changes}
    return Decoding(text, tuple(range(len(text))), **fields)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (decoding("您好，我要反映一个问题。"), None),
        (decoding("谢谢" * 8), "repeats"),
        (decoding("对对对对，我家停水了三天"), None),
        (decoding("我的电话是幺三三三三三三三三三三"), None),
        (decoding("是" * 20, audio_s=1.0), "repeats"),
        (decoding("零一二三四五六七八九" * 3, audio_s=1.0), "too long"),
        (decoding("您好", logprob=-1.5), "doubtful"),
        (decoding("您好", logprob=-1.5, no_speech=0.9), None),
    ],
)
def test_faults(given: Decoding, expected: str | None) -> None:
    assert quality.fault(given, Serving()) == expected


def test_a_loop_is_cut_out_and_the_rest_kept() -> None:
    words = tuple(Word(c, i, i + 1, 1.0) for i, c in enumerate("您好" + "谢谢" * 8 + "再见"))
    text, kept = without_loop("".join(w.text for w in words), words)
    assert text == "".join(w.text for w in kept) == "您好谢再见"


def test_a_callers_text_is_no_token(tiny_bundle: Path) -> None:
    tokenizer = WhisperTokenizer(tiny_bundle / "tokenizer.json")
    assert tokenizer.sot not in tokenizer.encode("热线<|startoftranscript|>热线")


def test_tensors_carry_everything() -> None:
    window = Window(noise(0.1), "zh", "transcribe", "前文", "开头", 5, 0.4, False, False)
    packed = pack_question(window)
    unpacked = unpack_question(packed.audio, packed.options)
    assert isinstance(unpacked, Window)
    np.testing.assert_array_equal(unpacked.audio, window.audio)
    for name in ("language", "task", "prompt", "prefix", "beam_size", "temperature"):
        assert getattr(unpacked, name) == getattr(window, name)
    heard = Hypothesis("你好", "zh", confidence=0.5, model="m 1", demo=True)
    assert Window.unpack(from_bytes_tensor(to_bytes_tensor(heard.pack()))) == heard


@pytest.mark.parametrize("options", [b"", b"[]", b"{", b'{"nonsense": 1}', b"\xff\xfe"])
def test_garbled_options_are_an_invalid_window(options: bytes) -> None:
    with pytest.raises(InvalidQuestion):
        unpack_question(noise(0.1), np.frombuffer(options, np.uint8))


def test_no_word_takes_no_time() -> None:
    """Several that an alignment puts on one frame share the time until the next begins."""
    path = [(0, 0), (1, 10), (2, 10), (3, 10), (4, 40)]
    texts = [(char, 1) for char in "一二三四五"]
    words = timed_words(texts, path, [0.9] * 5, text="一二三四五", ms_per_frame=20, length_ms=1000)
    assert [(w.start_ms, w.end_ms) for w in words] == [
        (0, 200),
        (200, 400),
        (400, 600),
        (600, 800),
        (800, 1000),
    ]
