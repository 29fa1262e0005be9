"""Who is the agent, where the legs do not say it: who greets, who asks, who offers to help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from appliance.messages import LegRole

# What an agent says and a citizen hardly does. GB/T 33358 asks for greeting, restating and closing.
AGENT_SAYS: Mapping[str, float] = {
    "12345": 3.0,
    "幺二三四五": 3.0,
    "热线": 1.0,
    "很高兴为您服务": 3.0,
    "为您服务": 2.0,
    "请问有什么": 3.0,
    "请问您": 1.0,
    "请讲": 1.0,
    "工号": 2.0,
    "怎么称呼": 2.0,
    "联系电话": 1.0,
    "记录": 0.5,
    "登记": 1.0,
    "转派": 2.0,
    "承办单位": 1.0,
    "感谢您的来电": 3.0,
    "请保持电话畅通": 2.0,
    "还有其他": 1.0,
    "您的心情": 1.0,
}
CITIZEN_SAYS: Mapping[str, float] = {
    "我要投诉": 2.0,
    "我想反映": 2.0,
    "我要反映": 2.0,
    "我想咨询": 2.0,
    "我家": 1.0,
    "我们小区": 1.0,
    "我姓": 1.0,
    "我住": 1.0,
}
HEARD = 12  # utterances of each speaker that count
LEAST = 1.5  # points by which the agent is ahead


def tell_roles(said: Mapping[int, Sequence[str]]) -> dict[int, LegRole]:
    """The role of each speaker, from what they say, in order.

    One agent at most; everybody else is a citizen. Unknown for all if nobody stands out.
    """
    points = {speaker: _points(texts) for speaker, texts in said.items()}
    ranked = sorted(points, key=lambda speaker: -points[speaker])
    if not ranked:
        return {}
    first = ranked[0]
    second_points = points[ranked[1]] if len(ranked) > 1 else 0.0
    if points[first] - second_points >= LEAST:
        return {s: LegRole.AGENT if s == first else LegRole.CITIZEN for s in said}
    if len(ranked) == 1 and points[first] <= -LEAST:
        return {first: LegRole.CITIZEN}
    return dict.fromkeys(said, LegRole.UNKNOWN)


def _points(texts: Sequence[str]) -> float:
    heard = "，".join(islice(texts, HEARD))
    asked = sum(text.count("？") + text.count("请问") for text in islice(texts, HEARD))
    ours = sum(weight for phrase, weight in AGENT_SAYS.items() if phrase in heard)
    theirs = sum(weight for phrase, weight in CITIZEN_SAYS.items() if phrase in heard)
    return ours - theirs + 0.3 * asked
