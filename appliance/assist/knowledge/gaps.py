"""Gaps: what many have asked and no entry answers, put together by what they ask."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.assist.text.clusters import clusters
from appliance.assist.text.likeness import likenesses
from appliance.store.asked import OpenQuestion

ALIKE = 0.09  # mean likeness of the questions of two gaps, from which on they are one
SINGLE = 0.6  # what single characters weigh: questions are short
MOST = 2000  # questions that are put together, the newest
# What any question may hold, whatever it is about.
_ANY = re.compile(
    r"怎么|怎样|如何|咋样?|多少钱?|多久|多长时间|几[个天号月点年回次]|哪[里儿些个]?|什么时候|什么|"
    r"啥时候|啥|能不能|能否|可不可以|可以|是不是|有没有|要不要|用不用|需不需要|想问一下|想问|问一下|"
    r"咨询一下|咨询|了解|查一下|需要|手续|材料|准备|带|要|能|吗|办理?|申请|条件|去|找谁?|我们?|"
    r"咱们?这?|家里?|的|了|呢|啊|是|在|有|没|给|还|也|就|都|不|一个?|个|上|让|领|人|这|那|和|跟|"
    r"请|您|你|钱|到|里|补办?|丢"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """One matter.

    Attributes:
        id: its oldest question's.
        questions: the most typical first.
        answer: what agents said, the most typical; empty: no call with it ended well.
    """

    id: str
    questions: tuple[OpenQuestion, ...]
    answer: str = ""

    @property
    def title(self) -> str:
        return self.questions[0].text

    @property
    def place(self) -> str:
        """Where all of them are from; empty: from several places."""
        places = Counter(each.place for each in self.questions)
        return next(iter(places)) if len(places) == 1 else ""


def gaps(questions: Sequence[OpenQuestion]) -> list[Gap]:
    """The largest first; of more than MOST questions the newest."""
    ordered = sorted(questions, key=lambda each: (each.at, each.call_id, each.matter))[-MOST:]
    if not ordered:
        return []
    alike = likenesses([_ANY.sub("，", each.text) for each in ordered], SINGLE)
    found = [_gap(ordered, members, alike) for members in clusters(alike, ALIKE)]
    return sorted(found, key=lambda gap: (-len(gap.questions), gap.id))


def _gap(
    ordered: Sequence[OpenQuestion], members: Sequence[int], alike: NDArray[np.float32]
) -> Gap:
    among = alike[np.ix_(members, members)].sum(axis=1)
    typical = sorted(range(len(members)), key=lambda at: (-float(among[at]), members[at]))
    questions = tuple(ordered[members[at]] for at in typical)
    first = ordered[min(members)]
    return Gap(f"g-{first.call_id}-{first.matter}", questions, _answer(questions))


def _answer(questions: Sequence[OpenQuestion]) -> str:
    answers = [each.answer for each in questions if each.answer]
    return answers[int(likenesses(answers, SINGLE).sum(axis=1).argmax())] if answers else ""
