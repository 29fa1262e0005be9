"""The models: a batch in, a batch out. Knows nothing of calls."""

import os

# Read by these libraries when they are first imported. Without the first, onnxruntime sends its
# makers a device number and what it runs; without the second, some look for models on a hub.
os.environ.update(ORT_DISABLE_TELEMETRY="1", HF_HUB_OFFLINE="1")
