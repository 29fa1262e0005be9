"""Stream a file, optionally as fast as it was spoken, optionally several times at once."""

from __future__ import annotations

import argparse
import threading
import wave
from pathlib import Path

import common
import grpc
import riva.client


def flags() -> argparse.Namespace:
    parser = common.parser(__doc__ or "")
    common.add_recognition_flags(parser)
    parser.add_argument("--simulate-realtime", action="store_true")
    parser.add_argument("--file-streaming-chunk", type=int, default=1600, help="frames")
    parser.add_argument("--no-interim-results", action="store_true")
    parser.add_argument("--num-clients", type=int, default=1)
    return parser.parse_args()


def stream(args: argparse.Namespace, client: int) -> None:
    config = riva.client.StreamingRecognitionConfig(
        config=common.recognition_config(args), interim_results=not args.no_interim_results
    )
    delay = (
        riva.client.sleep_audio_length if args.simulate_realtime and playable(args.file) else None
    )
    with riva.client.AudioChunkFileIterator(args.file, args.file_streaming_chunk, delay) as chunks:
        responses = common.service(args).streaming_response_generator(chunks, config)
        for response in responses:
            for result in response.results:
                common.say(
                    "result",
                    client=client,
                    is_final=result.is_final,
                    stability=round(result.stability, 4),
                    channel=result.channel_tag,
                    audio_processed=round(result.audio_processed, 3),
                    **common.alternative(result.alternatives[0]),
                )


def playable(file: str) -> bool:
    """Whether riva.client can tell how long a chunk lasts: not of A-law, FLAC, Opus."""
    try:
        with wave.open(str(Path(file))):
            return True
    except (wave.Error, EOFError):
        return False


def main() -> None:
    args = flags()
    failed: list[grpc.RpcError] = []

    def guarded(client: int) -> None:
        try:
            stream(args, client)
        except grpc.RpcError as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(args.num_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


if __name__ == "__main__":
    common.run(main)
