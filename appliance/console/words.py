"""What moods, levels and roles are called, and what is said of them, in Chinese and in English."""

from __future__ import annotations

from appliance.messages import Emotion, LegRole, Level

EMOTIONS = {emotion: (emotion.chinese, emotion.value) for emotion in Emotion}
LEVELS = {Level.LOW: ("低", "low"), Level.MEDIUM: ("中", "medium"), Level.HIGH: ("高", "high")}
NO_ROLE = (
    "您的密钥没有查看此页的角色：请向安全管理员申请 operator（运行状况）、"
    "agent 或 inspector（通话、质检）、duty（预警）、editor 或 approver（知识库）。",
    "Your key has no role that sees this page: ask the security admin for operator (condition), "
    "agent or inspector (calls, quality), duty (warnings), editor or approver (knowledge).",
)
ROLES = {LegRole.AGENT: ("坐席", "agent"), LegRole.CITIZEN: ("市民", "citizen")}
