"""Whether an error that ComfyUI recorded says that memory ran out, and at what."""

from __future__ import annotations

from collections.abc import Iterable

from ..plan import Stage

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


# What ComfyUI's own functions of each stage are called (comfy/samplers.py, comfy/sd.py): the nodes around them have many names.
_FRAMES = {
    Stage.SAMPLE: ("in outer_sample", "in inner_sample"),
    Stage.DECODE: ("in decode_tiled", "in decode\n"),
    Stage.ENCODE: ("in encode_from_tokens", "in encode_token_weights"),
}


def stage_of(traceback: Iterable[str]) -> Stage | None:
    """The stage in which it happened, by the frames that ComfyUI recorded; ``None`` where they do not tell, as while a file
    is read. The outermost frame counts: within sampling, models of other stages may run, too."""
    for frame in traceback:
        for stage, names in _FRAMES.items():
            if any(name in f"{frame}\n" for name in names):
                return stage
    return None
