"""What an engine heard, with the terms that it misheard put right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from appliance.messages import TermCorrection
from appliance.terms.correction import HeardCharacter, Likeness, Terms, corrections
from inference.tensors import Hypothesis, Word

LANGUAGE = "zh"  # whose sounds are known


def corrected(heard: Hypothesis, *lists: Terms) -> tuple[Hypothesis, tuple[TermCorrection, ...]]:
    """The same where nothing is to be put right, and where words do not make up the text."""
    text = "".join(word.text for word in heard.words)
    if heard.language != LANGUAGE or not any(lists) or text.strip() != heard.text:
        return heard, ()
    characters = [HeardCharacter(c, word.confidence) for word in heard.words for c in word.text]
    wrong = corrections(characters, *lists)
    if not wrong:
        return heard, ()
    words = _rewritten(heard.words, wrong)
    told = tuple(_told(heard.words, text, like) for like in wrong)
    return replace(heard, text="".join(w.text for w in words).strip(), words=words), told


def _rewritten(words: Sequence[Word], wrong: Sequence[Likeness]) -> tuple[Word, ...]:
    """A character that is put in belongs to the word in whose place it stands."""
    characters = [(c, owner) for owner, word in enumerate(words) for c in word.text]
    for like in reversed(wrong):
        before, new = characters[like.start : like.end], like.term.text
        owners = [before[at * len(before) // len(new)][1] for at in range(len(new))]
        characters[like.start : like.end] = zip(new, owners, strict=True)
    texts = [""] * len(words)
    for character, owner in characters:
        texts[owner] += character
    pairs = zip(words, texts, strict=True)
    return tuple(replace(word, text=text) for word, text in pairs if text)


def _told(words: Sequence[Word], text: str, like: Likeness) -> TermCorrection:
    owners = [owner for owner, word in enumerate(words) for _ in word.text]
    first, last = words[owners[like.start]], words[owners[like.end - 1]]
    return TermCorrection(
        heard=text[like.start : like.end],
        term=like.term.text,
        score=round(like.gain, 2),
        start_ms=first.start_ms,
        end_ms=last.end_ms,
    )
