"""What the little clients share: flags named as in NVIDIA's scripts, and JSON lines as output.

Run them as programs of their own: riva.client and a gRPC server do not live well in one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc
import riva.client

_STARTED = time.monotonic()
_PRINTING = threading.Lock()


def parser(about: str) -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(description=about)
    flags.add_argument("--server", default="localhost:50051", help="host:port")
    flags.add_argument("--use-ssl", action="store_true")
    flags.add_argument("--ssl-root-cert", help="PEM of the authority to trust")
    flags.add_argument("--ssl-client-cert", help="PEM of this client, for mTLS")
    flags.add_argument("--ssl-client-key")
    flags.add_argument("--metadata", nargs=2, action="append", metavar=("KEY", "VALUE"))
    return flags


def add_recognition_flags(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--file", required=True)
    flags.add_argument("--language-code", default="zh-CN")
    flags.add_argument("--model-name", default="")
    flags.add_argument("--encoding", choices=riva.client.AudioEncoding.keys())
    flags.add_argument("--sample-rate-hertz", type=int)
    flags.add_argument("--max-alternatives", type=int, default=1)
    flags.add_argument("--word-time-offsets", action="store_true")
    flags.add_argument("--automatic-punctuation", action="store_true")
    flags.add_argument("--no-verbatim-transcripts", action="store_true")
    flags.add_argument("--profanity-filter", action="store_true")
    flags.add_argument("--separate-channels", action="store_true")
    flags.add_argument("--speaker-diarization", action="store_true")
    flags.add_argument("--diarization-max-speakers", type=int, default=3)
    flags.add_argument("--boosted-lm-words", action="append")
    flags.add_argument("--boosted-lm-score", type=float, default=4.0)
    flags.add_argument("--start-history", type=int, default=-1)
    flags.add_argument("--start-threshold", type=float, default=-1.0)
    flags.add_argument("--stop-history", type=int, default=-1)
    flags.add_argument("--stop-history-eou", type=int, default=-1)
    flags.add_argument("--stop-threshold", type=float, default=-1.0)
    flags.add_argument("--stop-threshold-eou", type=float, default=-1.0)
    flags.add_argument("--custom-configuration", default="")


def service(args: argparse.Namespace) -> riva.client.ASRService:
    auth = riva.client.Auth(
        ssl_root_cert=args.ssl_root_cert,
        use_ssl=args.use_ssl,
        uri=args.server,
        metadata_args=args.metadata,
        ssl_client_cert=args.ssl_client_cert,
        ssl_client_key=args.ssl_client_key,
    )
    return riva.client.ASRService(auth)


def recognition_config(args: argparse.Namespace) -> riva.client.RecognitionConfig:
    """As the stock programs build it: rate and channels only of files Python's wave can read."""
    config = riva.client.RecognitionConfig(
        language_code=args.language_code,
        model=args.model_name,
        max_alternatives=args.max_alternatives,
        profanity_filter=args.profanity_filter,
        enable_automatic_punctuation=args.automatic_punctuation,
        verbatim_transcripts=not args.no_verbatim_transcripts,
        enable_word_time_offsets=args.word_time_offsets or args.speaker_diarization,
        enable_separate_recognition_per_channel=args.separate_channels,
    )
    riva.client.add_audio_file_specs_to_config(config, args.file)
    if args.encoding:
        config.encoding = riva.client.AudioEncoding.Value(args.encoding)
    if args.sample_rate_hertz is not None:
        config.sample_rate_hertz = args.sample_rate_hertz
    riva.client.add_word_boosting_to_config(config, args.boosted_lm_words, args.boosted_lm_score)
    riva.client.add_speaker_diarization_to_config(
        config, args.speaker_diarization, args.diarization_max_speakers
    )
    riva.client.add_endpoint_parameters_to_config(
        config,
        args.start_history,
        args.start_threshold,
        args.stop_history,
        args.stop_history_eou,
        args.stop_threshold,
        args.stop_threshold_eou,
    )
    riva.client.add_custom_configuration_to_config(config, args.custom_configuration)
    return config


def alternative(alternative: Any) -> dict[str, Any]:
    words = [
        {
            "word": word.word,
            "start_ms": word.start_time,
            "end_ms": word.end_time,
            "confidence": round(word.confidence, 4),
            "speaker": word.speaker_tag,
        }
        for word in alternative.words
    ]
    return {
        "text": alternative.transcript,
        "confidence": round(alternative.confidence, 4),
        "language": list(alternative.language_code),
        "words": words,
    }


def say(event: str, **fields: Any) -> None:
    """One JSON line; `t` is seconds since the program began."""
    line = {"event": event, "t": round(time.monotonic() - _STARTED, 3), **fields}
    with _PRINTING:
        print(json.dumps(line, ensure_ascii=False), flush=True)


def run(work: Callable[[], None]) -> None:
    """Exit 0 with {"event": "end"} as the last line, or 1 with {"event": "error"}."""
    try:
        work()
    except grpc.RpcError as error:
        say_error(error)
        sys.exit(1)
    say("end")


def say_error(error: Any, **fields: Any) -> None:
    trailing = dict(error.trailing_metadata() or ())
    say(
        "error",
        code=error.code().name,
        details=error.details(),
        retry_ms=trailing.get("grpc-retry-pushback-ms"),
        **fields,
    )
