"""CTranslate2 Whisper over batches of different requests.

One encoder pass per window serves language, text, alignment and retries. Windows of one length
whose prompts begin alike are decoded together; each is answered exactly as if it had come alone.
What fails its checks at its own length is heard once more as the weights were trained, at full
length, and decoded with more care.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np

from inference.answering import Handler, Model
from inference.asr import quality
from inference.asr.decoder import Decoder
from inference.asr.encoder import Encoder, rows
from inference.asr.features import LogMel
from inference.asr.hearing import Hearing, encoded_of, grouped, shared_out
from inference.asr.padding import Padding
from inference.asr.prompt import Prompter
from inference.asr.quality import Decoding
from inference.asr.tokenizer import WhisperTokenizer
from inference.asr.words import without_loop, without_phantoms
from inference.bundles import WHISPER, BundleInvalid, verify
from inference.tensors import (
    SAMPLE_RATE_HZ,
    Hypothesis,
    InvalidQuestion,
    ModelCard,
    Question,
    Window,
)

KIND = WHISPER
MAX_MARGIN_S = 30.0
SILENT_PEAK = 1e-4  # -80 dBFS: nothing was said, whatever a decoder would make of it
# What a window that fails its checks at full length too is decoded with: (beam, temperature).
CAREFULLY = (5, 0.0)
RETRIES = (CAREFULLY, (1, 0.4), (1, 0.8))
ON_GPU = 1 << 10  # windows that share an encoder pass there: all of a batch

Step = Callable[[list[Hearing]], None]


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
        lanes: int = 1,
        compute_type: str = "default",
    ) -> None:
        """Verify and load.

        Args:
            folder: a bundle.
            device: "cpu" or "cuda".
            device_index: which GPU.
            threads: of each lane, on a CPU; 0: CTranslate2's choice.
            lanes: groups of windows worked on at once, over the same weights.
            compute_type: CTranslate2's.

        Raises:
            BundleInvalid: names the file at fault.
            ModelUnusable: this device cannot run it so.
        """
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
                inter_threads=lanes,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelUnusable(f"{folder} on {device} as {compute_type}: {error}") from error
        self._serving, self.device = self.manifest.serving, device
        tokenizer = WhisperTokenizer(folder / "tokenizer.json")
        mel = _log_mel(folder, self._model.n_mels, self._serving.window_s)
        self._padding = Padding(self._serving, mel)
        self._encoder = Encoder(self._model, mel, 1 if device == "cpu" else ON_GPU)
        self._decoder = Decoder(
            *(self._model, tokenizer, self._serving, self._padding), self.manifest.phantoms
        )
        multilingual = self._model.is_multilingual
        self._prompter = Prompter(tokenizer, multilingual, self.manifest.prompts)
        self._languages = self._known_languages(folder, tokenizer)
        self._identity = f"{self.manifest.name} {self.manifest.version}"
        self._lanes = lanes
        self._pool = ThreadPoolExecutor(lanes, thread_name_prefix="lane")

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
            joined_s=self._serving.joined_s,
            description=m.description,
            device=self.device,
            compute_type=self._model.compute_type,
            lanes=self._lanes,
            notice=m.notice,
        )

    def handlers(self) -> Mapping[type[Question[Any]], Handler]:
        return {Window: self.listen}

    def listen(self, windows: Sequence[Window]) -> list[Hypothesis | InvalidQuestion]:
        """Answer each window, in order; one that cannot be served costs the others nothing."""
        quick = [self._quick(window) for window in windows]
        heard = [
            Hearing(window, self._padding.samples(window))
            for window, answer in zip(windows, quick, strict=True)
            if answer is None
        ]
        self._share_out(heard, self._hear)
        faulty = [h for h in heard if self._is_faulty(h)]
        doubtful = [h for h in faulty if h.decoded.fault == quality.DOUBTFUL]
        self._share_out(doubtful, self._hear_with_care)
        self._share_out([h for h in faulty if h not in doubtful], self._hear_again)
        told = iter([self._told(hearing, len(windows)) for hearing in heard])
        return [answer or next(told) for answer in quick]

    def fit(self, window: Window, texts: Sequence[str]) -> list[float]:
        """How well each text fits what is heard: mean log likelihood of its tokens, natural.

        A text of no tokens fits nothing: minus infinity.
        """
        hearing = Hearing(window, self._padding.samples(window))
        self._encode([hearing], hearing.samples)
        return self._decoder.fit(hearing, texts, self._encoder.mel.frames_per_s)

    # --- answers that need no model

    def _quick(self, window: Window) -> Hypothesis | InvalidQuestion | None:
        """Refusals and silence."""
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
        if window.margin_s is not None and not 0 <= window.margin_s <= MAX_MARGIN_S:
            return f"margin_s must be 0..{MAX_MARGIN_S:.0f}"
        return ""

    def _silence(self, language: str, no_speech: float = 1.0) -> Hypothesis:
        return Hypothesis(
            "", language, no_speech=no_speech, model=self._identity, demo=self.manifest.demo
        )

    # --- a batch

    def _share_out(self, hearings: list[Hearing], step: Step) -> None:
        """Work on all, those of one length and alike in prompt together, on all lanes at once."""
        parts = shared_out(grouped(hearings, self._likeness), self._lanes)
        for _ in self._pool.map(lambda part: self._safely(part, step), parts):
            pass

    def _likeness(self, hearing: Hearing) -> object:
        window = hearing.window
        # No language's prompt is longer than another's for want of its name.
        language = window.language or next(iter(self._languages), "")
        ask = self._prompter.ask(window, language, bare=hearing.bare)
        alike = self._decoder.alike(ask, window, window.beam_size)
        return hearing.samples, window.beam_size, window.temperature, alike

    def _safely(self, part: list[Hearing], step: Step) -> None:
        """One window that CTranslate2 cannot stand must not fail its neighbours."""
        begun = time.monotonic()
        try:
            step(part)
        except RuntimeError:
            if len(part) == 1:
                raise
            self._one_by_one(part, step)
        share_s = (time.monotonic() - begun) / len(part)
        for hearing in part:
            hearing.work_s += share_s

    def _one_by_one(self, part: list[Hearing], step: Step) -> None:
        """Raises RuntimeError if none of them can be heard: then it is not for the windows."""
        for hearing in part:
            try:
                step([hearing])
            except RuntimeError as error:
                hearing.error = f"the model cannot stand this window: {error}"
        if all(hearing.error for hearing in part):
            raise RuntimeError(part[0].error)

    def _hear(self, part: list[Hearing]) -> None:
        """As asked, at the windows' own length."""
        self._encode(part, part[0].samples)
        window = part[0].window
        for hearing, decoding in zip(
            part, self._decoder.decode(part, window.beam_size, window.temperature), strict=True
        ):
            hearing.decoding = decoding
        self._ask_bare(part)
        self._align([h for h in part if not self._is_faulty(h)])

    def _hear_with_care(self, part: list[Hearing]) -> None:
        """Unsure of its words: more silence would not help, nor would chance."""
        self._retry(part, *CAREFULLY)
        self._ask_bare(part)
        self._align(part)

    def _hear_again(self, part: list[Hearing]) -> None:
        """At full length, then with more care, keeping the best."""
        if part[0].samples < self._padding.full:
            self._encode(part, self._padding.full)
            window = part[0].window
            self._retry(part, window.beam_size, window.temperature)
            self._ask_bare(part)
        for beam, temperature in RETRIES:
            faulty = [h for h in part if self._is_faulty(h)]
            if faulty:
                self._retry(faulty, beam, temperature)
                self._ask_bare(faulty)
        self._align(part)

    def _encode(self, part: list[Hearing], samples: int) -> None:
        encoded = self._encoder.encode([hearing.window for hearing in part], samples)
        for hearing, output in zip(part, encoded, strict=True):
            hearing.samples, hearing.encoded = samples, output
        for hearing, language in zip(part, self._detect(part), strict=True):
            hearing.ask = self._prompter.ask(hearing.window, language, bare=hearing.bare)

    def _detect(self, part: list[Hearing]) -> list[str]:
        """Each window's language; asks the model only for those that name none."""
        languages = [h.window.language or (h.ask.language if h.ask else "") for h in part]
        unknown = [i for i, language in enumerate(languages) if not language]
        if not unknown:
            return languages
        if not self._model.is_multilingual or len(self._languages) == 1:
            return [code or self._languages[0] for code in languages]
        ranked = self._model.detect_language(rows(encoded_of(part[i] for i in unknown)))
        for index, candidates in zip(unknown, ranked, strict=True):
            codes = (token.strip("<|>") for token, _ in candidates)
            languages[index] = next(c for c in codes if c in self._languages)
        return languages

    def _retry(self, part: list[Hearing], beam: int, temperature: float) -> None:
        for hearing, decoding in zip(
            part, self._decoder.decode(part, beam, temperature), strict=True
        ):
            hearing.retries += 1
            hearing.decoding = quality.better(hearing.decoded, decoding)

    def _ask_bare(self, part: list[Hearing]) -> None:
        """Prompts can silence a model, or be repeated: asked again without them."""
        spoilt = [hearing for hearing in part if self._is_spoilt(hearing)]
        if not spoilt:
            return
        for hearing in spoilt:
            hearing.bare = True
            hearing.ask = self._prompter.ask(hearing.window, hearing.asked.language, bare=True)
            # Whatever is said bare is better than an echo.
            hearing.decoding = replace(hearing.decoded, text="", tokens=(), fault=quality.ECHO)
        self._retry(spoilt, spoilt[0].window.beam_size, spoilt[0].window.temperature)

    def _is_spoilt(self, hearing: Hearing) -> bool:
        language, decoding = hearing.asked.language, hearing.decoded
        if hearing.bare:
            return False
        if self._prompter.echoed(decoding.text, hearing.window, language):
            return True
        return decoding.fault == quality.EMPTY and self._prompter.is_prompted(
            hearing.window, language
        )

    def _is_faulty(self, hearing: Hearing) -> bool:
        if hearing.error or not hearing.window.retries:
            return False
        return hearing.decoded.fault is not None

    def _align(self, part: list[Hearing]) -> None:
        spoken = [
            h
            for h in part
            if h.window.word_times and h.decoded.tokens and not self._is_silent(h.decoded)
        ]
        if spoken:
            self._decoder.align(spoken, self._encoder.mel.frames_per_s)

    def _is_silent(self, decoding: Decoding) -> bool:
        return quality.is_silence(decoding, self._serving)

    # --- answers

    def _told(self, hearing: Hearing, batch: int) -> Hypothesis | InvalidQuestion:
        return InvalidQuestion(hearing.error) if hearing.error else self._hypothesis(hearing, batch)

    def _hypothesis(self, hearing: Hearing, batch: int) -> Hypothesis:
        decoding, work_s = hearing.decoded, hearing.work_s
        language, retries = hearing.asked.language, hearing.retries
        if self._is_silent(decoding):
            silence = self._silence(language, decoding.no_speech)
            return replace(silence, retries=retries, batch=batch, work_s=work_s)
        text, words = without_loop(decoding.text, hearing.words)
        text, words = without_phantoms(text, words, self.manifest.phantoms)
        return Hypothesis(
            text=text,
            language=language,
            words=words,
            confidence=round(math.exp(min(0.0, decoding.logprob)), 4),
            no_speech=round(decoding.no_speech, 4),
            compression_ratio=round(quality.compression_ratio(text), 3),
            temperature=decoding.temperature,
            retries=retries,
            model=self._identity,
            demo=self.manifest.demo,
            batch=batch,
            work_s=work_s,
        )

    def _known_languages(self, folder: Path, tokenizer: WhisperTokenizer) -> tuple[str, ...]:
        if self.manifest.languages:
            return self.manifest.languages
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        ids = set(config.get("lang_ids") or ())
        if not self._model.is_multilingual or not ids:
            return ("en",)
        return tuple(sorted(tokenizer.codes(ids)))


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
