"""A recording by OpenAI's client: pip install openai.

BOX_HTTP=https://lingting.example.cn:9000 BOX_CA=ca.pem BOX_KEY=lt_... \\
  python recording_openai.py call.wav
"""

import os
import ssl
import sys

import openai

authority = ssl.create_default_context(cafile=os.environ["BOX_CA"])
box = openai.OpenAI(
    base_url=f"{os.environ['BOX_HTTP']}/v1",
    api_key=os.environ["BOX_KEY"],
    http_client=openai.DefaultHttpxClient(verify=authority),
)
with open(sys.argv[1], "rb") as call:
    heard = box.audio.transcriptions.create(
        model="whisper-1", file=call, response_format="verbose_json"
    )
for segment in heard.segments:
    print(f"{segment.start:6.1f} s  {segment.text}")
