"""What whoever reads the figures of an adaptation should know."""

from __future__ import annotations

from collections.abc import Mapping

from inference.adaptation.trial import MOST_FORGOTTEN, HeardFigures

CHOSEN = (
    "强度与尾部静音是按同一批留出的录音选的，所以这里的数字略偏乐观。"
    " Strength and margin were chosen by the recordings that the figures are of: they are a "
    "little too good."
)
FEW_SPEAKERS = (
    "说话人少于 4 位：留出的录音与所学的出自同一些人，对别人会差一些。"
    " Fewer than 4 speakers: others will be heard worse than these figures say."
)
NO_GENERAL = (
    "没有给普通话录音（--general）：没有测它是否忘了普通话。"
    " No general speech was given (--general): what it forgot was not measured."
)
NOTHING_GAINED = (
    "当地语音没有听得更准：请保留原来的模型，或带来更多人的录音。"
    " Local speech is heard no better: keep the base, or bring recordings of more people."
)
FORGOTTEN = (
    "普通语音的字错率多了 {points:.1f} 个百分点，超过可以接受的 {most:.0f} 个，"
    "没有找到忘得更少的强度：请带来更多普通语音（--general）。"
    " Ordinary speech is heard worse by {points:.1f} points, {most:.0f} is what is accepted, and "
    "no strength was found that costs less: bring more of it (--general)."
)


def notes(
    before: Mapping[str, HeardFigures], after: Mapping[str, HeardFigures], by_speaker: bool
) -> list[str]:
    """For a report.

    Args:
        before, after: by the names of report.NAMES.
        by_speaker: whether whole speakers were held out.
    """
    told = [CHOSEN]
    if not by_speaker:
        told.append(FEW_SPEAKERS)
    if after["local"].cer >= before["local"].cer:
        told.append(NOTHING_GAINED)
    if "general" not in after:
        return [*told, NO_GENERAL]
    more = after["general"].cer - before["general"].cer
    if more > MOST_FORGOTTEN:
        told.append(FORGOTTEN.format(points=100 * more, most=100 * MOST_FORGOTTEN))
    return told
