"""What callers tell a model beforehand: bounded for every door, before any of it is worked on."""

from __future__ import annotations

from functools import lru_cache
from itertools import zip_longest

from appliance.errors import TooLarge
from appliance.messages import CallConfig
from appliance.terms.correction import Terms
from appliance.terms.term import LONGEST_TERM, MOST_TERMS, Term

MOST_CHARACTERS = 200_000  # of all hotwords
LONGEST_PROMPT = 2000  # characters; a model reads the last few hundred
DOING = "read what to listen for"


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


@lru_cache(16)
def terms_of(hotwords: tuple[str, ...], boosts: tuple[float, ...]) -> Terms:
    """A caller's own; callers with the same list share it."""
    pairs = zip_longest(hotwords, boosts[: len(hotwords)], fillvalue=0.0)
    return Terms([Term(str(text), weight) for text, weight in pairs])
