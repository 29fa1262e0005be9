"""Encoder output and prompts -> text, together where CTranslate2 lets windows share a batch.

It asks that all prompts of a batch have <|startoftranscript|> at the same index and share beam and
temperature (whisper.cc); beam search looks ahead to its length cap, so that is shared too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from inference.asr import quality
from inference.asr.encoder import rows
from inference.asr.hearing import Hearing, encoded_of, grouped
from inference.asr.padding import Padding
from inference.asr.prompt import PromptedAsk
from inference.asr.quality import Decoding
from inference.asr.script import mandarin
from inference.asr.tokenizer import WhisperTokenizer
from inference.asr.words import timed_words
from inference.bundles import Serving
from inference.tensors import Window, Word

MAX_CONTEXT = 448  # tokens, prompt and text together
MIN_ALIGN_FRAMES = 4
LEAST_LIKELY = 1e-9  # of a token


class Decoder:
    """Immutable: what it finds goes into the hearings."""

    def __init__(
        self,
        model: Any,
        tokenizer: WhisperTokenizer,
        serving: Serving,
        padding: Padding,
        phantoms: Sequence[str] = (),
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._serving, self._padding, self._phantoms = serving, padding, phantoms

    def alike(self, ask: PromptedAsk, window: Window, beam: int) -> Hashable:
        """What windows that are decoded together have in common."""
        cap_s = self._padding.step_s(window.duration_s) if beam > 1 else 0
        return len(ask.previous), len(ask.start), cap_s

    def decode(self, hearings: Sequence[Hearing], beam: int, temperature: float) -> list[Decoding]:
        """In order, for hearings padded to one length."""
        found: dict[Hearing, Decoding] = {}
        for group in grouped(hearings, lambda h: self.alike(h.asked, h.window, beam)):
            found.update(zip(group, self._decode_alike(group, beam, temperature), strict=True))
        return [found[hearing] for hearing in hearings]

    def _decode_alike(
        self, group: Sequence[Hearing], beam: int, temperature: float
    ) -> list[Decoding]:
        cap = max(self._max_tokens(h.window) for h in group)
        longest_prompt = max(len(h.asked.prompt) for h in group)
        results = self._model.generate(
            rows(encoded_of(group)),
            [h.asked.prompt for h in group],
            beam_size=1 if temperature else beam,
            sampling_temperature=temperature or 1.0,
            sampling_topk=0 if temperature else 1,
            # CTranslate2 allows min(half of max_length, max_length - prompt) new tokens.
            max_length=min(MAX_CONTEXT, max(2 * cap, cap + longest_prompt)),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [
            self._decoding(hearing, result, temperature)
            for hearing, result in zip(group, results, strict=True)
        ]

    def _max_tokens(self, window: Window) -> int:
        return quality.max_tokens(self._padding.step_s(window.duration_s), self._serving)

    def _decoding(self, hearing: Hearing, result: Any, temperature: float) -> Decoding:
        # A batch shares one length cap; a short window's own cap holds all the same.
        own_cap = self._max_tokens(hearing.window)
        said = [t for t in result.sequences_ids[0][:own_cap] if t < self._tokenizer.eot]
        # `scores` is the mean over the text; the end token belongs to the count (as in OpenAI's).
        logprob = result.scores[0] * len(said) / (len(said) + 1)
        kept = tuple(said) if self._serving.forced_length else self._tokenizer.whole(said)
        text = mandarin(self._tokenizer.decode(kept).strip(), hearing.asked.language)
        phantom = quality.is_phantom(text, self._phantoms)
        decoding = Decoding(
            text="" if phantom else text,
            tokens=() if phantom else kept,  # a forced beginning is among them
            logprob=logprob,
            no_speech=1.0 if phantom else result.no_speech_prob,
            audio_s=hearing.window.duration_s,
            temperature=temperature,
        )
        judged = decoding if phantom else replace(decoding, tokens=tuple(said))
        return replace(decoding, fault=quality.fault(judged, self._serving))

    def align(self, hearings: Sequence[Hearing], frames_per_s: float) -> None:
        """Give each the times of its words; for hearings padded to one length."""
        for group in grouped(hearings, lambda h: h.asked.start):
            results = self._model.align(
                rows(encoded_of(group)),
                list(group[0].asked.start[:-1]),  # CTranslate2 adds <|notimestamps|> itself
                [list(h.decoded.tokens) for h in group],
                [max(MIN_ALIGN_FRAMES, int(h.window.duration_s * frames_per_s)) for h in group],
            )
            for hearing, result in zip(group, results, strict=True):
                hearing.words = self._words(hearing, result, frames_per_s)

    def fit(self, hearing: Hearing, texts: Sequence[str], frames_per_s: float) -> list[float]:
        """Mean log likelihood of each text's tokens in what was encoded."""
        frames = max(MIN_ALIGN_FRAMES, int(hearing.window.duration_s * frames_per_s))
        results = self._model.align(
            rows(encoded_of([hearing] * len(texts))),
            list(hearing.asked.start[:-1]),
            [self._tokenizer.encode(text) for text in texts],
            [frames] * len(texts),
        )
        probable = (np.maximum(result.text_token_probs, LEAST_LIKELY) for result in results)
        return [float(np.log(p).mean()) if len(p) else -np.inf for p in probable]

    def _words(self, hearing: Hearing, result: Any, frames_per_s: float) -> tuple[Word, ...]:
        return timed_words(
            self._tokenizer.words(hearing.decoded.tokens),
            result.alignments,
            result.text_token_probs,
            text=hearing.decoded.text,
            ms_per_frame=2 * 1000 / frames_per_s,
            length_ms=int(hearing.window.duration_s * 1000),
        )
