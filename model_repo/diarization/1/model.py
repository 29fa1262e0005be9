"""Diarization in Triton: pyannote.audio or its port; weights and batching live in inference/."""

from inference.diarization.load import load_diarization
from inference.triton_model import BatchModel


class TritonPythonModel(BatchModel):
    load = staticmethod(load_diarization)
