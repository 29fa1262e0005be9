"""Dialogues whose truth is known."""

from __future__ import annotations

import random

import numpy as np

from inference.training.diarization.dialogue import DialogueTurn, activity, by_telephone, lay_out

RATE_HZ = 16_000


def tone(seconds: float, hz: float = 200.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(
        np.float32
    )


def test_short_pauses_belong_to_the_speech_around_them() -> None:
    silent = np.zeros(RATE_HZ // 5, np.float32)  # 0.2 s
    spoken = activity(np.concatenate([tone(1), silent, tone(1), np.tile(silent, 5), tone(1)]))
    edges = np.flatnonzero(np.diff(spoken.astype(int))) + 1
    assert list(edges) == [220, 320]


def test_a_turn_may_begin_before_the_last_has_ended() -> None:
    turns = [
        DialogueTurn(0, tone(2), 0.5),
        DialogueTurn(1, tone(1, 300), -0.5),
        DialogueTurn(0, tone(1), 0.3),
    ]
    dialogue = lay_out(turns, speakers=2)
    together = np.flatnonzero(dialogue.active.all(axis=0))
    assert abs(len(together) - 50) <= 2 and abs(together[0] - 200) <= 2
    assert len(dialogue.audio) == dialogue.active.shape[1] * RATE_HZ // 100


def test_a_line_changes_the_sound_and_not_the_truth() -> None:
    clean = lay_out([DialogueTurn(0, tone(2), 0.0)], speakers=1)
    heard = by_telephone(clean, random.Random(1), narrow=1.0, noisy=1.0)
    assert len(heard.audio) == len(clean.audio) and heard.active is clean.active
    assert not np.allclose(heard.audio, clean.audio, atol=0.01)
