"""Riva's messages <-> ours, without a server."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from riva.client.proto import riva_asr_pb2 as asr
from riva.client.proto import riva_audio_pb2 as audio

from appliance.api.grpc import answers, requests
from appliance.api.grpc.errors import CHINESE, STATUS, RivaRefusal, answer_to
from appliance.errors import (
    BundleError,
    Draining,
    EngineUnavailable,
    IdleTimeout,
    InvalidAudio,
    InvalidRequest,
    LingtingError,
    NotFound,
    Overloaded,
    TooLarge,
    Unsupported,
)
from appliance.messages import (
    BOX_LANGUAGE,
    Attribution,
    AudioProgress,
    Encoding,
    Endpointing,
    Final,
    Partial,
    SpeakerTurn,
    SpokenWord,
    Transcript,
)
from inference.tensors import ModelCard

CARD = ModelCard("asr-demo", "1", "Apache-2.0", ("zh", "en"), ("transcribe",), 30.0, demo=True)


def config(**fields: object) -> asr.RecognitionConfig:
    return asr.RecognitionConfig(**{"language_code": "zh-CN", **fields})


def understood(wire: asr.RecognitionConfig, live: bool = True, cards: tuple = (CARD,)):
    return requests.call_config(wire, cards, live=live, interim=True, call_id="c1")


def final(text: str = "您好", leg: int = 0, **fields: object) -> Final:
    words = (SpokenWord("您", 100, 300, 0.5), SpokenWord("好", 300, 520, 0.75))
    values = {
        "leg": leg, "utterance": 0, "text": text, "words": words, "start_ms": 100, "end_ms": 520,
        "confidence": 0.625, "no_speech": 0.0, "temperature": 0.0, "language": "zh",
        "engine": "cpu", "model": "asr-demo 1",
        "demo": True,
    }  # fmt: skip
    return Final(**{**values, **fields})


def test_every_field_arrives() -> None:
    wire = config(
        encoding=audio.ALAW,
        sample_rate_hertz=8000,
        audio_channel_count=2,
        enable_separate_recognition_per_channel=True,
        enable_word_time_offsets=True,
        enable_automatic_punctuation=True,
        verbatim_transcripts=True,
        max_alternatives=3,
        speech_contexts=[
            asr.SpeechContext(phrases=["朝阳区", " 物业 ", ""], boost=20),
            asr.SpeechContext(phrases=["朝阳区"]),
            asr.SpeechContext(phrases=["不要"], boost=-5),
        ],
        endpointing_config=asr.EndpointingConfig(stop_history=500, stop_threshold=0.98),
    )
    call = understood(wire)
    assert call.audio == requests.AudioFormat(Encoding.ALAW, 8000, 2)
    assert call.separate_legs and call.word_times and call.punctuation and not call.itn
    assert call.hotwords == ("朝阳区", "物业") and call.boosts == (1.0, 1.0)
    assert call.endpointing.stop_history_ms == 500
    assert call.endpointing.stop_threshold == pytest.approx(0.98)
    assert call.endpointing.start_history_ms is None
    assert (call.language, call.live, call.interim) == ("zh", True, True)
    assert (call.call_id, call.door) == ("c1", "riva")


def test_nothing_said_means_the_box_chooses() -> None:
    call = understood(asr.RecognitionConfig(), live=False)
    assert call.audio == requests.AudioFormat()
    assert call.language == BOX_LANGUAGE and call.itn
    assert not call.punctuation and not call.separate_legs
    assert call.endpointing == Endpointing() and call.hotwords == ()
    assert not call.live


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("zh-CN", "zh"), ("zh", "zh"), ("cmn-Hans-CN", "zh"), ("zh_CN", "zh"), ("ZH-cn", "zh"),
        ("en-US", "en"), ("multi", None), ("", BOX_LANGUAGE), (" ", BOX_LANGUAGE), ("auto", None),
    ],
)  # fmt: skip
def test_languages(code: str, language: str | None) -> None:
    assert understood(config(language_code=code)).language == language


@pytest.mark.parametrize(
    ("wire", "live", "message"),
    [
        (config(language_code="fr-FR", sample_rate_hertz=16000), True,
         "language_code=fr-FR; sample_rate=16000; type=online;"),
        (config(language_code="xx"), False, "language_code=xx; sample_rate=0; type=offline;"),
        (config(model="nope"), True,
         "model=nope; language_code=zh-CN; sample_rate=0; type=online;"),
    ],
)  # fmt: skip
def test_unknown_language_or_model(wire: asr.RecognitionConfig, live: bool, message: str) -> None:
    with pytest.raises(RivaRefusal) as caught:
        understood(wire, live)
    unavailable = "Error: Unavailable model requested given these parameters: "
    assert str(caught.value) == unavailable + message


@pytest.mark.parametrize("name", ["", "asr-demo", "asr-demo 1"])
def test_a_model_may_be_named(name: str) -> None:
    card, _ = requests.choose_model(config(model=name), (CARD,), live=True)
    assert card is CARD


def test_no_model_yet() -> None:
    with pytest.raises(EngineUnavailable):
        understood(config(), cards=())


def test_a_huge_name_does_not_come_back_whole() -> None:
    with pytest.raises(RivaRefusal) as caught:
        understood(config(language_code="x" * 100_000))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("rate", [1, 7999, 96001, -1, 2**31 - 1])
def test_rates_out_of_range(rate: int) -> None:
    with pytest.raises(RivaRefusal, match=r"^sample_rate_hertz must be between 8000 and 96000$"):
        understood(config(sample_rate_hertz=rate))


@pytest.mark.parametrize("rate", [0, 8000, 96000])
def test_rates_in_range(rate: int) -> None:
    assert understood(config(sample_rate_hertz=rate)).audio.rate_hz == rate


@pytest.mark.parametrize(
    "fields",
    [
        {"audio_channel_count": 3},
        {"audio_channel_count": -1},
        {"encoding": 77},
        {"endpointing_config": asr.EndpointingConfig(stop_threshold=1.5)},
        {"endpointing_config": asr.EndpointingConfig(start_threshold=float("nan"))},
        {"endpointing_config": asr.EndpointingConfig(stop_history=-1)},
        {"custom_configuration": {"stop_history": "soon"}},
        {"custom_configuration": {"stop_history_eou": "1e9"}},
        {"custom_configuration": {"task": "sing"}},
        {"speech_contexts": [asr.SpeechContext(phrases=["长" * 101])]},
        {"speech_contexts": [asr.SpeechContext(phrases=[str(i) for i in range(10_001)])]},
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict) -> None:
    with pytest.raises(InvalidRequest) as caught:
        understood(config(**fields))
    assert caught.value.param


def test_the_model_must_be_able_to_translate() -> None:
    wire = config(custom_configuration={"task": "translate"})
    with pytest.raises(Unsupported):
        understood(wire)
    able = ModelCard("big", "1", "MIT", ("zh",), ("transcribe", "translate"), 30.0)
    assert understood(wire, cards=(able,)).task == "translate"


def test_custom_configuration_fills_what_endpointing_config_leaves_open() -> None:
    wire = config(
        custom_configuration={"stop_history": "700", "stop_history_eou": "240"},
        endpointing_config=asr.EndpointingConfig(stop_history=500),
    )
    assert understood(wire).endpointing == Endpointing(stop_history_ms=500, stop_history_eou_ms=240)


def test_what_has_no_effect_is_named() -> None:
    wire = config(
        custom_configuration={"beam": "5", "stop_history": "700", "bad key\n": "x", "键": "x"},
        profanity_filter=True,
        diarization_config=asr.SpeakerDiarizationConfig(enable_speaker_diarization=True),
    )
    understood(wire)
    assert requests.ignored(wire) == ("beam", "profanity_filter")
    assert requests.ignored(config()) == ()


def test_call_id_comes_twice_behind_tls() -> None:
    assert requests.call_id([("a", "b"), ("x-call-id", "A1"), ("x-call-id", "A1")]) == "A1"
    assert requests.call_id([]) == "" == requests.call_id(None)
    with pytest.raises(InvalidRequest):
        requests.call_id([("x-call-id", "x" * 129)])


def test_force_eou() -> None:
    message = asr.StreamingRecognizeRequest
    assert requests.forces_endpoint(message(runtime_config={"force_eou": "true"}))
    assert not requests.forces_endpoint(message(runtime_config={"force_eou": "false"}))
    assert not requests.forces_endpoint(message(audio_content=b"x"))


def test_partial() -> None:
    wire = answers.Streaming("r1", interim=True)
    assert wire.response(AudioProgress(900)) is None
    response = wire.response(Partial(1, 0, "您好我要", "您好我", 0, 800))
    assert response.id.value == "r1"
    (result,) = response.results
    assert not result.is_final and result.channel_tag == 2
    assert result.stability == pytest.approx(0.75)
    assert result.audio_processed == pytest.approx(0.9)
    (only,) = result.alternatives
    assert only.transcript == "您好我要" and not only.words and only.confidence == 0


def test_each_final_waits_for_its_own_speakers() -> None:
    """Of a stream that is sent quickly, several wait at once."""

    def told(until_ms: int, *turns: SpeakerTurn) -> Attribution:
        return Attribution(0, turns, until_ms, False, "fake 0", True)

    def spoken(number: int) -> Final:
        at = number * 1000
        words = (SpokenWord("好", at, at + 800, 0.9),)
        return Final(0, number, "好", words, at, at + 800, 0.9, 0.0, 0.0, "zh", "cpu", "f", True)

    def tags(response: Any) -> list[int]:
        return [r.alternatives[0].words[0].speaker_tag for r in response.results]

    wire = answers.Streaming("", interim=False, speakers=True)
    assert [wire.response(spoken(number)) for number in range(4)] == [None] * 4
    assert tags(wire.response(told(800, SpeakerTurn(0, 0, 900)))) == [1]
    assert tags(wire.response(told(1800, SpeakerTurn(1, 900, 1900)))) == [2]
    assert tags(wire.response(told(2800))) == [0], "nobody is known: not whoever spoke before"
    assert tags(wire.rest()) == [0]


def test_stability_one_is_the_early_end_of_utterance() -> None:
    assert answers.stability(Partial(0, 0, "您好", "您好", 0, 1)) < 1
    assert answers.stability(Partial(0, 0, "您好", "", 0, 1, end_of_utterance=True)) == 1.0
    assert answers.stability(Partial(0, 0, "", "", 0, 1)) == 0


def test_without_interim_results_only_finals() -> None:
    wire = answers.Streaming("", interim=False)
    assert wire.response(Partial(0, 0, "您", "", 0, 1)) is None
    response = wire.response(final())
    assert response.results[0].is_final and not response.HasField("id")


def test_final() -> None:
    result = answers.Streaming("", interim=True).response(final()).results[0]
    assert result.is_final and result.channel_tag == 1 and result.stability == 1
    (only,) = result.alternatives
    assert only.transcript == "您好" and only.confidence == pytest.approx(0.625)
    assert list(only.language_code) == ["zh-CN"]
    word = only.words[1]
    assert (word.word, word.start_time, word.end_time, word.speaker_tag) == ("好", 300, 520, 0)
    assert word.confidence == pytest.approx(0.75)


def test_a_space_separates_finals_of_a_leg() -> None:
    wire = answers.Streaming("", interim=True)
    said = [final(), Partial(0, 1, "我", "", 0, 1), Partial(1, 0, "嗯", "", 0, 1), final()]
    texts = [wire.response(event).results[0].alternatives[0].transcript for event in said]
    assert texts == ["您好", " 我", "嗯", " 您好"]


def test_empty_results_are_not_sent() -> None:
    assert answers.Streaming("", interim=False).response(final("", words=())) is None
    assert answers.Streaming("", interim=True).response(Partial(0, 0, "", "", 0, 1)) is None


def test_an_empty_final_takes_back_the_partials_shown() -> None:
    wire = answers.Streaming("", interim=True)
    said = [final(), Partial(0, 1, "我", "", 0, 1), final("", words=()), final("再见")]
    results = [wire.response(event).results[0] for event in said]
    assert [r.alternatives[0].transcript for r in results] == ["您好", " 我", "", " 再见"]
    assert results[2].is_final and not results[2].alternatives[0].words


def test_recording() -> None:
    finals = (final(), final("", words=()), final("再见", leg=1, words=()))
    transcript = Transcript(finals, 4000, 2, "zh", "asr-demo 1", demo=True)
    response = answers.recognize_response(transcript, "r9")
    assert [r.alternatives[0].transcript for r in response.results] == ["您好", " 再见"]
    assert [r.channel_tag for r in response.results] == [1, 2]
    assert {r.audio_processed for r in response.results} == {4.0}
    assert response.id.value == "r9"


def test_model_list() -> None:
    response = answers.config_response((CARD,), "")
    online, offline = response.model_config
    assert online.model_name == offline.model_name == "asr-demo"
    assert (online.parameters["type"], online.parameters["streaming"]) == ("online", "True")
    assert (offline.parameters["type"], offline.parameters["streaming"]) == ("offline", "False")
    assert online.parameters["language_code"] == "zh-CN,en-US"
    assert online.parameters["sample_rate_hertz"] == "16000"
    assert online.parameters["version"] == "1"
    assert online.parameters["lingting_demo_weights"] == "true"
    with pytest.raises(NotFound):
        answers.config_response((CARD,), "nope")


def test_metadata_is_ascii() -> None:
    assert answers.answer_metadata("模型 1", demo=True) == (
        ("lingting-model", "?? 1"),
        ("lingting-demo-weights", "true"),
    )


# ---- errors


def details(error: Exception) -> tuple[grpc.StatusCode, str, dict[str, str], status_pb2.Status]:
    answer = answer_to(error)
    trailing = dict(answer.trailing)
    rich = status_pb2.Status.FromString(trailing.pop("grpc-status-details-bin"))
    assert rich.code == answer.status.value[0] and rich.message == answer.message
    return answer.status, answer.message, trailing, rich


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (InvalidRequest("a", "b"), "INVALID_ARGUMENT", "INVALID_REQUEST"),
        (InvalidAudio("a", "b"), "INVALID_ARGUMENT", "INVALID_AUDIO"),
        (TooLarge("a", "b"), "INVALID_ARGUMENT", "TOO_LARGE"),
        (NotFound("a", "b"), "NOT_FOUND", "NOT_FOUND"),
        (Unsupported("a", "b"), "UNIMPLEMENTED", "UNSUPPORTED"),
        (Overloaded("a", "b"), "RESOURCE_EXHAUSTED", "OVERLOADED"),
        (IdleTimeout("a", "b"), "DEADLINE_EXCEEDED", "IDLE_TIMEOUT"),
        (EngineUnavailable("a", "b"), "UNAVAILABLE", "ENGINE_UNAVAILABLE"),
        (Draining("a", "b"), "UNAVAILABLE", "DRAINING"),
        (RivaRefusal("empty audio", "EMPTY_AUDIO"), "INVALID_ARGUMENT", "EMPTY_AUDIO"),
    ],
)
def test_errors(error: LingtingError, status: str, reason: str) -> None:
    code, message, trailing, rich = details(error)
    assert code.name == status and message == str(error)
    info, chinese = error_details_pb2.ErrorInfo(), error_details_pb2.LocalizedMessage()
    assert rich.details[0].Unpack(info) and rich.details[1].Unpack(chinese)
    assert info.reason == reason and info.domain == "lingting"
    assert chinese.locale == "zh-CN" and chinese.message == CHINESE[reason]
    assert ("grpc-retry-pushback-ms" in trailing) == error.retryable
    assert (len(rich.details) == 3) == error.retryable


def test_when_to_come_back() -> None:
    _, _, trailing, rich = details(Overloaded("a", "b", retry_after_s=2.5))
    retry = error_details_pb2.RetryInfo()
    assert rich.details[2].Unpack(retry)
    assert trailing["grpc-retry-pushback-ms"] == "2500"
    assert retry.retry_delay.ToMilliseconds() == 2500


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), BundleError("load", "/secret")])
def test_what_is_our_fault_is_logged_not_told(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    code, message, trailing, rich = details(error)
    assert code is grpc.StatusCode.INTERNAL and "secret" not in rich.SerializeToString().decode(
        "latin-1"
    )
    info = error_details_pb2.ErrorInfo()
    assert rich.details[0].Unpack(info)
    assert info.metadata["error_id"] in message and info.metadata["error_id"] in caplog.text
    assert "secret" in caplog.text and not trailing


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("Error: config format doesn't match with header format", "HEADER_MISMATCH"),
        ("empty audio", "EMPTY_AUDIO"),
    ],
)
def test_rivas_own_words_stand_alone(cause: str, reason: str) -> None:
    _, message, _, rich = details(InvalidAudio("read audio header", cause, "a hint"))
    info = error_details_pb2.ErrorInfo()
    assert message == cause and rich.details[0].Unpack(info) and info.reason == reason


def test_every_known_error_has_a_status_or_is_ours() -> None:
    ours = {"internal", "bundle", "settings"}
    codes = {cls.code for cls in every_subclass(LingtingError)}
    assert codes - ours <= set(STATUS)


def every_subclass(cls: type[LingtingError]) -> set[type[LingtingError]]:
    return {cls}.union(*(every_subclass(sub) for sub in cls.__subclasses__()))


def test_a_long_message_fits_a_header() -> None:
    assert len(answer_to(InvalidRequest("a", "长" * 100_000)).message) == 1000
