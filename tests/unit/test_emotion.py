"""Moods of a call over the fake engine, which feels what the words say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from appliance.assist.alerts import Alerts
from appliance.call.emotion import EmotionTracker
from appliance.call.lexicon import load_lexicon
from appliance.call.matrix import summarise
from appliance.call.timeline import Timeline
from appliance.call.track import Excerpt
from appliance.errors import SettingsError
from appliance.feed.kept import KeptCall
from appliance.feed.record import Ledger
from appliance.messages import (
    Alert,
    Attribution,
    CallConfig,
    Emotion,
    EmotionEstimate,
    Final,
    Lasting,
    LegRole,
    Level,
    NumberedEvent,
    SpeakerTurn,
    SpokenWord,
    Utterance,
)
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.settings.calls import EmotionsSettings
from appliance.settings.section import PROJECT
from inference.emotion.load import load_emotion
from inference.tensors import EMOTIONS, SAMPLE_RATE_HZ, Audio, EmotionScores, EmotionWindow
from tests.fakes import FakeEngine

WORDS = PROJECT / "bundles" / "emotion-words"

PACK = PROJECT / "provisioning" / "city_packs" / "demo"
LEXICON = load_lexicon(PACK)
DATONG = load_lexicon(PROJECT / "provisioning" / "city_packs" / "datong")
SOUND: Audio = np.full(SAMPLE_RATE_HZ, 0.1, np.float32)
ROLES = (LegRole.AGENT, LegRole.CITIZEN)


def final(text: str, utterance: int = 0, leg: int = 1) -> Final:
    times = (utterance * 1000, utterance * 1000 + 800)
    return Final(leg, utterance, text, (), *times, 0.9, 0.0, 0.0, "zh", "cpu", "fake 0", True)


class ScriptedCall(KeptCall):
    """That nobody follows."""

    def __init__(self, config: CallConfig) -> None:
        super().__init__("id", config, Metrics())


class EmotionRoom:
    """Moods and alerts of one call, as they are told."""

    def __init__(
        self, roles: tuple[LegRole, ...] = ROLES, live: bool = True, **policy: object
    ) -> None:
        self.engine = FakeEngine()
        self.published: list[Lasting] = []
        config = CallConfig(leg_roles=roles, live=live, moods=True)
        self.moods = EmotionTracker(
            self.engine, EmotionsSettings(**policy), LEXICON, config, self._publish
        )

        self.watch = Alerts(Level(EmotionsSettings(**policy).alert_level)).listen(
            ScriptedCall(config)
        )

    async def _publish(self, event: Lasting) -> None:
        assert self.watch
        self.published.append(event)
        self.published += await self.watch.hear(NumberedEvent(len(self.published), event))

    async def say(self, *texts: str, leg: int = 1) -> None:
        for number, text in enumerate(texts, len(self.published)):
            await self.moods.feel(final(text, number, leg), Excerpt(SOUND, number * 1000))
            await self.moods.catch_up()

    def told(self, kind: type = EmotionEstimate) -> list:  # type: ignore[type-arg]
        return [event for event in self.published if isinstance(event, kind)]


async def test_a_mood_follows_its_final_and_says_what_carried_it() -> None:
    room = EmotionRoom()
    await room.say("我非常生气，我要投诉。")
    (mood,) = room.told()
    assert (mood.emotion, mood.level, mood.utterance) == (Emotion.ANNOYED, Level.HIGH, 0)
    assert {cue.what for cue in mood.cues if cue.kind == "word"} == {"生气", "投诉"}
    assert any(cue.kind == "sound" for cue in mood.cues)
    assert sum(cue.weight for cue in mood.cues) <= 1.001
    assert abs(sum(mood.probabilities.values()) - 1) < 0.01 and mood.demo


async def test_the_agents_moods_are_not_told_unless_wanted() -> None:
    room = EmotionRoom()
    await room.say("我非常生气。", leg=0)
    assert not room.told() and not room.engine.asked
    room = EmotionRoom(agent=True)
    await room.say("我非常生气。", leg=0)
    assert room.told()


async def test_an_agent_is_known_by_what_is_said() -> None:
    room = EmotionRoom(roles=())
    await room.say("您好，12345热线，请问有什么可以帮您？", "请您不要生气。", leg=0)
    assert not room.told()
    await room.say("我很生气。", leg=1)
    assert len(room.told()) == 1


async def test_an_alert_comes_once_until_the_mood_has_fallen() -> None:
    room = EmotionRoom(alert_level="medium")
    await room.say("你好。", "我很生气。", "我非常生气，太过分了。", "好的，谢谢。", "我很生气。")
    alerts = room.told(Alert)
    assert [alert.level for alert in alerts] == [Level.MEDIUM, Level.MEDIUM]
    assert alerts[0].emotion is Emotion.ANNOYED


async def test_what_was_calm_becomes_the_speakers_baseline() -> None:
    room = EmotionRoom()
    await room.say("你好。", "我很生气。", "嗯。")
    baselines = [q.baseline for q, _ in room.engine.asked if isinstance(q, EmotionWindow)]
    assert baselines[0] == () and baselines[1] == baselines[2] != ()


async def test_without_an_engine_moods_are_lost_and_nothing_else() -> None:
    room = EmotionRoom()
    room.engine.gone = True
    await room.say("我很生气。")
    assert room.published == []


async def test_a_live_call_does_not_wait_for_its_moods() -> None:
    room = EmotionRoom()
    room.engine.delay_s = 3600
    async with asyncio.timeout(5):
        for number in range(50):
            await room.moods.feel(final("我很生气。", number), Excerpt(SOUND, 0))
    room.moods.close()


# --- one leg with several people


def shared(number: int, *said: tuple[int, str]) -> tuple[Final, tuple[SpeakerTurn, ...]]:
    """A final in which speakers talk in turn, a character each 100 ms, and who that was."""
    at, words, turns = number * 10_000, [], []
    for speaker, text in said:
        turns.append(SpeakerTurn(speaker, at, at + 100 * len(text)))
        for character in text:
            words.append(SpokenWord(character, at, at + 100, 0.9))
            at += 100
    text = "".join(text for _, text in said)
    times = (words[0].start_ms, words[-1].end_ms)
    spoken = Final(0, number, text, tuple(words), *times, 0.9, 0.0, 0.0, "zh", "cpu", "f", True)
    return spoken, tuple(turns)


AGENT, CITIZEN = 0, 1
GREETING = "您好，12345热线，请问有什么可以帮您？"


async def test_in_one_final_each_speaker_has_a_mood_of_their_own() -> None:
    room = EmotionRoom(roles=(), alert_level="high")
    spoken, turns = shared(0, (AGENT, GREETING), (CITIZEN, "我非常生气，太过分了。"))
    sound = np.concatenate((np.zeros(len(GREETING) * 1600, np.float32), SOUND))
    await room.moods.feel(spoken, Excerpt(sound, 0), Timeline(turns))
    await room.moods.catch_up()
    (mood,), (alert,) = room.told(), room.told(Alert)
    assert mood.emotion is Emotion.ANNOYED and mood.start_ms == len(GREETING) * 100
    assert alert.at_ms == mood.end_ms
    (question,) = [q for q, _ in room.engine.asked if isinstance(q, EmotionWindow)]
    assert len(question.audio) == len(SOUND) and question.audio.all(), "the citizen's sound alone"


async def test_an_angry_agent_on_a_shared_leg_raises_no_alert() -> None:
    room = EmotionRoom(roles=(), alert_level="low")
    said = [(AGENT, GREETING), (CITIZEN, "我家没水。"), (AGENT, "我很生气。")]
    for number, each in enumerate(said):
        spoken, turns = shared(number, each)
        await room.moods.feel(spoken, Excerpt(SOUND, spoken.start_ms), Timeline(turns))
    await room.moods.catch_up()
    assert [mood.utterance for mood in room.told()] == [1] and not room.told(Alert)


async def test_a_mood_goes_to_whose_words_it_is_of_once_speakers_are_settled() -> None:
    ledger = Ledger()
    said = [(AGENT, GREETING), (CITIZEN, "我很生气。"), (AGENT, "请您不要着急。")]
    spoken, turns = shared(0, *said)
    ledger.add(spoken)
    room = EmotionRoom(roles=())
    await room.moods.feel(spoken, Excerpt(np.tile(SOUND, 5), 0), Timeline(turns))
    await room.moods.catch_up()
    for event in room.published:
        ledger.add(event)
    ledger.add(Attribution(0, turns, 10_000, True, "fake 0", True))
    told = ledger.utterances(CallConfig())
    assert [u.role for u in told] == [LegRole.AGENT, LegRole.CITIZEN, LegRole.AGENT]
    assert [u.mood.emotion if u.mood else None for u in told] == [None, Emotion.ANNOYED, None]


async def test_as_long_as_nobody_is_known_all_moods_are_told() -> None:
    room = EmotionRoom(roles=())
    spoken, _ = shared(0, (AGENT, GREETING))
    await room.moods.feel(spoken, Excerpt(SOUND, 0), Timeline(()))
    await room.moods.catch_up()
    assert len(room.told()) == 1


# --- the lexicon


@pytest.mark.parametrize(
    ("text", "emotion", "least", "most"),
    [
        ("我生气了", Emotion.ANNOYED, 1.0, 1.0),
        ("我非常生气", Emotion.ANNOYED, 1.2, 1.5),
        ("我有点生气", Emotion.ANNOYED, 0.5, 0.7),
        ("我不生气", Emotion.ANNOYED, 0.0, 0.0),
        ("我没有生气", Emotion.ANNOYED, 0.0, 0.0),
        ("不，我生气", Emotion.ANNOYED, 1.0, 1.0),
        ("混蛋，王八蛋，畜生，废物", Emotion.FURIOUS, 4.0, 4.0),
        ("气死我了", Emotion.FURIOUS, 1.6, 1.6),
        ("气死了", Emotion.ANNOYED, 1.6, 1.6),
        ("打了好几次电话", Emotion.ANNOYED, 0.8, 0.8),
        ("今天天气很好", Emotion.HAPPY, 0.0, 0.0),
        ("麻烦帮我查一下，恐怕不行", Emotion.ANNOYED, 0.0, 0.0),
        ("麻烦你们了", Emotion.HAPPY, 0.5, 0.5),
        ("", Emotion.CALM, 0.0, 0.0),
    ],
)
def test_words_are_read_with_their_grammar(
    text: str, emotion: Emotion, least: float, most: float
) -> None:
    score = LEXICON.read(text).scores[list(Emotion).index(emotion)]
    assert least <= score <= most


@pytest.mark.parametrize(
    ("text", "annoyed"),
    [("你到底来不来", 0.5), ("你们来不来", 0.2), ("你好，麻烦你", 0.0), ("您什么时候来", 0.0)],
)
def test_who_is_spoken_to_directly_may_be_scolded(text: str, annoyed: float) -> None:
    score = DATONG.read(text).scores[list(Emotion).index(Emotion.ANNOYED)]
    assert score == pytest.approx(annoyed)


@pytest.mark.parametrize("text", ["你们来不来", "你到底会不会", "孩子很可爱", "会不会漏水"])
def test_a_hint_alone_tells_no_mood(text: str) -> None:
    model = load_emotion({"bundle": str(WORDS)})
    (felt,) = model.feel([EmotionWindow(SOUND, DATONG.read(text).scores)])
    assert isinstance(felt, EmotionScores) and felt.emotion == ""


def test_a_broken_lexicon_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"lexicon\.toml"):
        load_lexicon(tmp_path)
    (tmp_path / "lexicon.toml").write_text('[happy]\nlow = "谢谢"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="list of words"):
        load_lexicon(tmp_path)


# --- the matrix


def said(number: int, emotion: Emotion | None, level: Level | None, role: LegRole) -> Utterance:
    at = number * 1000
    mood = EmotionEstimate(1, number, at, at + 800, emotion, level, {}, (), "fake 0", True)
    return Utterance(f"1.{number}", 1, 1, role, "话", (), at, at + 800, 0.9, mood)


def test_the_matrix_has_all_cells_and_the_curve_all_utterances() -> None:
    course = [
        (Emotion.CALM, Level.LOW),
        (Emotion.ANNOYED, Level.MEDIUM),
        (Emotion.FURIOUS, Level.HIGH),
        (None, None),
        (Emotion.CALM, Level.LOW),
    ]
    moods = summarise([said(i, *each, LegRole.CITIZEN) for i, each in enumerate(course)])
    assert moods and len(moods.matrix) == 21 and len(moods.curve) == 5 and moods.unsure == 1
    cells = {(cell.emotion, cell.level): cell for cell in moods.matrix}
    assert cells[Emotion.CALM, Level.LOW].utterances == 2
    assert cells[Emotion.FURIOUS, Level.HIGH].duration_ms == 800
    assert [peak.utterance for peak in moods.peaks] == ["1.2", "1.1"]
    turns = [(turn.utterance, turn.before, turn.after) for turn in moods.turning_points]
    assert turns == [
        ("1.1", Emotion.CALM, Emotion.ANNOYED),
        ("1.4", Emotion.FURIOUS, Emotion.CALM),
    ]


def test_the_agents_temper_is_no_peak_of_the_call() -> None:
    moods = summarise([said(0, Emotion.FURIOUS, Level.HIGH, LegRole.AGENT)])
    assert moods and moods.peaks == ()


def test_no_moods_no_matrix() -> None:
    assert summarise([]) is None


def lively_voice() -> Audio:
    rng = np.random.default_rng(0)
    tone = np.sin(np.cumsum(0.05 + 0.04 * np.sin(np.arange(48_000) / 3000))) * 0.3
    return (tone + 0.01 * rng.standard_normal(48_000)).astype(np.float32)


def words_only(text: str, audio: Audio, baseline: tuple[float, ...] = ()) -> EmotionScores:
    lexicon = load_lexicon(Settings().city.pack)
    model = load_emotion({"bundle": str(WORDS)})
    (felt,) = model.feel([EmotionWindow(audio, lexicon.read(text).scores, baseline)])
    assert isinstance(felt, EmotionScores)
    return felt


def test_words_first_tells_nothing_where_words_tell_nothing() -> None:
    voice = lively_voice()
    silent = words_only("我住在平城区", voice)
    assert silent.emotion == "" and max(silent.probabilities) < 0.3
    told = words_only("你们太过分了，我要气死了，简直是混蛋", voice)
    assert told.emotion in ("annoyed", "furious") and not told.demo and told.words_share > 0.5


def test_a_lively_voice_makes_anger_likelier_and_is_never_enough() -> None:
    lively = lively_voice()
    flat = tuple(0.5 * value for value in words_only("嗯", lively).prosody)
    against, plain = words_only("嗯", lively, flat), words_only("嗯", lively)
    angry = [EMOTIONS.index(mood) for mood in ("annoyed", "furious", "anxious")]
    assert sum(against.probabilities[i] for i in angry) > sum(plain.probabilities[i] for i in angry)
    assert against.emotion == plain.emotion == ""
