"""Speech recognition in Triton: weights and batching live in inference/."""

from inference.asr.load import load_asr
from inference.triton_model import BatchModel


class TritonPythonModel(BatchModel):
    load = staticmethod(load_asr)
