"""What a bundle's tokenizer and prompt put around a text that is learned."""

from __future__ import annotations

from pathlib import Path

from inference.adaptation.job import PromptTokens
from inference.asr.tokenizer import WhisperTokenizer
from inference.bundles import BundleInvalid, load_manifest

MARKS = "，。？！、；：,.?!"


def prompt_tokens(bundle: Path, language: str = "zh") -> PromptTokens:
    """Raises BundleInvalid if the bundle does not know the language."""
    tokenizer = WhisperTokenizer(bundle / "tokenizer.json")
    spoken = tokenizer.language(language)
    if spoken is None:
        raise BundleInvalid(f"{bundle} does not know the language {language}")
    start = (tokenizer.sot, spoken, tokenizer.transcribe, tokenizer.no_timestamps)
    texts = ((i, tokenizer.decode([i]).strip()) for i in range(tokenizer.eot))
    return PromptTokens(
        start,
        tokenizer.sot_prev,
        tokenizer.eot,
        tuple(tokenizer.encode("。")),
        tuple(tokenizer.encode(load_manifest(bundle).prompts.get(language, ""))),
        tuple(i for i, text in texts if text and set(text) <= set(MARKS)),
    )
