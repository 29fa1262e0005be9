"""What callers tell a model beforehand: bounded for every door, before any of it is worked on."""

from __future__ import annotations

from appliance.errors import TooLarge
from appliance.messages import CallConfig

MOST_HOTWORDS, LONGEST_HOTWORD = 1000, 100  # characters
MOST_CHARACTERS = 20_000  # of all hotwords
LONGEST_PROMPT = 2000  # characters; a model reads the last few hundred
DOING = "read what to listen for"


def check_hints(config: CallConfig) -> None:
    """Raises TooLarge, naming the field."""
    words = config.hotwords
    if len(words) > MOST_HOTWORDS:
        cause = f"{len(words)} hotwords"
        raise TooLarge(DOING, cause, f"{MOST_HOTWORDS} at most", param="hotwords")
    longest = max(map(len, words), default=0)
    if longest > LONGEST_HOTWORD:
        cause = f"a hotword of {longest} characters"
        raise TooLarge(DOING, cause, f"{LONGEST_HOTWORD} at most", param="hotwords")
    if sum(map(len, words)) > MOST_CHARACTERS:
        cause = f"hotwords of {sum(map(len, words))} characters in all"
        raise TooLarge(DOING, cause, f"{MOST_CHARACTERS} at most", param="hotwords")
    if len(config.prompt) > LONGEST_PROMPT:
        cause = f"a prompt of {len(config.prompt)} characters"
        raise TooLarge(DOING, cause, f"{LONGEST_PROMPT} at most", param="prompt")
