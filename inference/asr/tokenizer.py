"""Whisper's token layout over any tokenizer.json: special ids, text <-> ids, words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from inference.bundles import BundleInvalid

LANGUAGE_TOKEN = re.compile(r"<\|[a-z]{2,3}\|>")
UNDECODABLE = "\ufffd"  # what a piece of a UTF-8 character decodes to
MOST_PIECES = 4  # of one character: bytes


class WhisperTokenizer:
    """Immutable once loaded. Raises BundleInvalid if the vocabulary is not Whisper's."""

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise BundleInvalid(f"{path} is no tokenizer: {error}") from error
        # What a caller says is text, even if it looks like <|startoftranscript|>.
        self._tokenizer.encode_special_tokens = True
        self.eot = self._special("<|endoftext|>")
        self.sot = self._special("<|startoftranscript|>")
        self.transcribe = self._special("<|transcribe|>")
        self.translate = self._special("<|translate|>")
        self.sot_prev = self._special("<|startofprev|>")
        self.no_timestamps = self._special("<|notimestamps|>")

    def _special(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise BundleInvalid(f"the tokenizer has no {token}: it is not a Whisper model's")
        return int(found)

    def token(self, number: int) -> str | None:
        """As the vocabulary has it."""
        found: str | None = self._tokenizer.id_to_token(number)
        return found

    def language_ids(self) -> list[int]:
        """Of every language's token: <|zh|>, <|yue|>."""
        words = self._tokenizer.get_vocab()
        return sorted(words[word] for word in words if LANGUAGE_TOKEN.fullmatch(word))

    def language(self, code: str) -> int | None:
        """The id of a language's token, or None if the vocabulary lacks it."""
        found = self._tokenizer.token_to_id(f"<|{code}|>")
        return None if found is None else int(found)

    def codes(self, ids: Iterable[int]) -> tuple[str, ...]:
        """Language codes of language tokens' ids."""
        tokens = (self._tokenizer.id_to_token(i) for i in ids)
        return tuple(token.strip("<|>") for token in tokens if token)

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        text = self._tokenizer.decode([i for i in ids if i < self.eot], skip_special_tokens=True)
        return str(text)

    def whole(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Without pieces of characters that were never finished.

        Models stop between the pieces of a character, or write one by itself.
        """
        kept: list[int] = []
        at = 0
        while at < len(ids):
            runs = (ids[at : at + size] for size in range(1, MOST_PIECES + 1))
            run = next((run for run in runs if UNDECODABLE not in self._piece(run)), ())
            kept += run
            at += max(1, len(run))
        return tuple(kept)

    def words(self, ids: Sequence[int]) -> list[tuple[str, int]]:
        """Text ids -> [(word, number of ids)]; words join to the text.

        A Chinese character is a word; letters and digits run together until a space; punctuation
        stays with the word before it. Byte-level pieces of one character are never parted.
        """
        words: list[tuple[str, int]] = []
        for piece, count in self._characters(ids):
            if words and not _begins_word(words[-1][0], piece):
                text, so_far = words[-1]
                words[-1] = (text + piece, so_far + count)
            else:
                words.append((piece, count))
        return words

    def _piece(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def _characters(self, ids: Sequence[int]) -> Iterable[tuple[str, int]]:
        """Group ids until they decode to whole characters."""
        start = 0
        for end in range(1, len(ids) + 1):
            piece = self._piece(ids[start:end])
            if UNDECODABLE not in piece or end == len(ids):
                yield piece, end - start
                start = end


def _begins_word(before: str, piece: str) -> bool:
    if not piece:
        return False
    first = piece[0]
    if first.isspace():
        return True
    if unicodedata.category(first)[0] in "PS":
        return False
    if before.isspace():
        return False
    return _is_ideograph(first) or _is_ideograph(before[-1])


def _is_ideograph(char: str) -> bool:
    return unicodedata.category(char) == "Lo"
