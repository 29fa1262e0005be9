"""Our events -> Riva's answers. Pure, but for what a stream has said so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from riva.client.proto import riva_asr_pb2 as asr

from appliance.api.grpc.requests import ignored, model_name
from appliance.call.timeline import Timeline
from appliance.errors import NotFound
from appliance.messages import (
    SAMPLE_RATE_HZ,
    Attribution,
    AudioProgress,
    Event,
    Final,
    Partial,
    SpeakerTurn,
    SpokenWord,
    Transcript,
)
from inference.tensors import ModelCard

INT32_MAX = 2**31 - 1
ALMOST_STABLE = 0.99  # Riva keeps 1.0 for the early sign that an utterance has ended
TAGS = {"zh": "zh-CN", "en": "en-US", "ja": "ja-JP", "ko": "ko-KR", "yue": "yue-HK"}


class Streaming:
    """Our events as Riva's responses, for one stream.

    Riva's clients append finals to each other, so every result after the first final of a leg
    begins with a space. Where speakers are wanted, a final waits a moment for them.
    """

    def __init__(self, request_id: str, *, interim: bool, speakers: bool = False) -> None:
        self._request_id, self._interim, self.speakers = request_id, interim, speakers
        self._turns: list[SpeakerTurn] = []
        self._waiting: list[Final] = []  # for their speakers
        self._audio_ms = 0
        self._continued: set[int] = set()  # legs that have had a final

    def response(self, event: Event) -> Any | None:
        """A StreamingRecognizeResponse, or None for what has no words."""
        if isinstance(event, Partial):
            return self._of(self._partial(event) if self._interim else None)
        if isinstance(event, Final) and self.speakers and event.text:
            self._waiting.append(event)
        elif isinstance(event, Final):
            return self._of(self._final(event))
        elif isinstance(event, Attribution):
            self._turns += () if event.settled else event.turns
            return self._told_until(event.until_ms)
        elif isinstance(event, AudioProgress):
            self._audio_ms = max(self._audio_ms, event.audio_ms)
        return None

    def _told_until(self, moment_ms: int) -> Any | None:
        """The finals that waited for their speakers and need not any more."""
        told = [final for final in self._waiting if final.end_ms <= moment_ms]
        self._waiting = [final for final in self._waiting if final.end_ms > moment_ms]
        return self._of(*(self._final(final) for final in told))

    def rest(self) -> Any | None:
        """The finals that still wait, with the speakers known by now."""
        waiting, self._waiting = self._waiting, []
        return self._of(*(self._final(final) for final in waiting))

    def _of(self, *results: Any | None) -> Any | None:
        found = [result for result in results if result is not None]
        if not found:
            return None
        response = asr.StreamingRecognizeResponse(results=found)
        if self._request_id:
            response.id.value = self._request_id
        return response

    def _partial(self, partial: Partial) -> Any | None:
        if not partial.text:
            return None
        return self._result(
            partial, [asr.SpeechRecognitionAlternative(transcript=partial.text)], stability(partial)
        )

    def _final(self, final: Final) -> Any | None:
        """An empty one takes back the partials that were shown."""
        if not final.text and not self._interim:
            return None
        # Without a turn from here on nothing is known of this final, whoever spoke before.
        known = any(turn.end_ms > final.start_ms for turn in self._turns)
        said = alternative(final, self._turns if known else ())
        result = self._result(final, [said], 1.0, is_final=True)
        if final.text:
            self._continued.add(final.leg)
        return result

    def _result(
        self,
        event: Partial | Final,
        alternatives: list[Any],
        stability: float,
        *,
        is_final: bool = False,
    ) -> Any:
        self._audio_ms = max(self._audio_ms, event.end_ms)
        if event.leg in self._continued and alternatives[0].transcript:
            alternatives[0].transcript = " " + alternatives[0].transcript
        return asr.StreamingRecognitionResult(
            alternatives=alternatives,
            is_final=is_final,
            stability=stability,
            channel_tag=event.leg + 1,
            audio_processed=self._audio_ms / 1000,
        )


def stability(partial: Partial) -> float:
    """The share that consecutive hypotheses agree on; 1 only as the early end of utterance."""
    if partial.end_of_utterance:
        return 1.0
    return min(len(partial.stable) / max(len(partial.text), 1), ALMOST_STABLE)


def alternative(final: Final, turns: Sequence[SpeakerTurn] = ()) -> Any:
    """With `turns` of its leg, each word has its speaker's tag."""
    tag, timeline = language_tag(final.language), Timeline(turns)
    return asr.SpeechRecognitionAlternative(
        transcript=final.text,
        confidence=final.confidence,
        words=[_word(word, tag, timeline) for word in final.words],
        language_code=[tag] if tag else [],
    )


def _word(word: SpokenWord, tag: str, timeline: Timeline) -> Any:
    return asr.WordInfo(
        start_time=min(word.start_ms, INT32_MAX),
        end_time=min(word.end_ms, INT32_MAX),
        word=word.text,
        confidence=word.confidence,
        language_code=tag,
        speaker_tag=timeline.speaker_of(word.start_ms, word.end_ms) + 1,
    )


def recognize_response(transcript: Transcript, request_id: str) -> Any:
    """One result per final, in the order of their starts; clients join them as they are."""
    response = asr.RecognizeResponse()
    turns = {told.leg: told.turns for told in transcript.attributions}
    for final in transcript.finals:
        if not final.text:
            continue
        result = response.results.add(
            alternatives=[alternative(final, turns.get(final.leg, ()))],
            channel_tag=final.leg + 1,
            audio_processed=transcript.duration_ms / 1000,
        )
        if len(response.results) > 1:
            result.alternatives[0].transcript = " " + final.text
    if request_id:
        response.id.value = request_id
    return response


def config_response(cards: Sequence[ModelCard], wanted: str) -> Any:
    """What `--list-models` prints: each model once for streams and once for recordings."""
    found = [card for card in cards if wanted in ("", card.name, model_name(card))]
    if wanted and not found:
        raise NotFound("list models", f"no model {wanted[:80]!r}", param="model_name")
    response = asr.RivaSpeechRecognitionConfigResponse()
    for card in found:
        for kind in ("online", "offline"):
            response.model_config.add(model_name=card.name, parameters=_parameters(card, kind))
    return response


def _parameters(card: ModelCard, kind: str) -> dict[str, str]:
    return {
        "type": kind,
        "streaming": str(kind == "online"),
        "language_code": ",".join(language_tag(code) for code in card.languages),
        "sample_rate": str(SAMPLE_RATE_HZ),
        "sample_rate_hertz": str(SAMPLE_RATE_HZ),
        "version": card.version,
        "licence": card.licence,
        "device": card.device,
        "lingting_demo_weights": str(card.demo).lower(),
    }


def answer_metadata(model: str, *, demo: bool) -> tuple[tuple[str, str], ...]:
    """Which weights speak. Demo weights are labelled as such wherever their text is shown."""
    ascii_name = model.encode("ascii", "replace").decode()
    return ("lingting-model", ascii_name), ("lingting-demo-weights", str(demo).lower())


def ignored_metadata(config: Any) -> tuple[tuple[str, str], ...]:
    names = ignored(config)
    return (("lingting-ignored", ",".join(names)),) if names else ()


def language_tag(code: str) -> str:
    """ISO 639-1 -> the BCP-47 tag that Riva's clients know it by."""
    return TAGS.get(code, code)
