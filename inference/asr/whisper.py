"""CTranslate2 Whisper over batches of different requests.

One encoder pass per window serves language, text, alignment and retries. CTranslate2 asks that
all prompts of a batch have <|startoftranscript|> at the same index and share beam and temperature
(whisper.cc), so windows are encoded together by length and decoded together by prompt length and
beam; each is answered exactly as if it had come alone.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import ctranslate2
import numpy as np
from numpy.typing import NDArray

from inference.answering import Handler, Model
from inference.asr import quality
from inference.asr.features import LogMel
from inference.asr.padding import buckets, ladder_s
from inference.asr.prompt import Ask, make_ask
from inference.asr.quality import Decoding
from inference.asr.tokenizer import WhisperTokenizer
from inference.asr.words import timed_words, without_loop
from inference.bundles import BundleInvalid, verify
from inference.tensors import (
    SAMPLE_RATE_HZ,
    Hypothesis,
    InvalidQuestion,
    ModelCard,
    Question,
    Window,
    Word,
)

KIND = "ctranslate2-whisper"
MAX_CONTEXT = 448  # tokens, prompt and text together
SILENT_PEAK = 1e-4  # -80 dBFS: nothing was said, whatever a decoder would make of it
MIN_ALIGN_FRAMES = 4
# What a window that failed its checks is decoded with next: (beam, temperature).
RETRIES = ((5, 0.0), (1, 0.4), (1, 0.8))

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


class ModelUnusable(RuntimeError):
    """The bundle is whole, but this device, or this build, cannot run it."""


class WhisperModel(Model):
    """One set of weights on one device. Immutable: holds nothing between two calls of `listen`."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "cpu",
        device_index: int = 0,
        threads: int = 0,
        compute_type: str = "default",
    ) -> None:
        """Verify and load; raises BundleInvalid naming the file at fault, or ModelUnusable."""
        self.manifest = verify(folder)
        if self.manifest.kind != KIND:
            raise BundleInvalid(f"{folder}: a {self.manifest.kind} bundle is no {KIND}")
        try:
            self._model = ctranslate2.models.Whisper(
                str(folder),
                device=device,
                device_index=device_index,
                compute_type=compute_type,
                intra_threads=threads,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelUnusable(f"{folder} on {device} as {compute_type}: {error}") from error
        self._tokenizer = WhisperTokenizer(folder / "tokenizer.json")
        self._mel = _log_mel(folder, self._model.n_mels, self.manifest.serving.window_s)
        self._serving = self.manifest.serving
        self._ladder_s = ladder_s(self._serving.window_s)
        self._buckets = buckets(self._serving, self._ladder_s, self._mel)
        self.device = device
        self._languages = self._known_languages(folder)
        self._identity = f"{self.manifest.name} {self.manifest.version}"

    @property
    def card(self) -> ModelCard:
        m = self.manifest
        return ModelCard(
            name=m.name,
            version=m.version,
            licence=m.licence,
            demo=m.demo,
            languages=self._languages,
            tasks=m.tasks,
            window_s=self._serving.window_s,
            description=m.description,
            device=self.device,
        )

    def handlers(self) -> Mapping[type[Question[Any]], Handler]:
        return {Window: self.listen}

    def listen(self, windows: Sequence[Window]) -> list[Hypothesis | InvalidQuestion]:
        """Answer each window, in order; one that cannot be served costs the others nothing."""
        answers: list[Hypothesis | InvalidQuestion | None] = [self._quick(w) for w in windows]
        waiting = [i for i, answer in enumerate(answers) if answer is None]
        for bucket, indices in grouped(waiting, lambda i: self._bucket(windows[i])):
            heard = self._listen_safely(bucket, [windows[i] for i in indices])
            for index, hypothesis in zip(indices, heard, strict=True):
                answers[index] = replace(hypothesis, batch=len(indices))
        return [answer for answer in answers if answer is not None]

    def _listen_safely(self, bucket: int, windows: list[Window]) -> list[Hypothesis]:
        """One window that CTranslate2 cannot stand must not fail its neighbours."""
        try:
            return self._listen_bucket(bucket, windows)
        except RuntimeError:
            if len(windows) == 1:
                raise
            return [self._listen_bucket(bucket, [window])[0] for window in windows]

    def _quick(self, window: Window) -> Hypothesis | InvalidQuestion | None:
        """Answers that need no model: refusals and silence."""
        refusal = self._refusal(window)
        if refusal:
            return InvalidQuestion(refusal)
        if float(np.max(np.abs(window.audio))) < SILENT_PEAK:
            return self._silence(window.language or next(iter(self._languages), ""))
        return None

    def _refusal(self, window: Window) -> str:
        samples = len(window.audio)
        if not samples:
            return "the audio is empty"
        if samples > self._serving.window_s * SAMPLE_RATE_HZ:
            return f"{window.duration_s:.1f} s of audio; the model takes {self._serving.window_s} s"
        if not np.isfinite(window.audio).all():
            return "the audio holds NaN or infinity"
        if window.language is not None and window.language not in self._languages:
            return f"language {window.language!r} is not one of {', '.join(self._languages)}"
        if window.task not in self.manifest.tasks:
            return f"task {window.task!r}: this model can only {', '.join(self.manifest.tasks)}"
        if not 1 <= window.beam_size <= 16 or not 0 <= window.temperature <= 1:
            return "beam_size must be 1..16 and temperature 0..1"
        return ""

    def _silence(self, language: str, no_speech: float = 1.0) -> Hypothesis:
        return Hypothesis(
            "", language, no_speech=no_speech, model=self._identity, demo=self.manifest.demo
        )

    def _bucket(self, window: Window) -> int:
        """Samples a window is padded to."""
        return next(size for size in self._buckets if size >= len(window.audio))

    def _listen_bucket(self, samples: int, windows: list[Window]) -> list[Hypothesis]:
        encoded = self._encode(samples, windows)
        languages = self._detect(encoded, windows)
        asks = [
            make_ask(i, w, languages[i], self._tokenizer, multilingual=self._model.is_multilingual)
            for i, w in enumerate(windows)
        ]
        decodings: dict[int, Decoding] = {}
        retries = dict.fromkeys(range(len(asks)), 0)
        for (beam, temperature), group in grouped(
            asks, lambda a: (a.window.beam_size, a.window.temperature)
        ):
            decodings.update(self._decode(encoded, group, beam, temperature))
        self._retry(encoded, asks, decodings, retries)
        words = self._align(encoded, asks, decodings)
        return [
            self._hypothesis(
                ask, decodings[ask.index], words.get(ask.index, ()), retries[ask.index]
            )
            for ask in asks
        ]

    def _encode(self, samples: int, windows: list[Window]) -> Any:
        """[b, n_mels, T] -> encoder output [b, T // 2, d_model] on the model's device."""
        batch = np.zeros((len(windows), samples), np.float32)
        for row, window in zip(batch, windows, strict=True):
            row[: len(window.audio)] = window.audio
        features = ctranslate2.StorageView.from_array(self._mel(batch))
        return self._model.encode(features)

    def _detect(self, encoded: Any, windows: list[Window]) -> list[str]:
        """Each window's language; asks the model only for those that name none."""
        unknown = [i for i, w in enumerate(windows) if w.language is None]
        languages = [w.language or "" for w in windows]
        if not unknown:
            return languages
        if not self._model.is_multilingual or len(self._languages) == 1:
            return [code or self._languages[0] for code in languages]
        ranked = self._model.detect_language(_rows(encoded, unknown))
        for index, candidates in zip(unknown, ranked, strict=True):
            codes = (token.strip("<|>") for token, _ in candidates)
            languages[index] = next(c for c in codes if c in self._languages)
        return languages

    def _decode(
        self, encoded: Any, asks: Sequence[Ask], beam: int, temperature: float
    ) -> dict[int, Decoding]:
        """Decode asks, together where their prompts begin alike; returns by index.

        Beam search looks ahead to its length cap, so windows of one batch must share it too.
        """
        decodings: dict[int, Decoding] = {}
        alike = grouped(
            asks,
            lambda a: (len(a.previous), len(a.start), self._cap_s(a.window) if beam > 1 else 0),
        )
        for _, group in alike:
            decodings.update(self._decode_alike(encoded, group, beam, temperature))
        return decodings

    def _cap_s(self, window: Window) -> float:
        """The length a window's cap on tokens is reckoned from, in steps."""
        return next(s for s in self._ladder_s if s >= window.duration_s)

    def _decode_alike(
        self, encoded: Any, asks: Sequence[Ask], beam: int, temperature: float
    ) -> dict[int, Decoding]:
        cap = max(quality.max_tokens(self._cap_s(a.window), self._serving) for a in asks)
        longest_prompt = max(len(a.prompt) for a in asks)
        results = self._model.generate(
            _rows(encoded, [a.index for a in asks]),
            [a.prompt for a in asks],
            beam_size=1 if temperature else beam,
            sampling_temperature=temperature or 1.0,
            sampling_topk=0 if temperature else 1,
            # CTranslate2 allows min(half of max_length, max_length - prompt) new tokens.
            max_length=min(MAX_CONTEXT, max(2 * cap, cap + longest_prompt)),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return {
            ask.index: self._decoding(ask, result, temperature)
            for ask, result in zip(asks, results, strict=True)
        }

    def _decoding(self, ask: Ask, result: Any, temperature: float) -> Decoding:
        # A batch shares one length cap; a short window's own cap holds all the same.
        own_cap = quality.max_tokens(self._cap_s(ask.window), self._serving)
        said = [t for t in result.sequences_ids[0][:own_cap] if t < self._tokenizer.eot]
        # `scores` is the mean over the text; the end token belongs to the count (as in OpenAI's).
        logprob = result.scores[0] * len(said) / (len(said) + 1)
        tokens = (*ask.prefix, *said)
        return Decoding(
            text=self._tokenizer.decode(tokens).strip(),
            tokens=tokens,
            logprob=logprob,
            no_speech=result.no_speech_prob,
            audio_s=ask.window.duration_s,
            temperature=temperature,
        )

    def _retry(
        self, encoded: Any, asks: Sequence[Ask], best: dict[int, Decoding], retries: dict[int, int]
    ) -> None:
        """Decode again, from the same encoder output, only what fails its checks; keep the best."""
        faulty = [
            a for a in asks if a.window.retries and quality.fault(best[a.index], self._serving)
        ]
        for beam, temperature in RETRIES:
            if not faulty:
                return
            for index, decoding in self._decode(encoded, faulty, beam, temperature).items():
                retries[index] += 1
                best[index] = self._better(best[index], decoding)
            faulty = [a for a in faulty if quality.fault(best[a.index], self._serving)]

    def _better(self, old: Decoding, new: Decoding) -> Decoding:
        old_fault, new_fault = (quality.fault(d, self._serving) for d in (old, new))
        if bool(old_fault) != bool(new_fault):
            return old if new_fault else new
        return max(old, new, key=lambda d: d.logprob)

    def _align(
        self, encoded: Any, asks: Sequence[Ask], decodings: dict[int, Decoding]
    ) -> dict[int, tuple[Word, ...]]:
        wanted = [
            a
            for a in asks
            if a.window.word_times
            and decodings[a.index].tokens
            and not self._silent(decodings[a.index])
        ]
        words: dict[int, tuple[Word, ...]] = {}
        for start, group in grouped(wanted, lambda a: a.start):
            results = self._model.align(
                _rows(encoded, [a.index for a in group]),
                list(start[:-1]),  # CTranslate2 adds <|notimestamps|> itself
                [list(decodings[a.index].tokens) for a in group],
                [self._frames(a.window) for a in group],
            )
            for ask, result in zip(group, results, strict=True):
                words[ask.index] = timed_words(
                    self._tokenizer.words(decodings[ask.index].tokens),
                    result.alignments,
                    result.text_token_probs,
                    ms_per_frame=2 * 1000 / self._mel.frames_per_s,
                    length_ms=int(ask.window.duration_s * 1000),
                )
        return words

    def _frames(self, window: Window) -> int:
        return max(MIN_ALIGN_FRAMES, int(window.duration_s * self._mel.frames_per_s))

    def _silent(self, decoding: Decoding) -> bool:
        return quality.is_silence(decoding, self._serving)

    def _hypothesis(
        self, ask: Ask, decoding: Decoding, words: tuple[Word, ...], retries: int
    ) -> Hypothesis:
        if self._silent(decoding):
            return replace(self._silence(ask.language, decoding.no_speech), retries=retries)
        text, words = without_loop(decoding.text, words)
        return Hypothesis(
            text=text,
            language=ask.language,
            words=words,
            confidence=round(math.exp(min(0.0, decoding.logprob)), 4),
            no_speech=round(decoding.no_speech, 4),
            compression_ratio=round(quality.compression_ratio(text), 3),
            temperature=decoding.temperature,
            retries=retries,
            model=self._identity,
            demo=self.manifest.demo,
        )

    def _known_languages(self, folder: Path) -> tuple[str, ...]:
        if self.manifest.languages:
            return self.manifest.languages
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        ids = set(config.get("lang_ids") or ())
        if not self._model.is_multilingual or not ids:
            return ("en",)
        return tuple(sorted(self._tokenizer.codes(ids)))


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> Iterable[tuple[Key, list[Item]]]:
    """Items by key, in order of first appearance."""
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups.items()


def _rows(encoded: Any, indices: Sequence[int]) -> Any:
    """Some rows of an encoder output; all of them cost nothing."""
    if list(indices) == list(range(encoded.shape[0])):
        return encoded
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    if on_cpu.dtype != ctranslate2.DataType.float32:  # numpy has no bfloat16
        on_cpu = on_cpu.to(ctranslate2.DataType.float32)
    rows: NDArray[np.float32] = np.ascontiguousarray(np.array(on_cpu)[list(indices)])
    return ctranslate2.StorageView.from_array(rows)


def _log_mel(folder: Path, n_mels: int, window_s: float) -> LogMel:
    path = folder / "preprocessor_config.json"
    if not path.exists():
        return LogMel(feature_size=n_mels)
    given = json.loads(path.read_text(encoding="utf-8"))
    fields = {
        k: given[k] for k in ("feature_size", "hop_length", "n_fft", "chunk_length") if k in given
    }
    mel = LogMel(**fields)
    if mel.feature_size != n_mels:
        raise BundleInvalid(f"{path}: {mel.feature_size} mel bands, the model has {n_mels}")
    if mel.chunk_length < window_s:
        raise BundleInvalid(
            f"{path}: windows of {mel.chunk_length} s, the manifest says {window_s}"
        )
    return mel
