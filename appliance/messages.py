"""What the rooms say to each other about a call. Plain data: no behaviour, no wire format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SAMPLE_RATE_HZ = 16_000  # of all audio inside the box
EVERY_TENANT, LOCAL_TENANT = "*", "local"  # hotline systems; a real one has another name
CANARY_TENANT = "canary"  # whose calls the box places itself
WRITTEN = "text"  # the door of messages, which are whole from the first
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # callers' names for calls and requests
BOX_LANGUAGE, AUTO = "", "auto"  # of a call: as it is set, or heard from its first seconds
DEMO_NOTICE = "演示权重：仅供试用，不可用于真实通话。 Demonstration weights: not for real calls."


class Encoding(StrEnum):
    """How the caller's bytes are coded. AUTO sniffs the header."""

    AUTO = "auto"
    PCM_S16LE = "pcm_s16le"
    ALAW = "alaw"
    MULAW = "mulaw"
    FLAC = "flac"
    OGG_OPUS = "ogg_opus"
    WAV = "wav"
    CONTAINER = "container"  # MP3, M4A, AMR ...: recordings only


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a caller says of its audio; a header, where there is one, has the last word."""

    encoding: Encoding = Encoding.AUTO
    rate_hz: int = 0  # 0: the header must say it
    channels: int = 0  # the same


@dataclass(frozen=True, slots=True)
class Endpointing:
    """When an utterance begins and ends. Names and units are Riva's EndpointingConfig's. None: the
    box's own choice (which, for the stop history, shrinks as the utterance grows)."""

    start_history_ms: int | None = None
    start_threshold: float | None = None  # 0..1, share of the history that must be speech
    stop_history_ms: int | None = None
    stop_threshold: float | None = None  # 0..1, share of the history that must be silence
    stop_history_eou_ms: int | None = None
    stop_threshold_eou: float | None = None


class LegRole(StrEnum):
    """Who a speaker is to the hotline."""

    AGENT = "agent"
    CITIZEN = "citizen"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CallConfig:
    """What a caller wants of one call, whichever door it came through."""

    audio: AudioFormat = field(default_factory=AudioFormat)
    separate_legs: bool = True  # recognise each channel; else only the first
    language: str | None = "zh"  # None: heard from its first seconds; BOX_LANGUAGE
    task: str = "transcribe"
    interim: bool = True
    live: bool = True  # False: a recording, run as fast as the engine allows
    itn: bool = True  # 一三八 -> 138
    punctuation: bool = True
    word_times: bool = True
    hotwords: tuple[str, ...] = ()  # words to be heard right, beside the city's
    boosts: tuple[float, ...] = ()  # of as many hotwords, in nats; the others have none
    prompt: str = ""
    temperature: float = 0.0
    endpointing: Endpointing = field(default_factory=Endpointing)
    moods: bool = False  # tell in what mood each utterance is said
    diarize: bool = False  # tell apart who speaks, where one leg carries the whole call
    least_speakers: int = 1
    most_speakers: int = 0  # 0: as the settings say
    leg_roles: tuple[LegRole, ...] = ()  # by leg; unknown where it is not said
    model: str = ""  # "name version" of the speech model that was named; empty: whichever
    call_id: str = ""  # the caller's correlation id, if it gave one
    tenant: str = LOCAL_TENANT  # the hotline system whose call it is
    credential: str = ""  # by whose id it came; a system may have several
    door: str = "unknown"  # "riva", "openai", ...; a metric label, so never user input
    caller: str = ""  # the citizen's number, as the switch tells it
    agent: str = ""  # who takes the call, as the hotline system names them
    hang_up: LegRole = LegRole.UNKNOWN  # of a recording: who ended the call
    began_at: float = 0.0  # of a recording: s since 1970; 0: when it came
    channel: str = ""  # of a written message: app, web, wechat, weibo, mail
    author: str = ""  # who wrote it, as the channel names them


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One word of a final; times from the start of the call."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float  # 0..1


@dataclass(frozen=True, slots=True)
class TermCorrection:
    """A term put in where something like it was heard; times from the start of the call."""

    heard: str
    term: str
    score: float  # nats by which it is likelier
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Partial:
    """What a leg seems to be saying; each one replaces the last of the same utterance."""

    leg: int  # 0-based audio channel
    utterance: int  # 0-based per leg
    text: str
    stable: str  # the head of `text` that two consecutive hypotheses agree on
    start_ms: int
    end_ms: int
    end_of_utterance: bool = False  # early sign: the speaker seems to have finished


@dataclass(frozen=True, slots=True)
class Lasting:
    """An event that a call's record is made of: journalled, then told. A class of each kind."""


@dataclass(frozen=True, slots=True)
class Final(Lasting):
    """What a leg said in one utterance. Never changed afterwards."""

    leg: int
    utterance: int
    text: str
    words: tuple[SpokenWord, ...]
    start_ms: int
    end_ms: int
    confidence: float  # 0..1
    no_speech: float  # 0..1, as the model says
    temperature: float  # of the decoding that was kept
    language: str
    engine: str  # which engine answered: "triton", "cpu"
    model: str  # "name version"
    demo: bool  # the weights are for demonstration only
    corrections: tuple[TermCorrection, ...] = ()
    loudness_db: float | None = None  # dBFS, of speech without pauses; None: not measured


