"""A live call by NVIDIA's Riva client: pip install nvidia-riva-client.

BOX_GRPC=lingting.example.cn:50051 BOX_CA=ca.pem BOX_KEY=lt_... python live_riva.py call.wav
"""

import os
import sys
import time

import riva.client

CHUNK_S, BYTES_PER_S = 0.1, 16_000  # two legs of A-law at 8 kHz

auth = riva.client.Auth(
    uri=os.environ["BOX_GRPC"],
    use_ssl=True,
    ssl_root_cert=os.environ["BOX_CA"],
    metadata_args=[
        ["authorization", f"Bearer {os.environ['BOX_KEY']}"],
        ["x-call-id", "example-riva"],  # yours: by it the call is found and followed
    ],
)
config = riva.client.StreamingRecognitionConfig(
    config=riva.client.RecognitionConfig(
        encoding=riva.client.AudioEncoding.ALAW,
        sample_rate_hertz=8000,
        audio_channel_count=2,
        enable_separate_recognition_per_channel=True,
        language_code="zh-CN",
        enable_automatic_punctuation=True,
    ),
    interim_results=True,
)


def line():
    """Stands for the telephone line: raw A-law, at its own pace."""
    with open(sys.argv[1], "rb") as call:
        call.seek(58)  # after the header of this WAV
        while chunk := call.read(int(CHUNK_S * BYTES_PER_S)):
            yield chunk
            time.sleep(CHUNK_S)


for response in riva.client.ASRService(auth).streaming_response_generator(line(), config):
    for result in response.results:
        if result.is_final:
            print(f"leg {result.channel_tag}: {result.alternatives[0].transcript.strip()}")
