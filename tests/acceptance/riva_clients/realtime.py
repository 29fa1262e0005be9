"""riva.client's own WebSocket client, as a program: a file in, its last transcript out as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json

import riva.client
from riva.client.argparse_utils import (
    add_asr_config_argparse_parameters,
    add_connection_argparse_parameters,
    add_realtime_config_argparse_parameters,
)
from riva.client.realtime import RealtimeClientASR


async def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--file", required=True)
    flags.add_argument("--num-channels", type=int, default=1)
    flags.add_argument("--sample-rate-hz", type=int, default=16_000)
    add_connection_argparse_parameters(flags)
    add_asr_config_argparse_parameters(flags)
    add_realtime_config_argparse_parameters(flags)
    args = flags.parse_args()
    args.prompt = ""
    client = RealtimeClientASR(args)
    await client.connect()
    with riva.client.AudioChunkFileIterator(args.file, 1600) as chunks:
        await asyncio.gather(client.send_audio_chunks(chunks), client.receive_responses())
    await client.disconnect()
    print(json.dumps({"transcript": client.final_transcript}, ensure_ascii=False))


if __name__ == "__main__":
    asyncio.run(main())
