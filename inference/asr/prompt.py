"""What the decoder is told before it speaks: earlier text, language, task, a forced beginning."""

from __future__ import annotations

from dataclasses import dataclass

from inference.asr.tokenizer import WhisperTokenizer
from inference.tensors import Window

MAX_PREVIOUS = 223  # tokens of hotwords (half of it at most) and earlier text
MAX_PREFIX = 100  # tokens of a forced beginning


@dataclass(frozen=True, slots=True)
class Ask:
    """A window being decoded: its place in the batch and its prompt."""

    index: int  # in the encoder output
    window: Window
    previous: tuple[int, ...]  # tokens before <|startoftranscript|>
    start: tuple[int, ...]  # <|startoftranscript|> ... <|notimestamps|>
    prefix: tuple[int, ...]
    language: str

    @property
    def prompt(self) -> list[int]:
        return [*self.previous, *self.start, *self.prefix]


def make_ask(
    index: int, window: Window, language: str, tokenizer: WhisperTokenizer, *, multilingual: bool
) -> Ask:
    """The prompt of one window; an English-only model knows neither languages nor tasks."""
    hotwords = tokenizer.encode("，".join(window.hotwords))[: MAX_PREVIOUS // 2]
    earlier = tokenizer.encode(window.prompt)
    earlier = [*hotwords, *earlier[-(MAX_PREVIOUS - len(hotwords)) :]]
    start = [tokenizer.sot]
    if multilingual:
        task = tokenizer.translate if window.task == "translate" else tokenizer.transcribe
        start += [tokenizer.language(language) or tokenizer.sot, task]
    return Ask(
        index=index,
        window=window,
        previous=(tokenizer.sot_prev, *earlier) if earlier else (),
        start=(*start, tokenizer.no_timestamps),
        prefix=tuple(tokenizer.encode(window.prefix)[:MAX_PREFIX]) if window.prefix else (),
        language=language,
    )
