"""What moods, levels and roles are called, in Chinese and in English."""

from __future__ import annotations

from appliance.messages import Emotion, Level, Role

EMOTIONS = {
    Emotion.CALM: ("平静", "calm"),
    Emotion.HAPPY: ("高兴", "happy"),
    Emotion.DISAPPOINTED: ("失望", "disappointed"),
    Emotion.ANXIOUS: ("焦虑", "anxious"),
    Emotion.ANNOYED: ("生气", "annoyed"),
    Emotion.FURIOUS: ("愤怒", "furious"),
    Emotion.SAD: ("悲伤", "sad"),
}
LEVELS = {Level.LOW: ("低", "low"), Level.MEDIUM: ("中", "medium"), Level.HIGH: ("高", "high")}
ROLES = {Role.AGENT: ("坐席", "agent"), Role.CITIZEN: ("市民", "citizen")}
