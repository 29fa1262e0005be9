"""What stock Whisper weights want said to them, and what they invent: a bundle's defaults."""

from __future__ import annotations

# Brings punctuation and simplified characters.
PROMPTS = {"zh": "以下是普通话的句子。"}

# Learned from subtitles; no caller says these.
PHANTOMS = (
    *("谢谢观看", "感谢观看", "谢谢收看", "感谢收看", "谢谢大家收看"),
    *("谢谢您的观看", "感谢您的观看", "多谢您的观看"),
    "请不吝点赞订阅转发打赏支持明镜与点点栏目",
    *("字幕由Amara.org社区提供", "中文字幕志愿者", "字幕制作", "字幕提供"),
    "优优独播剧场YoYo Television Series Exclusive",
    *("作词作曲", "作词", "作曲", "编曲"),
    *("thanks for watching", "thank you for watching", "subtitles by the Amara.org community"),
)
