"""Whether an error that ComfyUI recorded says that memory ran out."""

from __future__ import annotations

# Last part of the type: torch's own (torch.cuda's before 2.5), Python's, numpy's.
TYPES = ("OutOfMemoryError", "MemoryError", "_ArrayMemoryError")
# What drivers and allocators say through a RuntimeError or an AcceleratorError: CUDA, HIP, XPU and MPS "out of memory"; the
# CPU's allocator, on Windows in words of its own; cuBLAS; SYCL (XPU); DirectML; Windows where RAM and paging file are full.
SAYINGS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory: you tried to allocate",
    "cublas_status_alloc_failed",
    "ur_result_error_out_of_device_memory",
    "not enough gpu video memory",
    "paging file is too small",
)
SPEAKERS = ("RuntimeError", "AcceleratorError", "OSError", "DeferredCudaCallError")


def is_out_of_memory(kind: str, message: str) -> bool:
    """``kind`` is the error's type with its module, ``message`` what it said."""
    name = kind.rsplit(".", 1)[-1]
    return name in TYPES or (name in SPEAKERS and any(saying in message.lower() for saying in SAYINGS))
