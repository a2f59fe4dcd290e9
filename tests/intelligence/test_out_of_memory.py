"""What says that memory ran out, in the words of allocators and drivers."""

import pytest
from pack.intelligence.out_of_memory import is_out_of_memory


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
