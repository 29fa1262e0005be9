"""Token ids of the demo model, its tokenizer, and the phone labels of the CTC head."""

from __future__ import annotations

import itertools

from inference.training.text import characters
from inference.training.voice import phones

_words = str.split
_SPECIAL = _words(
    "<|endoftext|> <|startoftranscript|> <|zh|> <|translate|> <|transcribe|> <|startoflm|> "
    "<|startofprev|> <|nospeech|> <|notimestamps|>"
)
_TIMESTAMPS = 1501  # <|0.00|> to <|30.00|>

# "" makes CTranslate2 take the model as multilingual, so that <|zh|> <|transcribe|> are sent.
TOKENS = [
    "<unk>",
    *characters(),
    "",
    *_SPECIAL,
    *(f"<|{i * 0.02:.2f}|>" for i in range(_TIMESTAMPS)),
]
IDS = {token: index for index, token in enumerate(TOKENS)}
EOT, SOT, ZH = IDS["<|endoftext|>"], IDS["<|startoftranscript|>"], IDS["<|zh|>"]
TRANSCRIBE, PREV = IDS["<|transcribe|>"], IDS["<|startofprev|>"]
NO_SPEECH, NO_TIMESTAMPS = IDS["<|nospeech|>"], IDS["<|notimestamps|>"]
PROMPT = [SOT, ZH, TRANSCRIBE, NO_TIMESTAMPS]


def timestamp(time_s: float) -> int:
    """The token of a time from 0 to 30 s, in steps of 20 ms."""
    return NO_TIMESTAMPS + 1 + min(max(round(time_s / 0.02), 0), _TIMESTAMPS - 1)


def encode(text: str) -> list[int]:
    """One id a character."""
    return [IDS.get(character, 0) for character in text]


_RHYMES = _words(
    "a ai an ang ao e ei en eng er i ia ian iang iao ie in ing iong iu o ong ou u ua uai uan uang "
    "ue ui un uo v ve van vn r io m n ng ueng iai uong ê"
)
_INITIALS = _words("zh ch sh b p m f d t n l g k h j q x r z c s y w")
BLANK = 0  # of CTC
_PHONE_IDS = {
    phone: index
    for index, phone in enumerate(
        [*_INITIALS, *("".join(pair) for pair in itertools.product(_RHYMES, "12345"))], start=1
    )
}
PHONES = len(_PHONE_IDS) + 1


def phone_ids(syllable: str) -> list[int]:
    """CTC labels of a pinyin syllable; an unknown part is left out."""
    syllable = syllable.replace("ü", "v")
    return [_PHONE_IDS[phone] for phone in phones(syllable) if phone in _PHONE_IDS]
