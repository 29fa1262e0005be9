"""What a GPU makes of this project, in ten minutes, on a bare machine without internet.

Here:   python -m tools.gpu_check.pack          wheels, Triton and weights into build/gpu-kit
There:  bash tools/gpu_check/start.sh build/gpu-kit   unpack, find CUDA, measure, print a table

The machine brings an NVIDIA driver, CUDA's libraries (12 or 13) with cuDNN 9, and Python with
numpy, scipy, onnxruntime, tokenizers, grpcio and httpx; the kit brings the rest.
"""
