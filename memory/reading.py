"""How full the memory of the running ComfyUI is, asked of the driver, of torch and of ComfyUI's own list of models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..readout import CleanUp, DeviceMemory, HeldModel, PoolState, Ram, Readout

_IN_RAM = ("cpu", "meta")  # devices whose memory is the RAM, or none
_WEIGHTS = frozenset({".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf"})


def read(pool: PoolState, clean_ups: Sequence[CleanUp], clock: Callable[[], float]) -> Readout:
    """All of it now. Reads only: nothing is loaded, moved or emptied by it, so any thread may ask."""
    import comfy.model_management as management

    return Readout(
        at=clock(),
        devices=tuple(_devices(management)),
        ram=ram(),
        models=tuple(_models(management)),
        pool=pool,
        clean_ups=tuple(clean_ups),
        vram_state=str(management.vram_state.name).lower(),
        reserve_bytes=int(management.extra_reserved_memory()),
        dynamic_vram=has_dynamic_vram(),
    )


def has_dynamic_vram() -> bool:
    """Whether this ComfyUI moves weights to the GPU and away by itself, as they are used."""
    try:
        import comfy.memory_management as dynamic
    except ImportError:  # hosts before 0.4x
        return False
    return bool(getattr(dynamic, "aimdo_enabled", False))


def torch_devices() -> list[Any]:
    """Every device ComfyUI computes on; older ones know one."""
    import comfy.model_management as management

    every = getattr(management, "get_all_torch_devices", None)
    return list(every()) if every else [management.get_torch_device()]


def loaded_bytes(device: Any) -> int:
    """What ComfyUI's models take of a device; one whose last reference has just gone takes nothing."""
    import comfy.model_management as management

    here = [loaded for loaded in list(management.current_loaded_models) if loaded.device == device]
    return sum(int(patcher.loaded_size()) for loaded in here if (patcher := loaded.model) is not None)


# --------------------------------------------------------------------------- devices


def _devices(management: Any) -> Iterator[DeviceMemory]:
    yield from (_device(management, device) for device in torch_devices() if device.type not in _IN_RAM)


def _device(management: Any, device: Any) -> DeviceMemory:
    total, free = int(management.get_total_memory(device)), int(management.get_free_memory(device))
    used, reserved, peak, name = total - free, 0, 0, str(device)
    if device.type == "cuda":
        import torch

        used = total - int(torch.cuda.mem_get_info(device)[0])
        reserved, peak = int(torch.cuda.memory_reserved(device)), int(torch.cuda.max_memory_reserved(device))
        name = torch.cuda.get_device_name(device)
    return DeviceMemory(str(device), name, total, free, used, reserved, peak)


# --------------------------------------------------------------------------- RAM


def ram() -> Ram:
    """Main memory: of the machine, and of this process."""
    import psutil

    machine, process = psutil.virtual_memory(), psutil.Process().memory_info()
    return Ram(int(machine.total), int(machine.available), int(process.rss), max(_peak(process), int(process.rss)))


def _peak(process: Any) -> int:
    if hasattr(process, "peak_wset"):  # Windows
        return int(process.peak_wset)
    import resource

    # Kibibytes on Linux, bytes on macOS: getrusage(2) of either.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# --------------------------------------------------------------------------- models


def _models(management: Any) -> Iterator[HeldModel]:
    for loaded in list(management.current_loaded_models):
        patcher = loaded.model
        if patcher is None:  # its last reference has just gone
            continue
        held, size = int(patcher.loaded_size()), int(patcher.model_size())
        yield HeldModel(_name(patcher), str(loaded.device), size, min(held, size), _dtype(patcher))


def _name(patcher: Any) -> str:
    """The file, where its loader says which; else what ComfyUI calls the network."""
    network = type(patcher.model).__name__
    factory = getattr(patcher, "cached_patcher_init", None)
    names = [Path(part).name for part in _texts(factory[1]) if Path(part).suffix.lower() in _WEIGHTS] if factory else []
    return f"{names[0]} ({network})" if names else network


def _texts(arguments: Any) -> Iterator[str]:
    for part in arguments if isinstance(arguments, (list, tuple)) else ():
        if isinstance(part, str):
            yield part
        yield from _texts(part)


def _dtype(patcher: Any) -> str:
    first = next(iter(patcher.model.parameters()), None)  # of networks that do not tell: encoders, VAEs
    dtype = patcher.model_dtype() or (first.dtype if first is not None else "")
    return str(dtype).removeprefix("torch.")
