"""How a call ended, and what the agent said to a question."""

from __future__ import annotations

import re
from collections.abc import Sequence

from appliance.assist.slots.turns import is_backchannel, turns
from appliance.assist.slots.value import Said
from appliance.messages import NEGATIVE, CallRecord, LegRole

CHARACTERS = 400  # of an answer
LAST = 4  # turns of the citizen that say how it ended
_CONTENT = re.compile(
    r"谢谢|感谢|知道了|明白了|清楚了|好的|好嘞|行了?，|那行|可以了|没问题了|麻烦您了"
)
_DISCONTENT = re.compile(
    r"没用|白打|不满意|投诉你|说了等于没说|不管用|推来推去|什么态度|还是不知道"
)
_NO_ANSWER = re.compile(
    r"请问|请讲|您好|什么地方|具体地址|您贵姓|怎么称呼|联系电话|帮您记录|已经记录|稍等|还有其他|再见|"
    r"祝您生活|感谢您的来电|听得[到清]"
)
_PARTS = re.compile(r"[^。！？!?；;]+[。！？!?；;]*")


def ended_well(record: CallRecord) -> bool:
    """Whether the citizen went content, as far as their words and mood tell."""
    mine = [each for each in record.utterances if each.role is not LegRole.AGENT][-LAST:]
    words = "。".join(each.text for each in mine)
    upset = any(each.mood and each.mood.emotion in NEGATIVE for each in mine[-2:])
    return bool(_CONTENT.search(words)) and not _DISCONTENT.search(words) and not upset


def answer_to(said: Sequence[Said], utterance: str) -> str:
    """What the agent said from that question on, without what any call holds."""
    after, found = False, list[str]()
    for turn in turns(said):
        after = after or turn.said.id == utterance
        if after and turn.agent and not is_backchannel(turn.text):
            parts = (match[0] for match in _PARTS.finditer(turn.said.text))
            found += [part for part in parts if not _NO_ANSWER.search(part)]
    return "".join(found)[:CHARACTERS]
