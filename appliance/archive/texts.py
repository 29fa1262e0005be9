"""Written messages, from an app, a page, WeChat, Weibo or mail: calls that nobody has to hear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from appliance.archive.archive import Archive
from appliance.call.keeping import Ending
from appliance.errors import InvalidRequest
from appliance.messages import WRITTEN, CallConfig, Final, LegRole

MOST_TEXT = 20_000  # characters
MOST_UTTERANCES = 200  # of more sentences, some share one
CHANNELS = ("app", "web", "wechat", "weibo", "mail", "open311", "other")
SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]*")


class Texts:
    """Each is kept, followed and told as a call is: one utterance a sentence."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def accept(self, text: str, config: CallConfig, *, owner: str = "", key: str = "") -> str:
        """Keep a message; its id once it is on the disk.

        Args:
            key: an Idempotency-Key of `owner`; the same one gives the same message's id.

        Raises:
            InvalidRequest: nothing is said in it, or too much.
            StoreUnavailable: it could not be kept.
        """
        sentences = list(_sentences(text))
        if not sentences or len(text) > MOST_TEXT:
            cause = f"a text has 1 to {MOST_TEXT} characters"
            raise InvalidRequest("take a text", cause, param="text")
        roles = (LegRole.CITIZEN,)
        config = replace(config, door=WRITTEN, live=True, leg_roles=roles, language="zh")
        each = ceil(len(sentences) / MOST_UTTERANCES)
        together = ("".join(sentences[at : at + each]) for at in range(0, len(sentences), each))
        finals = [_final(number, text) for number, text in enumerate(together)]
        kept = await self._archive.keep_text(config, owner, key, finals)
        if isinstance(kept, str):
            return kept
        for final in finals:
            await kept.log.put(final)
        await kept.settle()
        await kept.end(Ending(0, 1, "zh", "", demo=False, cut_short=False))
        return kept.id


def _sentences(text: str) -> Iterator[str]:
    for match in SENTENCE.finditer(text):
        if sentence := match[0].strip():
            yield sentence


def _final(number: int, sentence: str) -> Final:
    return Final(
        leg=0,
        utterance=number,
        text=sentence,
        words=(),
        start_ms=number,
        end_ms=number + 1,
        confidence=1.0,
        no_speech=0.0,
        temperature=0.0,
        language="zh",
        engine="",
        model="",
        demo=False,
    )
