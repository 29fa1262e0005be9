"""Emotion in Triton: an encoder's features, prosody and words; all of it lives in inference/."""

from inference.emotion.load import load_emotion
from inference.triton_model import BatchModel


class TritonPythonModel(BatchModel):
    load = staticmethod(load_emotion)