@dataclass(frozen=True, slots=True)
class AudioProgress:
    """Audio taken in so far, per call; lets a door answer a chunk that had no words."""

    audio_ms: int


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """One speaker of a leg speaking without a break; times from the start of the call."""

    speaker: int  # counted from 0
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Attribution(Lasting):
    """Who speaks on a leg that carries several people. Provisional ones follow each final of a live
    call and tell what came since the last; the settled one comes once, at hang-up, tells the whole
    call, and replaces them."""

    leg: int
    turns: tuple[SpeakerTurn, ...]  # by start
    until_ms: int  # of the call: what was said up to here is told
    settled: bool
    model: str
    demo: bool


class Emotion(StrEnum):
    """What somebody may feel: its name, what it is called in Chinese, and how good it is, -1..1."""

    chinese: str
    valence: float

    def __new__(cls, name: str, chinese: str = "", valence: float = 0.0) -> Emotion:
        made = str.__new__(cls, name)
        made._value_, made.chinese, made.valence = name, chinese, valence
        return made

    CALM = "calm", "平静", 0.0
    HAPPY = "happy", "高兴", 1.0
    DISAPPOINTED = "disappointed", "失望", -0.5
    ANXIOUS = "anxious", "焦虑", -0.6
    ANNOYED = "annoyed", "生气", -0.8
    FURIOUS = "furious", "愤怒", -1.0
    SAD = "sad", "悲伤", -0.7


NEGATIVE = frozenset(emotion for emotion in Emotion if emotion.valence < 0)


class Level(StrEnum):
    """How strong an emotion is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Cue:
    """Something that carried a mood: words that were said, or how they sounded."""

    kind: str  # "word" or "sound"
    what: str  # the words, or the name of the sound's feature
    weight: float  # share of the evidence, 0..1


@dataclass(frozen=True, slots=True)
class EmotionEstimate(Lasting):
    """In what mood an utterance was said, or the part of it that one person said."""

    leg: int
    utterance: int
    start_ms: int  # from the start of the call
    end_ms: int
    emotion: Emotion | None  # None: unsure
    level: Level | None
    probabilities: Mapping[Emotion, float]  # calibrated, sum 1
    cues: tuple[Cue, ...]
    model: str
    demo: bool
    speaker: int = -1  # counted from 0 over the whole call; -1: unknown


@dataclass(frozen=True, slots=True)
class Alert(Lasting):
    """A leg's mood has passed the level that a deployment watches for."""

    leg: int
    utterance: int
    emotion: Emotion
    level: Level
    at_ms: int
    demo: bool


class CallState(StrEnum):
    """Where a call is in its life. The last three are final."""

    QUEUED = "queued"  # an accepted recording that waits for its turn
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Ended:
    """The last that is told of a call."""

    state: CallState
    error: str = ""  # why it failed
    cut_short: bool = False  # there was more audio than was heard


Event = Partial | Lasting | AudioProgress | Ended


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event as those see it who follow a call.

    `sequence` counts what lasts, from 1; what is shown for the moment has the last one's.
    """

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True)
class Leg:
    """One audio channel of a call."""

    number: int  # 0-based
    role: LegRole
    speakers: int  # heard on it; 0 if unknown


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker said without a break."""

    id: str  # unique in its call, e.g. "0.12"; "0.12.1" for a second speaker in one final
    leg: int
    speaker: int  # counted from 0 over the whole call; -1: unknown
    role: LegRole
    text: str
    words: tuple[SpokenWord, ...]
    start_ms: int
    end_ms: int
    confidence: float  # 0..1
    mood: EmotionEstimate | None = None
    model: str = ""  # that heard it, "name version"
    corrections: tuple[TermCorrection, ...] = ()
    loudness_db: float | None = None  # dBFS, of the final that it is of; None: not measured


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One of the 7 x 3 cells."""

    emotion: Emotion
    level: Level
    utterances: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class EmotionPoint:
    """One utterance on the curve."""

    utterance: str  # its id
    at_ms: int  # its middle
    speaker: int
    emotion: Emotion | None  # None: unsure
    level: Level | None
    valence: float  # -1 (furious, high) to 1 (happy, high)


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """Where a speaker's mood changed by much."""

    utterance: str
    at_ms: int
    before: Emotion
    after: Emotion


@dataclass(frozen=True, slots=True)
class EmotionSummary:
    """The emotion matrix of a call and its course."""

    matrix: tuple[MatrixCell, ...]  # all 21, by emotion and level
    curve: tuple[EmotionPoint, ...]
    peaks: tuple[EmotionPoint, ...]  # the worst, worst first, of whoever is not the agent
    turning_points: tuple[TurningPoint, ...]
    unsure: int  # utterances whose mood could not be told


@dataclass(frozen=True, slots=True)
class CallRecord:
    """All that is known of a call, running or over."""

    id: str
    name: str  # the caller's own id for it; may be empty
    state: CallState
    live: bool  # False: a recording
    door: str
    started_at: float  # s since 1970
    duration_ms: int
    legs: tuple[Leg, ...]
    utterances: tuple[Utterance, ...]  # by start
    settled: bool  # speakers are final
    language: str
    model: str
    demo: bool
    error: str = ""
    cut_short: bool = False
    notes: tuple[str, ...] = ()  # what a reader should know, e.g. speakers that were not told
    moods: EmotionSummary | None = None  # None: none were told
    alerts: tuple[Alert, ...] = ()
    derived: Mapping[str, Any] = field(default_factory=dict)  # JSON, by kind


@dataclass(frozen=True, slots=True)
class Transcript:
    """A finished call."""

    finals: tuple[Final, ...]  # by start time
    duration_ms: int
    legs: int
    language: str
    model: str
    demo: bool
    cut_short: bool = False  # the header promised more audio than came
    attributions: tuple[Attribution, ...] = ()  # settled, of legs that carry several people
    notice: str = ""  # what its readers should know of the model
