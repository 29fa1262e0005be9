"""A live call by our own gRPC, with moods: pip install grpcio protobuf googleapis-common-protos.

hotline_pb2, made from hotline.proto, is on the medium beside this file: lingting/hotline/v1/.

BOX_GRPC=lingting.example.cn:50051 BOX_CA=ca.pem BOX_KEY=lt_... python live_hotline.py call.wav
"""

import os
import sys
import time

import grpc
from lingting.hotline.v1 import hotline_pb2 as pb

CHUNK_S, BYTES_PER_S = 0.1, 16_000  # two legs of A-law at 8 kHz


def requests():
    yield pb.StreamCallRequest(
        config=pb.CallConfig(
            encoding=pb.AUDIO_ENCODING_ALAW,
            sample_rate_hertz=8000,
            channels=2,
            leg_roles=[pb.ROLE_AGENT, pb.ROLE_CITIZEN],
            call_id="example-hotline",
            moods=True,
        )
    )
    with open(sys.argv[1], "rb") as call:
        call.seek(58)  # after the header of this WAV
        while chunk := call.read(int(CHUNK_S * BYTES_PER_S)):
            yield pb.StreamCallRequest(audio=pb.Audio(content=chunk))
            time.sleep(CHUNK_S)


with open(os.environ["BOX_CA"], "rb") as authority:
    trusting = grpc.ssl_channel_credentials(authority.read())
key = (("authorization", f"Bearer {os.environ['BOX_KEY']}"),)
with grpc.secure_channel(os.environ["BOX_GRPC"], trusting) as channel:
    stream = channel.stream_stream(
        "/lingting.hotline.v1.Hotline/StreamCall",
        pb.StreamCallRequest.SerializeToString,
        pb.CallEvent.FromString,
    )
    try:
        for event in stream(requests(), metadata=key):
            kind = event.WhichOneof("event")
            if kind == "final":
                print(f"leg {event.final.leg}: {event.final.text}")
            elif kind == "mood":
                mood = event.mood.mood
                print(f"  {pb.Emotion.Name(mood.emotion)} {pb.Level.Name(mood.level)}")
            elif kind == "ended":
                print(f"{event.name}: {pb.Call.State.Name(event.ended)}")
    except grpc.RpcError as error:  # RESOURCE_EXHAUSTED: the trailing metadata says when to come
        sys.exit(f"{error.code().name}: {error.details()}")
