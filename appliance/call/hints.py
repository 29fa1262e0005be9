"""What callers tell a model beforehand: bounded for every door, before any of it is worked on."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import zip_longest

from appliance.errors import TooLarge
from appliance.messages import CallConfig
from appliance.terms.correction import Terms
from appliance.terms.term import LONGEST_TERM, MOST_TERMS, Term

MOST_CHARACTERS = 200_000  # of all hotwords
LONGEST_PROMPT = 2000  # characters; a model reads the last few hundred
DOING = "read what to listen for"
LONGEST_LISTED = 16  # characters of a name in a prompt
_LISTED = re.compile(r"[、,，;；\n]")
_LIST_MARK = re.compile(r"[、;；\n]")
_TOLD = re.compile(r"[。？！：?!:]")  # of what is said


def check_hints(config: CallConfig) -> None:
    """Raises TooLarge, naming the field."""
    words = config.hotwords
    if len(words) > MOST_TERMS:
        cause = f"{len(words)} hotwords"
        raise TooLarge(DOING, cause, f"{MOST_TERMS} at most", param="hotwords")
    longest = max(map(len, words), default=0)
    if longest > LONGEST_TERM:
        cause = f"a hotword of {longest} characters"
        raise TooLarge(DOING, cause, f"{LONGEST_TERM} at most", param="hotwords")
    if sum(map(len, words)) > MOST_CHARACTERS:
        cause = f"hotwords of {sum(map(len, words))} characters in all"
        raise TooLarge(DOING, cause, f"{MOST_CHARACTERS} at most", param="hotwords")
    if len(config.prompt) > LONGEST_PROMPT:
        cause = f"a prompt of {len(config.prompt)} characters"
        raise TooLarge(DOING, cause, f"{LONGEST_PROMPT} at most", param="prompt")


def names_in(prompt: str) -> tuple[str, ...]:
    """Names that a prompt lists, as people tell a model how they are spelt: 平城区、云冈街道.

    Empty where it is text that was said before. Named in a prompt, a model hears them everywhere;
    as hotwords they are put in only where they were said.
    """
    text = prompt.strip("。. ")
    parts = [part.strip() for part in _LISTED.split(text)]
    names = tuple(dict.fromkeys(part for part in parts if part))
    short = all(2 <= len(name) <= LONGEST_LISTED for name in names)
    least = 2 if _LIST_MARK.search(text) else 3  # a comma stands in sentences, too
    return names if len(names) >= least and short and not _TOLD.search(text) else ()


@lru_cache(16)
def terms_of(hotwords: tuple[str, ...], boosts: tuple[float, ...]) -> Terms:
    """A caller's own; callers with the same list share it."""
    pairs = zip_longest(hotwords, boosts[: len(hotwords)], fillvalue=0.0)
    return Terms([Term(str(text), weight) for text, weight in pairs])
