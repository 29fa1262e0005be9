"""What the decoder is told before it speaks: earlier text, language, task, a forced beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.asr.quality import echoes, recites
from inference.asr.tokenizer import WhisperTokenizer
from inference.tensors import Window

MAX_PREVIOUS = 223  # tokens of earlier text
MAX_PREFIX = 100  # tokens of a forced beginning


@dataclass(frozen=True, slots=True)
class PromptedAsk:
    """A window's prompt."""

    previous: tuple[int, ...]  # tokens before <|startoftranscript|>
    start: tuple[int, ...]  # <|startoftranscript|> ... <|notimestamps|>
    prefix: tuple[int, ...]
    language: str

    @property
    def prompt(self) -> list[int]:
        return [*self.previous, *self.start, *self.prefix]


@dataclass(frozen=True)
class Prompter:
    """Makes prompts; an English-only model knows neither languages nor tasks."""

    tokenizer: WhisperTokenizer
    multilingual: bool
    prompts: Mapping[str, str] = field(default_factory=dict)  # the bundle's own, by language

    def ask(self, window: Window, language: str, *, bare: bool = False) -> PromptedAsk:
        """`bare`: without earlier text and the bundle's own prompt."""
        tokenizer, previous = self.tokenizer, [] if bare else self._previous(window, language)
        start = [tokenizer.sot]
        if self.multilingual:
            task = tokenizer.translate if window.task == "translate" else tokenizer.transcribe
            start += [tokenizer.language(language) or tokenizer.sot, task]
        prefix = tokenizer.encode(window.prefix)[:MAX_PREFIX] if window.prefix else []
        return PromptedAsk(
            previous=(tokenizer.sot_prev, *previous) if previous else (),
            start=(*start, tokenizer.no_timestamps),
            prefix=tuple(prefix),
            language=language,
        )

    def _previous(self, window: Window, language: str) -> list[int]:
        own = self.prompts.get(language, "") if window.task == "transcribe" else ""
        return self.tokenizer.encode(own + window.prompt)[-MAX_PREVIOUS:]

    def echoed(self, text: str, window: Window, language: str) -> bool:
        """Whether a text says what it was told before, not what it hears."""
        return echoes(text, self.prompts.get(language, "")) or recites(text, window.prompt)

    def is_prompted(self, window: Window, language: str) -> bool:
        """Whether there is anything that a bare ask would leave out."""
        return bool(self._previous(window, language))
