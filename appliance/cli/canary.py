"""`lingting canary`: places a real call whose words are known, and says whether they were heard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import grpc
import numpy as np
import typer

from appliance.engine.canary import Canary, is_close, load_canary
from appliance.errors import EngineUnavailable
from appliance.load.running import running_box
from appliance.models.serving import serving_settings
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb
from appliance.settings import Settings
from inference.tensors import SAMPLE_RATE_HZ

STREAM = "/lingting.hotline.v1.Hotline/StreamCall"
DELETE = "/lingting.hotline.v1.Hotline/DeleteCall"
CHUNK_BYTES = SAMPLE_RATE_HZ // 10 * 2  # 0.1 s
TIMEOUT_S = 60.0
PAUSE_S = 2.0  # between two tries
DOING = "call the box"


def canary(
    own: Annotated[
        bool, typer.Option("--own", help="Start a box of its own for it, on free ports.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Try again for so long, s: a box under load may be slow.")
    ] = 0.0,
) -> None:
    """Call the box with the speech model's own canary and compare what it hears.

    Exit codes: 0 it heard what was said, 3 it did not, or did not answer.
    """
    settings = serving_settings()
    known = load_canary(settings.models.asr)
    with contextlib.ExitStack() as stack:
        if own:
            target = stack.enter_context(running_box(environment=own_settings(settings))).address
        else:
            target = address(settings)
        begun = time.monotonic()
        heard = asyncio.run(until_heard(target, known, begun + patience))
    typer.echo(f"{target} heard {heard!r} in {time.monotonic() - begun:.1f} s")


async def until_heard(target: str, known: Canary, deadline: float) -> str:
    """Call until what was said is heard; raises EngineUnavailable of the last try."""
    while True:
        try:
            heard = await place_call(target, known)
            if known.text is None or is_close(heard, known.text):
                return heard
            cause = f"it heard {heard!r} instead of {known.text!r}"
            raise EngineUnavailable(DOING, cause, "run `lingting doctor`")
        except EngineUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAUSE_S)


def own_settings(settings: Settings) -> dict[str, str]:
    """Of a box that has nothing to do with the one that serves, but for its models."""
    models = {
        f"LINGTING_MODELS__{name.upper()}": str(folder or "")
        for name, folder in settings.models.model_dump().items()
    }
    return {**models, "LINGTING_CONFIG": os.devnull, "LINGTING_TRITON__MODE": "off"}


def address(settings: Settings) -> str:
    """Where a program of this machine calls."""
    if settings.local.folder:
        return f"unix:{settings.local.folder / 'grpc.sock'}"
    return f"{settings.grpc.host}:{settings.grpc.port}"


async def place_call(target: str, known: Canary) -> str:
    """Stream the canary live; returns the words heard. Raises EngineUnavailable."""
    pcm = (np.clip(known.audio, -1, 1) * 32767).astype("<i2").tobytes()

    async def requests() -> AsyncIterator[Any]:
        config = pb.CallConfig(
            encoding=pb.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=SAMPLE_RATE_HZ, channels=1
        )
        yield pb.StreamCallRequest(config=config)
        for start in range(0, len(pcm), CHUNK_BYTES):
            yield pb.StreamCallRequest(audio=pb.Audio(content=pcm[start : start + CHUNK_BYTES]))

    said, name = list[str](), ""
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            stream = channel.stream_stream(
                STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
            )
            async for event in stream(requests(), timeout=TIMEOUT_S, wait_for_ready=True):
                name = event.name
                if event.WhichOneof("event") == "final":
                    said.append(event.final.text)
            await channel.unary_unary(DELETE, pb.DeleteCallRequest.SerializeToString)(
                pb.DeleteCallRequest(name=name), timeout=TIMEOUT_S
            )
    except grpc.aio.AioRpcError as error:
        cause = f"{target}: {error.details() or error.code().name}"
        raise EngineUnavailable(DOING, cause, "is a box running there?") from error
    return "".join(said)
