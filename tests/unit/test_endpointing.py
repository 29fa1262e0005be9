from hypothesis import given
from hypothesis import strategies as st

from appliance.call.endpointing import FRAME_MS, ONSET_MS, Endpointer, Mark, Signal
from appliance.messages import Endpointing
from appliance.settings.calls import CallPolicy

SPEECH, SILENCE = 0.95, 0.02


def run(probabilities: list[float], asked: Endpointing | None = None) -> list[tuple[int, Mark]]:
    """Marks and the frame at which each came."""
    endpointer = Endpointer(asked or Endpointing(), CallPolicy())
    marks = ((i + 1, endpointer.feed(p)) for i, p in enumerate(probabilities))
    return [(i, mark) for i, mark in marks if mark]


def frames(ms: float) -> int:
    return round(ms / FRAME_MS)


def signals(marks: list[tuple[int, Mark]]) -> list[Signal]:
    return [mark.signal for _, mark in marks]


def test_speech_then_silence_is_one_utterance() -> None:
    marks = run([SILENCE] * 20 + [SPEECH] * 40 + [SILENCE] * 60)
    assert signals(marks) == [Signal.START, Signal.EARLY_END, Signal.END]
    assert marks[0][1].frame == 20
    assert marks[-1][1].frame == 60


def test_the_sound_before_the_first_speech_belongs_to_it() -> None:
    doubtful = 0.3
    marks = run([SILENCE] * 20 + [doubtful] * 5 + [SPEECH] * 20 + [SILENCE] * 60)
    assert marks[0][1].frame == 20
    long = run([SILENCE] * 20 + [doubtful] * 60 + [SPEECH] * 20 + [SILENCE] * 60)
    assert long[0][1].frame == 80 - frames(ONSET_MS)


def test_a_click_is_no_utterance() -> None:
    assert run([SILENCE] * 10 + [SPEECH] + [SILENCE] * 50) == []


def test_a_pause_shorter_than_the_stop_history_is_bridged() -> None:
    pause = frames(CallPolicy().stop_history_ms) - 3
    marks = run([SPEECH] * 30 + [SILENCE] * pause + [SPEECH] * 30 + [SILENCE] * 60)
    assert signals(marks) == [
        Signal.START, Signal.EARLY_END, Signal.RESUME, Signal.EARLY_END, Signal.END,
    ]  # fmt: skip


def test_a_long_utterance_ends_sooner() -> None:
    def silence_needed(spoken: int) -> int:
        marks = run([SPEECH] * spoken + [SILENCE] * 60)
        return marks[-1][0] - spoken

    young, old = silence_needed(frames(1000)), silence_needed(frames(16_000))
    assert young == frames(CallPolicy().stop_history_ms)
    assert old == frames(CallPolicy().stop_history_min_ms)


def test_rivas_stop_history_is_obeyed_to_the_frame() -> None:
    for ms in (256, 640, 1600):
        asked = Endpointing(stop_history_ms=ms, stop_threshold=1.0)
        marks = run([SPEECH] * 400 + [SILENCE] * 60, asked)
        assert marks[-1][0] - 400 == frames(ms)


def test_rivas_start_history_is_obeyed() -> None:
    asked = Endpointing(start_history_ms=320, start_threshold=1.0)
    assert run([SPEECH] * 9 + [SILENCE] * 50, asked) == []
    assert signals(run([SPEECH] * 10 + [SILENCE] * 50, asked))[0] is Signal.START


def test_an_endless_utterance_is_cut_at_its_quietest_place() -> None:
    longest = frames(CallPolicy().max_utterance_s * 1000)
    speech = [SPEECH] * (longest + 40)
    quiet = longest - 30
    speech[quiet] = 0.6
    marks = run(speech)
    assert signals(marks)[:2] == [Signal.START, Signal.CUT]
    assert marks[1][1].frame == quiet + 1


def test_force_ends_only_what_runs() -> None:
    endpointer = Endpointer(Endpointing(), CallPolicy())
    assert endpointer.force() is None
    for _ in range(20):
        endpointer.feed(SPEECH)
    mark = endpointer.force()
    assert mark and mark.signal is Signal.END and mark.frame == 20
    assert endpointer.force() is None


def test_the_sound_of_the_utterance_before_is_not_taken_again() -> None:
    asked = Endpointing(stop_history_ms=64)
    marks = run([SPEECH] * 10 + [0.3] * 4 + [SPEECH] * 10, asked)
    first, end, second = (mark for _, mark in marks if mark.signal is not Signal.EARLY_END)
    assert second.signal is Signal.START and second.frame == end.frame > first.frame


@given(st.lists(st.floats(0, 1), max_size=1500), st.sampled_from([None, 64, 320]))
def test_utterances_never_overlap_and_never_run_backwards(
    probabilities: list[float], stop_history_ms: int | None
) -> None:
    speaking, last = False, 0
    for _, mark in run(probabilities, Endpointing(stop_history_ms=stop_history_ms)):
        if mark.signal is Signal.START:
            assert not speaking
            speaking = True
        elif mark.signal in (Signal.END, Signal.CUT):
            assert speaking
            speaking = mark.signal is Signal.CUT
        if mark.signal in (Signal.START, Signal.END, Signal.CUT):
            assert mark.frame >= last
            last = mark.frame
