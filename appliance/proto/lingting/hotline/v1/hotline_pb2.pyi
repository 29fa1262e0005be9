import datetime

from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_ENCODING_UNSPECIFIED: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_PCM_S16LE: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_ALAW: _ClassVar[AudioEncoding]
    AUDIO_ENCODING_MULAW: _ClassVar[AudioEncoding]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_AGENT: _ClassVar[Role]
    ROLE_CITIZEN: _ClassVar[Role]

class Emotion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMOTION_UNSPECIFIED: _ClassVar[Emotion]
    EMOTION_CALM: _ClassVar[Emotion]
    EMOTION_HAPPY: _ClassVar[Emotion]
    EMOTION_DISAPPOINTED: _ClassVar[Emotion]
    EMOTION_ANXIOUS: _ClassVar[Emotion]
    EMOTION_ANNOYED: _ClassVar[Emotion]
    EMOTION_FURIOUS: _ClassVar[Emotion]
    EMOTION_SAD: _ClassVar[Emotion]

class Level(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEVEL_UNSPECIFIED: _ClassVar[Level]
    LEVEL_LOW: _ClassVar[Level]
    LEVEL_MEDIUM: _ClassVar[Level]
    LEVEL_HIGH: _ClassVar[Level]
AUDIO_ENCODING_UNSPECIFIED: AudioEncoding
AUDIO_ENCODING_PCM_S16LE: AudioEncoding
AUDIO_ENCODING_ALAW: AudioEncoding
AUDIO_ENCODING_MULAW: AudioEncoding
ROLE_UNSPECIFIED: Role
ROLE_AGENT: Role
ROLE_CITIZEN: Role
EMOTION_UNSPECIFIED: Emotion
EMOTION_CALM: Emotion
EMOTION_HAPPY: Emotion
EMOTION_DISAPPOINTED: Emotion
EMOTION_ANXIOUS: Emotion
EMOTION_ANNOYED: Emotion
EMOTION_FURIOUS: Emotion
EMOTION_SAD: Emotion
LEVEL_UNSPECIFIED: Level
LEVEL_LOW: Level
LEVEL_MEDIUM: Level
LEVEL_HIGH: Level

class CallConfig(_message.Message):
    __slots__ = ("encoding", "sample_rate_hertz", "channels", "call_id", "language", "hotwords", "partials", "diarize", "min_speakers", "max_speakers", "leg_roles", "moods", "hang_up", "begin_time", "caller", "agent")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HERTZ_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    HOTWORDS_FIELD_NUMBER: _ClassVar[int]
    PARTIALS_FIELD_NUMBER: _ClassVar[int]
    DIARIZE_FIELD_NUMBER: _ClassVar[int]
    MIN_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MAX_SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    LEG_ROLES_FIELD_NUMBER: _ClassVar[int]
    MOODS_FIELD_NUMBER: _ClassVar[int]
    HANG_UP_FIELD_NUMBER: _ClassVar[int]
    BEGIN_TIME_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    encoding: AudioEncoding
    sample_rate_hertz: int
    channels: int
    call_id: str
    language: str
    hotwords: _containers.RepeatedScalarFieldContainer[str]
    partials: bool
    diarize: bool
    min_speakers: int
    max_speakers: int
    leg_roles: _containers.RepeatedScalarFieldContainer[Role]
    moods: bool
    hang_up: Role
    begin_time: _timestamp_pb2.Timestamp
    caller: str
    agent: str
    def __init__(self, encoding: _Optional[_Union[AudioEncoding, str]] = ..., sample_rate_hertz: _Optional[int] = ..., channels: _Optional[int] = ..., call_id: _Optional[str] = ..., language: _Optional[str] = ..., hotwords: _Optional[_Iterable[str]] = ..., partials: _Optional[bool] = ..., diarize: _Optional[bool] = ..., min_speakers: _Optional[int] = ..., max_speakers: _Optional[int] = ..., leg_roles: _Optional[_Iterable[_Union[Role, str]]] = ..., moods: _Optional[bool] = ..., hang_up: _Optional[_Union[Role, str]] = ..., begin_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., caller: _Optional[str] = ..., agent: _Optional[str] = ...) -> None: ...

class StreamCallRequest(_message.Message):
    __slots__ = ("config", "audio")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    config: CallConfig
    audio: Audio
    def __init__(self, config: _Optional[_Union[CallConfig, _Mapping]] = ..., audio: _Optional[_Union[Audio, _Mapping]] = ...) -> None: ...

class Audio(_message.Message):
    __slots__ = ("leg", "content")
    LEG_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    leg: int
    content: bytes
    def __init__(self, leg: _Optional[int] = ..., content: _Optional[bytes] = ...) -> None: ...

class CreateRecordingRequest(_message.Message):
    __slots__ = ("config", "content")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    config: RecordingConfig
    content: bytes
    def __init__(self, config: _Optional[_Union[RecordingConfig, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class RecordingConfig(_message.Message):
    __slots__ = ("call", "request_id")
    CALL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    call: CallConfig
    request_id: str
    def __init__(self, call: _Optional[_Union[CallConfig, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class WatchCallRequest(_message.Message):
    __slots__ = ("name", "after", "partials")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    PARTIALS_FIELD_NUMBER: _ClassVar[int]
    name: str
    after: int
    partials: bool
    def __init__(self, name: _Optional[str] = ..., after: _Optional[int] = ..., partials: _Optional[bool] = ...) -> None: ...

class GetCallRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListCallsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "filter")
    class Filter(_message.Message):
        __slots__ = ("state", "call_id", "since", "until", "min_level")
        STATE_FIELD_NUMBER: _ClassVar[int]
        CALL_ID_FIELD_NUMBER: _ClassVar[int]
        SINCE_FIELD_NUMBER: _ClassVar[int]
        UNTIL_FIELD_NUMBER: _ClassVar[int]
        MIN_LEVEL_FIELD_NUMBER: _ClassVar[int]
        state: Call.State
        call_id: str
        since: _timestamp_pb2.Timestamp
        until: _timestamp_pb2.Timestamp
        min_level: Level
        def __init__(self, state: _Optional[_Union[Call.State, str]] = ..., call_id: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., min_level: _Optional[_Union[Level, str]] = ...) -> None: ...
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    filter: ListCallsRequest.Filter
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[_Union[ListCallsRequest.Filter, _Mapping]] = ...) -> None: ...

class ListCallsResponse(_message.Message):
    __slots__ = ("calls", "next_page_token")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[CallSummary]
    next_page_token: str
    def __init__(self, calls: _Optional[_Iterable[_Union[CallSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteCallRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("text", "start_ms", "end_ms", "confidence")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    start_ms: int
    end_ms: int
    confidence: float
    def __init__(self, text: _Optional[str] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., confidence: _Optional[float] = ...) -> None: ...

class Cue(_message.Message):
    __slots__ = ("kind", "what", "weight")
    KIND_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    what: str
    weight: float
    def __init__(self, kind: _Optional[str] = ..., what: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class Mood(_message.Message):
    __slots__ = ("emotion", "level", "probabilities", "cues", "demo")
    class ProbabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    CUES_FIELD_NUMBER: _ClassVar[int]
    DEMO_FIELD_NUMBER: _ClassVar[int]
    emotion: Emotion
    level: Level
    probabilities: _containers.ScalarMap[str, float]
    cues: _containers.RepeatedCompositeFieldContainer[Cue]
    demo: bool
    def __init__(self, emotion: _Optional[_Union[Emotion, str]] = ..., level: _Optional[_Union[Level, str]] = ..., probabilities: _Optional[_Mapping[str, float]] = ..., cues: _Optional[_Iterable[_Union[Cue, _Mapping]]] = ..., demo: _Optional[bool] = ...) -> None: ...

class Utterance(_message.Message):
    __slots__ = ("id", "leg", "speaker", "role", "text", "words", "start_ms", "end_ms", "confidence", "mood", "model", "corrections", "loudness_db")
    ID_FIELD_NUMBER: _ClassVar[int]
    LEG_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MOOD_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    LOUDNESS_DB_FIELD_NUMBER: _ClassVar[int]
    id: str
    leg: int
    speaker: int
    role: Role
    text: str
    words: _containers.RepeatedCompositeFieldContainer[Word]
    start_ms: int
    end_ms: int
    confidence: float
    mood: Mood
    model: str
    corrections: _containers.RepeatedCompositeFieldContainer[Correction]
    loudness_db: float
    def __init__(self, id: _Optional[str] = ..., leg: _Optional[int] = ..., speaker: _Optional[int] = ..., role: _Optional[_Union[Role, str]] = ..., text: _Optional[str] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., confidence: _Optional[float] = ..., mood: _Optional[_Union[Mood, _Mapping]] = ..., model: _Optional[str] = ..., corrections: _Optional[_Iterable[_Union[Correction, _Mapping]]] = ..., loudness_db: _Optional[float] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("heard", "term", "score", "start_ms", "end_ms")
    HEARD_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    START_MS_FIELD_NUMBER: _ClassVar[int]
    END_MS_FIELD_NUMBER: _ClassVar[int]
    heard: str
    term: str
    score: float
    start_ms: int
    end_ms: int
    def __init__(self, heard: _Optional[str] = ..., term: _Optional[str] = ..., score: _Optional[float] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ...) -> None: ...

class Leg(_message.Message):
    __slots__ = ("number", "role", "speakers")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    number: int
    role: Role
    speakers: int
    def __init__(self, number: _Optional[int] = ..., role: _Optional[_Union[Role, str]] = ..., speakers: _Optional[int] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("name", "call_id", "state", "live", "start_time", "duration", "legs", "utterances", "settled", "language", "model", "demo", "error", "cut_short", "notes", "moods", "alerts", "derived")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Call.State]
        STATE_QUEUED: _ClassVar[Call.State]
        STATE_RUNNING: _ClassVar[Call.State]
        STATE_FINISHED: _ClassVar[Call.State]
        STATE_FAILED: _ClassVar[Call.State]
        STATE_CANCELLED: _ClassVar[Call.State]
    STATE_UNSPECIFIED: Call.State
    STATE_QUEUED: Call.State
    STATE_RUNNING: Call.State
    STATE_FINISHED: Call.State
    STATE_FAILED: Call.State
    STATE_CANCELLED: Call.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    LEGS_FIELD_NUMBER: _ClassVar[int]
    UTTERANCES_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DEMO_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CUT_SHORT_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    MOODS_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    DERIVED_FIELD_NUMBER: _ClassVar[int]
    name: str
    call_id: str
    state: Call.State
    live: bool
    start_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    legs: _containers.RepeatedCompositeFieldContainer[Leg]
    utterances: _containers.RepeatedCompositeFieldContainer[Utterance]
    settled: bool
    language: str
    model: str
    demo: bool
    error: str
    cut_short: bool
    notes: _containers.RepeatedScalarFieldContainer[str]
    moods: Moods
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    derived: _struct_pb2.Struct
    def __init__(self, name: _Optional[str] = ..., call_id: _Optional[str] = ..., state: _Optional[_Union[Call.State, str]] = ..., live: _Optional[bool] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., legs: _Optional[_Iterable[_Union[Leg, _Mapping]]] = ..., utterances: _Optional[_Iterable[_Union[Utterance, _Mapping]]] = ..., settled: _Optional[bool] = ..., language: _Optional[str] = ..., model: _Optional[str] = ..., demo: _Optional[bool] = ..., error: _Optional[str] = ..., cut_short: _Optional[bool] = ..., notes: _Optional[_Iterable[str]] = ..., moods: _Optional[_Union[Moods, _Mapping]] = ..., alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., derived: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Moods(_message.Message):
    __slots__ = ("matrix", "curve", "peaks", "turning_points", "unsure")
    class Cell(_message.Message):
        __slots__ = ("emotion", "level", "utterances", "duration")
        EMOTION_FIELD_NUMBER: _ClassVar[int]
        LEVEL_FIELD_NUMBER: _ClassVar[int]
        UTTERANCES_FIELD_NUMBER: _ClassVar[int]
        DURATION_FIELD_NUMBER: _ClassVar[int]
        emotion: Emotion
        level: Level
        utterances: int
        duration: _duration_pb2.Duration
        def __init__(self, emotion: _Optional[_Union[Emotion, str]] = ..., level: _Optional[_Union[Level, str]] = ..., utterances: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    class Point(_message.Message):
        __slots__ = ("utterance", "at_ms", "speaker", "emotion", "level", "valence")
        UTTERANCE_FIELD_NUMBER: _ClassVar[int]
        AT_MS_FIELD_NUMBER: _ClassVar[int]
        SPEAKER_FIELD_NUMBER: _ClassVar[int]
        EMOTION_FIELD_NUMBER: _ClassVar[int]
        LEVEL_FIELD_NUMBER: _ClassVar[int]
        VALENCE_FIELD_NUMBER: _ClassVar[int]
        utterance: str
        at_ms: int
        speaker: int
        emotion: Emotion
        level: Level
        valence: float
        def __init__(self, utterance: _Optional[str] = ..., at_ms: _Optional[int] = ..., speaker: _Optional[int] = ..., emotion: _Optional[_Union[Emotion, str]] = ..., level: _Optional[_Union[Level, str]] = ..., valence: _Optional[float] = ...) -> None: ...
    class TurningPoint(_message.Message):
        __slots__ = ("utterance", "at_ms", "before", "after")
        UTTERANCE_FIELD_NUMBER: _ClassVar[int]
        AT_MS_FIELD_NUMBER: _ClassVar[int]
        BEFORE_FIELD_NUMBER: _ClassVar[int]
        AFTER_FIELD_NUMBER: _ClassVar[int]
        utterance: str
        at_ms: int
        before: Emotion
        after: Emotion
        def __init__(self, utterance: _Optional[str] = ..., at_ms: _Optional[int] = ..., before: _Optional[_Union[Emotion, str]] = ..., after: _Optional[_Union[Emotion, str]] = ...) -> None: ...
    MATRIX_FIELD_NUMBER: _ClassVar[int]
    CURVE_FIELD_NUMBER: _ClassVar[int]
    PEAKS_FIELD_NUMBER: _ClassVar[int]
    TURNING_POINTS_FIELD_NUMBER: _ClassVar[int]
    UNSURE_FIELD_NUMBER: _ClassVar[int]
    matrix: _containers.RepeatedCompositeFieldContainer[Moods.Cell]
    curve: _containers.RepeatedCompositeFieldContainer[Moods.Point]
    peaks: _containers.RepeatedCompositeFieldContainer[Moods.Point]
    turning_points: _containers.RepeatedCompositeFieldContainer[Moods.TurningPoint]
    unsure: int
    def __init__(self, matrix: _Optional[_Iterable[_Union[Moods.Cell, _Mapping]]] = ..., curve: _Optional[_Iterable[_Union[Moods.Point, _Mapping]]] = ..., peaks: _Optional[_Iterable[_Union[Moods.Point, _Mapping]]] = ..., turning_points: _Optional[_Iterable[_Union[Moods.TurningPoint, _Mapping]]] = ..., unsure: _Optional[int] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("utterance", "leg", "emotion", "level", "at_ms", "demo")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    LEG_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    DEMO_FIELD_NUMBER: _ClassVar[int]
    utterance: str
    leg: int
    emotion: Emotion
    level: Level
    at_ms: int
    demo: bool
    def __init__(self, utterance: _Optional[str] = ..., leg: _Optional[int] = ..., emotion: _Optional[_Union[Emotion, str]] = ..., level: _Optional[_Union[Level, str]] = ..., at_ms: _Optional[int] = ..., demo: _Optional[bool] = ...) -> None: ...

class CallSummary(_message.Message):
    __slots__ = ("name", "call_id", "state", "live", "create_time", "end_time", "duration", "peak_emotion", "peak_level", "error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIVE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    PEAK_EMOTION_FIELD_NUMBER: _ClassVar[int]
    PEAK_LEVEL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    call_id: str
    state: Call.State
    live: bool
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    duration: _duration_pb2.Duration
    peak_emotion: Emotion
    peak_level: Level
    error: str
    def __init__(self, name: _Optional[str] = ..., call_id: _Optional[str] = ..., state: _Optional[_Union[Call.State, str]] = ..., live: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., peak_emotion: _Optional[_Union[Emotion, str]] = ..., peak_level: _Optional[_Union[Level, str]] = ..., error: _Optional[str] = ...) -> None: ...

class RecordingMetadata(_message.Message):
    __slots__ = ("name", "state", "progress")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: Call.State
    progress: float
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[Call.State, str]] = ..., progress: _Optional[float] = ...) -> None: ...

class CallEvent(_message.Message):
    __slots__ = ("name", "sequence", "partial", "final", "speakers", "mood", "ended", "alert", "derived", "error", "cut_short")
    class Said(_message.Message):
        __slots__ = ("utterance", "leg", "text", "start_ms", "end_ms", "words", "confidence", "demo", "corrections", "loudness_db")
        UTTERANCE_FIELD_NUMBER: _ClassVar[int]
        LEG_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        START_MS_FIELD_NUMBER: _ClassVar[int]
        END_MS_FIELD_NUMBER: _ClassVar[int]
        WORDS_FIELD_NUMBER: _ClassVar[int]
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        DEMO_FIELD_NUMBER: _ClassVar[int]
        CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
        LOUDNESS_DB_FIELD_NUMBER: _ClassVar[int]
        utterance: str
        leg: int
        text: str
        start_ms: int
        end_ms: int
        words: _containers.RepeatedCompositeFieldContainer[Word]
        confidence: float
        demo: bool
        corrections: _containers.RepeatedCompositeFieldContainer[Correction]
        loudness_db: float
        def __init__(self, utterance: _Optional[str] = ..., leg: _Optional[int] = ..., text: _Optional[str] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., words: _Optional[_Iterable[_Union[Word, _Mapping]]] = ..., confidence: _Optional[float] = ..., demo: _Optional[bool] = ..., corrections: _Optional[_Iterable[_Union[Correction, _Mapping]]] = ..., loudness_db: _Optional[float] = ...) -> None: ...
    class Derived(_message.Message):
        __slots__ = ("kind", "data")
        KIND_FIELD_NUMBER: _ClassVar[int]
        DATA_FIELD_NUMBER: _ClassVar[int]
        kind: str
        data: _struct_pb2.Struct
        def __init__(self, kind: _Optional[str] = ..., data: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
    class Speakers(_message.Message):
        __slots__ = ("leg", "turns", "settled", "demo")
        LEG_FIELD_NUMBER: _ClassVar[int]
        TURNS_FIELD_NUMBER: _ClassVar[int]
        SETTLED_FIELD_NUMBER: _ClassVar[int]
        DEMO_FIELD_NUMBER: _ClassVar[int]
        leg: int
        turns: _containers.RepeatedCompositeFieldContainer[CallEvent.Turn]
        settled: bool
        demo: bool
        def __init__(self, leg: _Optional[int] = ..., turns: _Optional[_Iterable[_Union[CallEvent.Turn, _Mapping]]] = ..., settled: _Optional[bool] = ..., demo: _Optional[bool] = ...) -> None: ...
    class Turn(_message.Message):
        __slots__ = ("speaker", "start_ms", "end_ms")
        SPEAKER_FIELD_NUMBER: _ClassVar[int]
        START_MS_FIELD_NUMBER: _ClassVar[int]
        END_MS_FIELD_NUMBER: _ClassVar[int]
        speaker: int
        start_ms: int
        end_ms: int
        def __init__(self, speaker: _Optional[int] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ...) -> None: ...
    class MoodTold(_message.Message):
        __slots__ = ("utterance", "leg", "mood", "start_ms", "end_ms")
        UTTERANCE_FIELD_NUMBER: _ClassVar[int]
        LEG_FIELD_NUMBER: _ClassVar[int]
        MOOD_FIELD_NUMBER: _ClassVar[int]
        START_MS_FIELD_NUMBER: _ClassVar[int]
        END_MS_FIELD_NUMBER: _ClassVar[int]
        utterance: str
        leg: int
        mood: Mood
        start_ms: int
        end_ms: int
        def __init__(self, utterance: _Optional[str] = ..., leg: _Optional[int] = ..., mood: _Optional[_Union[Mood, _Mapping]] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    SPEAKERS_FIELD_NUMBER: _ClassVar[int]
    MOOD_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    DERIVED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CUT_SHORT_FIELD_NUMBER: _ClassVar[int]
    name: str
    sequence: int
    partial: CallEvent.Said
    final: CallEvent.Said
    speakers: CallEvent.Speakers
    mood: CallEvent.MoodTold
    ended: Call.State
    alert: Alert
    derived: CallEvent.Derived
    error: str
    cut_short: bool
    def __init__(self, name: _Optional[str] = ..., sequence: _Optional[int] = ..., partial: _Optional[_Union[CallEvent.Said, _Mapping]] = ..., final: _Optional[_Union[CallEvent.Said, _Mapping]] = ..., speakers: _Optional[_Union[CallEvent.Speakers, _Mapping]] = ..., mood: _Optional[_Union[CallEvent.MoodTold, _Mapping]] = ..., ended: _Optional[_Union[Call.State, str]] = ..., alert: _Optional[_Union[Alert, _Mapping]] = ..., derived: _Optional[_Union[CallEvent.Derived, _Mapping]] = ..., error: _Optional[str] = ..., cut_short: _Optional[bool] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "states", "unit", "category", "division", "phone", "since", "until", "show_persons")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    DIVISION_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    SHOW_PERSONS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    states: _containers.RepeatedScalarFieldContainer[str]
    unit: str
    category: str
    division: str
    phone: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    show_persons: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., states: _Optional[_Iterable[str]] = ..., unit: _Optional[str] = ..., category: _Optional[str] = ..., division: _Optional[str] = ..., phone: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., show_persons: _Optional[bool] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("orders", "next_page_token")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    next_page_token: str
    def __init__(self, orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UpdateOrderRequest(_message.Message):
    __slots__ = ("name", "fields", "version")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    fields: _containers.ScalarMap[str, str]
    version: int
    def __init__(self, name: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ..., version: _Optional[int] = ...) -> None: ...

class MoveOrderRequest(_message.Message):
    __slots__ = ("name", "action", "unit", "reason", "text", "days", "units", "into", "solved", "satisfaction", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    INTO_FIELD_NUMBER: _ClassVar[int]
    SOLVED_FIELD_NUMBER: _ClassVar[int]
    SATISFACTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    action: str
    unit: str
    reason: str
    text: str
    days: float
    units: _containers.RepeatedScalarFieldContainer[str]
    into: str
    solved: bool
    satisfaction: int
    version: int
    def __init__(self, name: _Optional[str] = ..., action: _Optional[str] = ..., unit: _Optional[str] = ..., reason: _Optional[str] = ..., text: _Optional[str] = ..., days: _Optional[float] = ..., units: _Optional[_Iterable[str]] = ..., into: _Optional[str] = ..., solved: _Optional[bool] = ..., satisfaction: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class CreateTextRequest(_message.Message):
    __slots__ = ("channel", "text", "author", "phone", "message_id", "attachments", "request_id")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    channel: str
    text: str
    author: str
    phone: str
    message_id: str
    attachments: _containers.RepeatedScalarFieldContainer[str]
    request_id: str
    def __init__(self, channel: _Optional[str] = ..., text: _Optional[str] = ..., author: _Optional[str] = ..., phone: _Optional[str] = ..., message_id: _Optional[str] = ..., attachments: _Optional[_Iterable[str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CallOrders(_message.Message):
    __slots__ = ("call", "drafts", "orders")
    CALL_FIELD_NUMBER: _ClassVar[int]
    DRAFTS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    call: str
    drafts: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, call: _Optional[str] = ..., drafts: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ..., orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("name", "number", "call", "matter", "channel", "state", "version", "pack", "category", "division", "tier", "create_time", "due_time", "end_time", "units", "body", "masked")
    class UnitPart(_message.Message):
        __slots__ = ("unit", "main", "state", "due_time")
        UNIT_FIELD_NUMBER: _ClassVar[int]
        MAIN_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        DUE_TIME_FIELD_NUMBER: _ClassVar[int]
        unit: str
        main: bool
        state: str
        due_time: _timestamp_pb2.Timestamp
        def __init__(self, unit: _Optional[str] = ..., main: _Optional[bool] = ..., state: _Optional[str] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    MATTER_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    DIVISION_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    name: str
    number: str
    call: str
    matter: int
    channel: str
    state: str
    version: int
    pack: str
    category: str
    division: str
    tier: str
    create_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    units: _containers.RepeatedCompositeFieldContainer[Order.UnitPart]
    body: _struct_pb2.Struct
    masked: bool
    def __init__(self, name: _Optional[str] = ..., number: _Optional[str] = ..., call: _Optional[str] = ..., matter: _Optional[int] = ..., channel: _Optional[str] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., pack: _Optional[str] = ..., category: _Optional[str] = ..., division: _Optional[str] = ..., tier: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., units: _Optional[_Iterable[_Union[Order.UnitPart, _Mapping]]] = ..., body: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., masked: _Optional[bool] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("name", "questions", "answer", "kind", "department", "scope", "valid_from", "valid_to", "source", "tags", "state", "version", "gap", "replaces", "changed_by", "approved_by", "changed_at", "taken", "rejected", "absorbs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_FIELD_NUMBER: _ClassVar[int]
    VALID_TO_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    REPLACES_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    APPROVED_BY_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    ABSORBS_FIELD_NUMBER: _ClassVar[int]
    name: str
    questions: _containers.RepeatedScalarFieldContainer[str]
    answer: str
    kind: str
    department: str
    scope: str
    valid_from: str
    valid_to: str
    source: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    state: str
    version: int
    gap: str
    replaces: str
    changed_by: str
    approved_by: str
    changed_at: _timestamp_pb2.Timestamp
    taken: int
    rejected: int
    absorbs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., questions: _Optional[_Iterable[str]] = ..., answer: _Optional[str] = ..., kind: _Optional[str] = ..., department: _Optional[str] = ..., scope: _Optional[str] = ..., valid_from: _Optional[str] = ..., valid_to: _Optional[str] = ..., source: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., state: _Optional[str] = ..., version: _Optional[int] = ..., gap: _Optional[str] = ..., replaces: _Optional[str] = ..., changed_by: _Optional[str] = ..., approved_by: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., taken: _Optional[int] = ..., rejected: _Optional[int] = ..., absorbs: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchEntriesRequest(_message.Message):
    __slots__ = ("question", "place", "day", "most")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    question: str
    place: str
    day: str
    most: int
    def __init__(self, question: _Optional[str] = ..., place: _Optional[str] = ..., day: _Optional[str] = ..., most: _Optional[int] = ...) -> None: ...

class SearchEntriesResponse(_message.Message):
    __slots__ = ("found",)
    class Found(_message.Message):
        __slots__ = ("entry", "confidence", "begin", "end", "marks", "also")
        ENTRY_FIELD_NUMBER: _ClassVar[int]
        CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
        BEGIN_FIELD_NUMBER: _ClassVar[int]
        END_FIELD_NUMBER: _ClassVar[int]
        MARKS_FIELD_NUMBER: _ClassVar[int]
        ALSO_FIELD_NUMBER: _ClassVar[int]
        entry: Entry
        confidence: float
        begin: int
        end: int
        marks: _containers.RepeatedCompositeFieldContainer[SearchEntriesResponse.Mark]
        also: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, entry: _Optional[_Union[Entry, _Mapping]] = ..., confidence: _Optional[float] = ..., begin: _Optional[int] = ..., end: _Optional[int] = ..., marks: _Optional[_Iterable[_Union[SearchEntriesResponse.Mark, _Mapping]]] = ..., also: _Optional[_Iterable[str]] = ...) -> None: ...
    class Mark(_message.Message):
        __slots__ = ("begin", "end")
        BEGIN_FIELD_NUMBER: _ClassVar[int]
        END_FIELD_NUMBER: _ClassVar[int]
        begin: int
        end: int
        def __init__(self, begin: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...
    FOUND_FIELD_NUMBER: _ClassVar[int]
    found: _containers.RepeatedCompositeFieldContainer[SearchEntriesResponse.Found]
    def __init__(self, found: _Optional[_Iterable[_Union[SearchEntriesResponse.Found, _Mapping]]] = ...) -> None: ...

class ListEntriesRequest(_message.Message):
    __slots__ = ("state", "page_size", "page_token")
    STATE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    state: str
    page_size: int
    page_token: str
    def __init__(self, state: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetEntryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ImportEntriesRequest(_message.Message):
    __slots__ = ("entries", "approve")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    APPROVE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    approve: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., approve: _Optional[bool] = ...) -> None: ...

class ImportEntriesResponse(_message.Message):
    __slots__ = ("names", "contradictions", "undated")
    class Contradiction(_message.Message):
        __slots__ = ("entry", "other", "why")
        ENTRY_FIELD_NUMBER: _ClassVar[int]
        OTHER_FIELD_NUMBER: _ClassVar[int]
        WHY_FIELD_NUMBER: _ClassVar[int]
        entry: str
        other: str
        why: str
        def __init__(self, entry: _Optional[str] = ..., other: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...
    NAMES_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTIONS_FIELD_NUMBER: _ClassVar[int]
    UNDATED_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    contradictions: _containers.RepeatedCompositeFieldContainer[ImportEntriesResponse.Contradiction]
    undated: int
    def __init__(self, names: _Optional[_Iterable[str]] = ..., contradictions: _Optional[_Iterable[_Union[ImportEntriesResponse.Contradiction, _Mapping]]] = ..., undated: _Optional[int] = ...) -> None: ...

class UpdateEntryRequest(_message.Message):
    __slots__ = ("entry", "version")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    entry: Entry
    version: int
    def __init__(self, entry: _Optional[_Union[Entry, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class ApproveEntryRequest(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class RetireEntryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListGapsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListGapsResponse(_message.Message):
    __slots__ = ("gaps",)
    GAPS_FIELD_NUMBER: _ClassVar[int]
    gaps: _containers.RepeatedCompositeFieldContainer[Gap]
    def __init__(self, gaps: _Optional[_Iterable[_Union[Gap, _Mapping]]] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("name", "title", "questions", "place", "answer", "samples")
    class Sample(_message.Message):
        __slots__ = ("call", "text", "at")
        CALL_FIELD_NUMBER: _ClassVar[int]
        TEXT_FIELD_NUMBER: _ClassVar[int]
        AT_FIELD_NUMBER: _ClassVar[int]
        call: str
        text: str
        at: _timestamp_pb2.Timestamp
        def __init__(self, call: _Optional[str] = ..., text: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    questions: int
    place: str
    answer: str
    samples: _containers.RepeatedCompositeFieldContainer[Gap.Sample]
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., questions: _Optional[int] = ..., place: _Optional[str] = ..., answer: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[Gap.Sample, _Mapping]]] = ...) -> None: ...

class DraftForGapRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class Suggestions(_message.Message):
    __slots__ = ("utterance", "question", "entries")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    utterance: str
    question: str
    entries: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    def __init__(self, utterance: _Optional[str] = ..., question: _Optional[str] = ..., entries: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ...) -> None: ...

class JudgeSuggestionRequest(_message.Message):
    __slots__ = ("call", "entry", "taken")
    CALL_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    call: str
    entry: str
    taken: bool
    def __init__(self, call: _Optional[str] = ..., entry: _Optional[str] = ..., taken: _Optional[bool] = ...) -> None: ...

class SendSuggestionRequest(_message.Message):
    __slots__ = ("call", "entry", "channel")
    CALL_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    call: str
    entry: str
    channel: str
    def __init__(self, call: _Optional[str] = ..., entry: _Optional[str] = ..., channel: _Optional[str] = ...) -> None: ...

class Inspection(_message.Message):
    __slots__ = ("call", "agent", "total", "pack", "at", "findings", "events")
    class Finding(_message.Message):
        __slots__ = ("rule", "name", "group", "severity", "finding", "first", "points", "eased", "advice", "appeal", "proofs")
        RULE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        GROUP_FIELD_NUMBER: _ClassVar[int]
        SEVERITY_FIELD_NUMBER: _ClassVar[int]
        FINDING_FIELD_NUMBER: _ClassVar[int]
        FIRST_FIELD_NUMBER: _ClassVar[int]
        POINTS_FIELD_NUMBER: _ClassVar[int]
        EASED_FIELD_NUMBER: _ClassVar[int]
        ADVICE_FIELD_NUMBER: _ClassVar[int]
        APPEAL_FIELD_NUMBER: _ClassVar[int]
        PROOFS_FIELD_NUMBER: _ClassVar[int]
        rule: str
        name: str
        group: str
        severity: str
        finding: str
        first: str
        points: float
        eased: bool
        advice: str
        appeal: str
        proofs: _containers.RepeatedCompositeFieldContainer[Inspection.Proof]
        def __init__(self, rule: _Optional[str] = ..., name: _Optional[str] = ..., group: _Optional[str] = ..., severity: _Optional[str] = ..., finding: _Optional[str] = ..., first: _Optional[str] = ..., points: _Optional[float] = ..., eased: _Optional[bool] = ..., advice: _Optional[str] = ..., appeal: _Optional[str] = ..., proofs: _Optional[_Iterable[_Union[Inspection.Proof, _Mapping]]] = ...) -> None: ...
    class Proof(_message.Message):
        __slots__ = ("utterance", "start_ms", "end_ms", "words")
        UTTERANCE_FIELD_NUMBER: _ClassVar[int]
        START_MS_FIELD_NUMBER: _ClassVar[int]
        END_MS_FIELD_NUMBER: _ClassVar[int]
        WORDS_FIELD_NUMBER: _ClassVar[int]
        utterance: str
        start_ms: int
        end_ms: int
        words: str
        def __init__(self, utterance: _Optional[str] = ..., start_ms: _Optional[int] = ..., end_ms: _Optional[int] = ..., words: _Optional[str] = ...) -> None: ...
    class Event(_message.Message):
        __slots__ = ("action", "who", "rule", "reason", "at")
        ACTION_FIELD_NUMBER: _ClassVar[int]
        WHO_FIELD_NUMBER: _ClassVar[int]
        RULE_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        AT_FIELD_NUMBER: _ClassVar[int]
        action: str
        who: str
        rule: str
        reason: str
        at: _timestamp_pb2.Timestamp
        def __init__(self, action: _Optional[str] = ..., who: _Optional[str] = ..., rule: _Optional[str] = ..., reason: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    CALL_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    call: str
    agent: str
    total: float
    pack: str
    at: _timestamp_pb2.Timestamp
    findings: _containers.RepeatedCompositeFieldContainer[Inspection.Finding]
    events: _containers.RepeatedCompositeFieldContainer[Inspection.Event]
    def __init__(self, call: _Optional[str] = ..., agent: _Optional[str] = ..., total: _Optional[float] = ..., pack: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., findings: _Optional[_Iterable[_Union[Inspection.Finding, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Inspection.Event, _Mapping]]] = ...) -> None: ...

class DecideFindingRequest(_message.Message):
    __slots__ = ("call", "rule", "action", "reason", "finding")
    CALL_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    call: str
    rule: str
    action: str
    reason: str
    finding: str
    def __init__(self, call: _Optional[str] = ..., rule: _Optional[str] = ..., action: _Optional[str] = ..., reason: _Optional[str] = ..., finding: _Optional[str] = ...) -> None: ...

class SampleCallsRequest(_message.Message):
    __slots__ = ("by", "n", "agent", "since", "until")
    BY_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    by: str
    n: int
    agent: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, by: _Optional[str] = ..., n: _Optional[int] = ..., agent: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SampleCallsResponse(_message.Message):
    __slots__ = ("calls",)
    class SampledCall(_message.Message):
        __slots__ = ("call", "agent", "at", "total", "violated", "open_appeals")
        CALL_FIELD_NUMBER: _ClassVar[int]
        AGENT_FIELD_NUMBER: _ClassVar[int]
        AT_FIELD_NUMBER: _ClassVar[int]
        TOTAL_FIELD_NUMBER: _ClassVar[int]
        VIOLATED_FIELD_NUMBER: _ClassVar[int]
        OPEN_APPEALS_FIELD_NUMBER: _ClassVar[int]
        call: str
        agent: str
        at: _timestamp_pb2.Timestamp
        total: float
        violated: int
        open_appeals: int
        def __init__(self, call: _Optional[str] = ..., agent: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total: _Optional[float] = ..., violated: _Optional[int] = ..., open_appeals: _Optional[int] = ...) -> None: ...
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[SampleCallsResponse.SampledCall]
    def __init__(self, calls: _Optional[_Iterable[_Union[SampleCallsResponse.SampledCall, _Mapping]]] = ...) -> None: ...

class GetStatisticsRequest(_message.Message):
    __slots__ = ("since", "until")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class QualityStatistics(_message.Message):
    __slots__ = ("calls", "mean", "agents", "rules", "kappa")
    class Agent(_message.Message):
        __slots__ = ("agent", "calls", "mean", "low", "high", "violated")
        AGENT_FIELD_NUMBER: _ClassVar[int]
        CALLS_FIELD_NUMBER: _ClassVar[int]
        MEAN_FIELD_NUMBER: _ClassVar[int]
        LOW_FIELD_NUMBER: _ClassVar[int]
        HIGH_FIELD_NUMBER: _ClassVar[int]
        VIOLATED_FIELD_NUMBER: _ClassVar[int]
        agent: str
        calls: int
        mean: float
        low: float
        high: float
        violated: int
        def __init__(self, agent: _Optional[str] = ..., calls: _Optional[int] = ..., mean: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., violated: _Optional[int] = ...) -> None: ...
    class Rule(_message.Message):
        __slots__ = ("rule", "calls", "violated", "share", "low", "high", "unsure", "appealed", "overridden", "often_overruled")
        RULE_FIELD_NUMBER: _ClassVar[int]
        CALLS_FIELD_NUMBER: _ClassVar[int]
        VIOLATED_FIELD_NUMBER: _ClassVar[int]
        SHARE_FIELD_NUMBER: _ClassVar[int]
        LOW_FIELD_NUMBER: _ClassVar[int]
        HIGH_FIELD_NUMBER: _ClassVar[int]
        UNSURE_FIELD_NUMBER: _ClassVar[int]
        APPEALED_FIELD_NUMBER: _ClassVar[int]
        OVERRIDDEN_FIELD_NUMBER: _ClassVar[int]
        OFTEN_OVERRULED_FIELD_NUMBER: _ClassVar[int]
        rule: str
        calls: int
        violated: int
        share: float
        low: float
        high: float
        unsure: int
        appealed: int
        overridden: int
        often_overruled: bool
        def __init__(self, rule: _Optional[str] = ..., calls: _Optional[int] = ..., violated: _Optional[int] = ..., share: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., unsure: _Optional[int] = ..., appealed: _Optional[int] = ..., overridden: _Optional[int] = ..., often_overruled: _Optional[bool] = ...) -> None: ...
    CALLS_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    KAPPA_FIELD_NUMBER: _ClassVar[int]
    calls: int
    mean: float
    agents: _containers.RepeatedCompositeFieldContainer[QualityStatistics.Agent]
    rules: _containers.RepeatedCompositeFieldContainer[QualityStatistics.Rule]
    kappa: float
    def __init__(self, calls: _Optional[int] = ..., mean: _Optional[float] = ..., agents: _Optional[_Iterable[_Union[QualityStatistics.Agent, _Mapping]]] = ..., rules: _Optional[_Iterable[_Union[QualityStatistics.Rule, _Mapping]]] = ..., kappa: _Optional[float] = ...) -> None: ...

class Warning(_message.Message):
    __slots__ = ("name", "kind", "state", "title", "danger", "call", "category", "category_name", "place", "place_name", "begun_at", "told_at", "last_at", "voices", "contacts", "expected", "surprise", "timeline", "communities", "moods", "units", "orders", "events")
    class MoodsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class Bar(_message.Message):
        __slots__ = ("at", "count")
        AT_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        at: _timestamp_pb2.Timestamp
        count: int
        def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...
    class Place(_message.Message):
        __slots__ = ("place", "name", "count")
        PLACE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        place: str
        name: str
        count: int
        def __init__(self, place: _Optional[str] = ..., name: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...
    class Unit(_message.Message):
        __slots__ = ("code", "name", "open")
        CODE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        OPEN_FIELD_NUMBER: _ClassVar[int]
        code: str
        name: str
        open: int
        def __init__(self, code: _Optional[str] = ..., name: _Optional[str] = ..., open: _Optional[int] = ...) -> None: ...
    class OrderInIt(_message.Message):
        __slots__ = ("name", "number", "state", "title", "at")
        NAME_FIELD_NUMBER: _ClassVar[int]
        NUMBER_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        TITLE_FIELD_NUMBER: _ClassVar[int]
        AT_FIELD_NUMBER: _ClassVar[int]
        name: str
        number: str
        state: str
        title: str
        at: _timestamp_pb2.Timestamp
        def __init__(self, name: _Optional[str] = ..., number: _Optional[str] = ..., state: _Optional[str] = ..., title: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    class Event(_message.Message):
        __slots__ = ("at", "who", "action", "state", "reason")
        AT_FIELD_NUMBER: _ClassVar[int]
        WHO_FIELD_NUMBER: _ClassVar[int]
        ACTION_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        at: _timestamp_pb2.Timestamp
        who: str
        action: str
        state: str
        reason: str
        def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., who: _Optional[str] = ..., action: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DANGER_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_NAME_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    PLACE_NAME_FIELD_NUMBER: _ClassVar[int]
    BEGUN_AT_FIELD_NUMBER: _ClassVar[int]
    TOLD_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_AT_FIELD_NUMBER: _ClassVar[int]
    VOICES_FIELD_NUMBER: _ClassVar[int]
    CONTACTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    SURPRISE_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    MOODS_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    state: str
    title: str
    danger: str
    call: str
    category: str
    category_name: str
    place: str
    place_name: str
    begun_at: _timestamp_pb2.Timestamp
    told_at: _timestamp_pb2.Timestamp
    last_at: _timestamp_pb2.Timestamp
    voices: int
    contacts: int
    expected: float
    surprise: float
    timeline: _containers.RepeatedCompositeFieldContainer[Warning.Bar]
    communities: _containers.RepeatedCompositeFieldContainer[Warning.Place]
    moods: _containers.ScalarMap[str, int]
    units: _containers.RepeatedCompositeFieldContainer[Warning.Unit]
    orders: _containers.RepeatedCompositeFieldContainer[Warning.OrderInIt]
    events: _containers.RepeatedCompositeFieldContainer[Warning.Event]
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., state: _Optional[str] = ..., title: _Optional[str] = ..., danger: _Optional[str] = ..., call: _Optional[str] = ..., category: _Optional[str] = ..., category_name: _Optional[str] = ..., place: _Optional[str] = ..., place_name: _Optional[str] = ..., begun_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., told_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., voices: _Optional[int] = ..., contacts: _Optional[int] = ..., expected: _Optional[float] = ..., surprise: _Optional[float] = ..., timeline: _Optional[_Iterable[_Union[Warning.Bar, _Mapping]]] = ..., communities: _Optional[_Iterable[_Union[Warning.Place, _Mapping]]] = ..., moods: _Optional[_Mapping[str, int]] = ..., units: _Optional[_Iterable[_Union[Warning.Unit, _Mapping]]] = ..., orders: _Optional[_Iterable[_Union[Warning.OrderInIt, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Warning.Event, _Mapping]]] = ...) -> None: ...

class ListWarningsRequest(_message.Message):
    __slots__ = ("state", "limit", "kind")
    STATE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    state: str
    limit: int
    kind: str
    def __init__(self, state: _Optional[str] = ..., limit: _Optional[int] = ..., kind: _Optional[str] = ...) -> None: ...

class ListWarningsResponse(_message.Message):
    __slots__ = ("warnings",)
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    warnings: _containers.RepeatedCompositeFieldContainer[Warning]
    def __init__(self, warnings: _Optional[_Iterable[_Union[Warning, _Mapping]]] = ...) -> None: ...

class GetWarningRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class MarkWarningRequest(_message.Message):
    __slots__ = ("name", "action", "reason", "suppress_days")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SUPPRESS_DAYS_FIELD_NUMBER: _ClassVar[int]
    name: str
    action: str
    reason: str
    suppress_days: int
    def __init__(self, name: _Optional[str] = ..., action: _Optional[str] = ..., reason: _Optional[str] = ..., suppress_days: _Optional[int] = ...) -> None: ...

class GetHeatRequest(_message.Message):
    __slots__ = ("days",)
    DAYS_FIELD_NUMBER: _ClassVar[int]
    days: float
    def __init__(self, days: _Optional[float] = ...) -> None: ...

class Heat(_message.Message):
    __slots__ = ("categories", "rows")
    class Code(_message.Message):
        __slots__ = ("code", "name")
        CODE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        code: str
        name: str
        def __init__(self, code: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...
    class Row(_message.Message):
        __slots__ = ("place", "counts", "expected")
        PLACE_FIELD_NUMBER: _ClassVar[int]
        COUNTS_FIELD_NUMBER: _ClassVar[int]
        EXPECTED_FIELD_NUMBER: _ClassVar[int]
        place: Heat.Code
        counts: _containers.RepeatedScalarFieldContainer[int]
        expected: _containers.RepeatedScalarFieldContainer[float]
        def __init__(self, place: _Optional[_Union[Heat.Code, _Mapping]] = ..., counts: _Optional[_Iterable[int]] = ..., expected: _Optional[_Iterable[float]] = ...) -> None: ...
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    categories: _containers.RepeatedCompositeFieldContainer[Heat.Code]
    rows: _containers.RepeatedCompositeFieldContainer[Heat.Row]
    def __init__(self, categories: _Optional[_Iterable[_Union[Heat.Code, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[Heat.Row, _Mapping]]] = ...) -> None: ...

class GetForecastRequest(_message.Message):
    __slots__ = ("hours",)
    HOURS_FIELD_NUMBER: _ClassVar[int]
    hours: int
    def __init__(self, hours: _Optional[int] = ...) -> None: ...

class Forecast(_message.Message):
    __slots__ = ("hours",)
    class Hour(_message.Message):
        __slots__ = ("at", "expected", "categories")
        AT_FIELD_NUMBER: _ClassVar[int]
        EXPECTED_FIELD_NUMBER: _ClassVar[int]
        CATEGORIES_FIELD_NUMBER: _ClassVar[int]
        at: _timestamp_pb2.Timestamp
        expected: float
        categories: _containers.RepeatedCompositeFieldContainer[Forecast.Category]
        def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expected: _Optional[float] = ..., categories: _Optional[_Iterable[_Union[Forecast.Category, _Mapping]]] = ...) -> None: ...
    class Category(_message.Message):
        __slots__ = ("code", "name", "expected")
        CODE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        EXPECTED_FIELD_NUMBER: _ClassVar[int]
        code: str
        name: str
        expected: float
        def __init__(self, code: _Optional[str] = ..., name: _Optional[str] = ..., expected: _Optional[float] = ...) -> None: ...
    HOURS_FIELD_NUMBER: _ClassVar[int]
    hours: _containers.RepeatedCompositeFieldContainer[Forecast.Hour]
    def __init__(self, hours: _Optional[_Iterable[_Union[Forecast.Hour, _Mapping]]] = ...) -> None: ...

class ListMattersRequest(_message.Message):
    __slots__ = ("days",)
    DAYS_FIELD_NUMBER: _ClassVar[int]
    days: float
    def __init__(self, days: _Optional[float] = ...) -> None: ...

class ListMattersResponse(_message.Message):
    __slots__ = ("matters",)
    class Matter(_message.Message):
        __slots__ = ("title", "voices", "begun_at", "last_at", "orders")
        TITLE_FIELD_NUMBER: _ClassVar[int]
        VOICES_FIELD_NUMBER: _ClassVar[int]
        BEGUN_AT_FIELD_NUMBER: _ClassVar[int]
        LAST_AT_FIELD_NUMBER: _ClassVar[int]
        ORDERS_FIELD_NUMBER: _ClassVar[int]
        title: str
        voices: int
        begun_at: _timestamp_pb2.Timestamp
        last_at: _timestamp_pb2.Timestamp
        orders: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, title: _Optional[str] = ..., voices: _Optional[int] = ..., begun_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., orders: _Optional[_Iterable[str]] = ...) -> None: ...
    MATTERS_FIELD_NUMBER: _ClassVar[int]
    matters: _containers.RepeatedCompositeFieldContainer[ListMattersResponse.Matter]
    def __init__(self, matters: _Optional[_Iterable[_Union[ListMattersResponse.Matter, _Mapping]]] = ...) -> None: ...

class ListSuppressionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListSuppressionsResponse(_message.Message):
    __slots__ = ("suppressions",)
    SUPPRESSIONS_FIELD_NUMBER: _ClassVar[int]
    suppressions: _containers.RepeatedCompositeFieldContainer[Suppression]
    def __init__(self, suppressions: _Optional[_Iterable[_Union[Suppression, _Mapping]]] = ...) -> None: ...

class Suppression(_message.Message):
    __slots__ = ("name", "category", "category_name", "place", "place_name", "until", "who", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_NAME_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    PLACE_NAME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    category: str
    category_name: str
    place: str
    place_name: str
    until: _timestamp_pb2.Timestamp
    who: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., category: _Optional[str] = ..., category_name: _Optional[str] = ..., place: _Optional[str] = ..., place_name: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., who: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DeleteSuppressionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetReportRequest(_message.Message):
    __slots__ = ("period", "format")
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    period: str
    format: str
    def __init__(self, period: _Optional[str] = ..., format: _Optional[str] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("media_type", "text")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    text: str
    def __init__(self, media_type: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
