"""The emotion matrix of a call: how long each mood lasted at each level, its curve, its turns."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.messages import (
    Emotion,
    EmotionPoint,
    EmotionSummary,
    LegRole,
    Level,
    MatrixCell,
    TurningPoint,
    Utterance,
)

DEPTH = {Level.LOW: 0.4, Level.MEDIUM: 0.7, Level.HIGH: 1.0}
TURN = 0.5  # by which the mood must change between two utterances of one speaker
MOST_PEAKS = 3


def summarise(utterances: Sequence[Utterance]) -> EmotionSummary | None:
    """Over everybody whose mood was told; None if nobody's was."""
    felt = [u for u in utterances if u.mood]
    if not felt:
        return None
    curve = tuple(_point(u) for u in felt)
    told = [(u, point) for u, point in zip(felt, curve, strict=True) if point.emotion]
    return EmotionSummary(
        matrix=_matrix([u for u, _ in told]),
        curve=curve,
        peaks=_peaks([point for u, point in told if u.role is not LegRole.AGENT]),
        turning_points=_turns([(u.speaker, point) for u, point in told]),
        unsure=len(felt) - len(told),
    )


def _point(said: Utterance) -> EmotionPoint:
    assert said.mood
    mood = said.mood
    valence = 0.0
    if mood.emotion and mood.level:
        valence = mood.emotion.valence * DEPTH[mood.level]
    middle_ms = (said.start_ms + said.end_ms) // 2
    return EmotionPoint(
        said.id, middle_ms, said.speaker, mood.emotion, mood.level, round(valence, 3)
    )


def _matrix(told: Sequence[Utterance]) -> tuple[MatrixCell, ...]:
    """All 21 cells, by emotion and level."""
    spent = {(emotion, level): [0, 0] for emotion in Emotion for level in Level}
    for said in told:
        assert said.mood and said.mood.emotion and said.mood.level
        cell = spent[said.mood.emotion, said.mood.level]
        cell[0] += 1
        cell[1] += said.end_ms - said.start_ms
    return tuple(MatrixCell(*key, *values) for key, values in spent.items())


def _peaks(points: Sequence[EmotionPoint]) -> tuple[EmotionPoint, ...]:
    """The lowest points, worst first."""
    low = sorted((p for p in points if p.valence < 0), key=lambda point: point.valence)
    return tuple(low[:MOST_PEAKS])


def _turns(points: Sequence[tuple[int, EmotionPoint]]) -> tuple[TurningPoint, ...]:
    """Where one speaker's mood changes by much from one utterance to the next."""
    last: dict[int, EmotionPoint] = {}
    found = []
    for speaker, point in points:
        before = last.get(speaker)
        if before and abs(point.valence - before.valence) >= TURN:
            assert before.emotion and point.emotion
            found.append(TurningPoint(point.utterance, point.at_ms, before.emotion, point.emotion))
        last[speaker] = point
    return tuple(found)
