"""What says that memory ran out, in the words of allocators and drivers."""

import pytest
from pack.intelligence.out_of_memory import is_out_of_memory, stage_of
from pack.plan import Stage


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "RuntimeError",
            "[enforce fail at alloc_cpu.cpp:115] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
        ),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        ("RuntimeError", "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
        ("OSError", "[WinError 1455] The paging file is too small for this operation to complete"),
        ("builtins.OSError", "The paging file is too small for this operation to complete. (os error 1455)"),
    ],
)
def test_allocators_and_drivers_say_it_in_words_of_their_own(kind, message):
    assert is_out_of_memory(kind, message)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"),
        ("RuntimeError", "level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)"),
        ("ValueError", "CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_what_fails_for_another_reason_is_no_lack_of_memory(kind, message):
    assert not is_out_of_memory(kind, message)


NODES = '  File "/comfy/nodes.py", line 1587, in common_ksampler\n    samples = comfy.sample.sample(model, noise)\n'
FRAMES = {
    Stage.SAMPLE: '  File "/comfy/comfy/samplers.py", line 1240, in outer_sample\n    output = self.inner_sample(noise)\n',
    Stage.DECODE: '  File "/comfy/comfy/sd.py", line 950, in decode\n    out = self.process_output(samples)\n',
    Stage.ENCODE: '  File "/comfy/comfy/sd.py", line 301, in encode_from_tokens_scheduled\n    self.load_model(tokens)\n',
}


@pytest.mark.parametrize("stage", Stage)
def test_the_stage_is_told_by_comfyuis_own_frames(stage):
    assert stage_of([NODES, FRAMES[stage], '  File "/comfy/comfy/ops.py", line 9, in forward\n']) is stage


def test_the_outermost_stage_counts_and_other_frames_tell_none():
    assert stage_of([FRAMES[Stage.SAMPLE], FRAMES[Stage.DECODE]]) is Stage.SAMPLE
    assert stage_of([NODES, '  File "/comfy/comfy/utils.py", line 5, in decode_header\n']) is None
    assert stage_of([]) is None
