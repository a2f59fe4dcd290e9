"""Give memory back. Only for the thread that runs prompts: ComfyUI goes through its models there."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import TYPE_CHECKING

from ..choices import Freed
from .reading import has_dynamic_vram, ram, torch_devices

if TYPE_CHECKING:
    from .pool import Pool

WHAT = tuple(each.value for each in Freed)


def release(what: str, pool: Pool | None = None) -> int:
    """How many bytes were given back, of the devices and of RAM. ``models`` leave the devices; with ``pool``, those that
    nothing else uses leave the RAM, too; ``everything`` also asks ComfyUI to drop its results, which it does once the run
    is over. Where ComfyUI moves weights by itself (dynamic VRAM), no model is made to leave: only what is free anyway is."""
    import comfy.model_management as management

    before, held = _free_on_devices(), ram().process_bytes
    if what != "models" and pool is not None:
        pool.forget()
    if not has_dynamic_vram():
        management.unload_all_models()
    if pool is not None:
        pool.let_go()
    sweep()
    management.soft_empty_cache()
    if what == "everything":
        ask_host(unload=not has_dynamic_vram(), results=True)
    return max(0, _free_on_devices() - before) + max(0, held - ram().process_bytes)


def sweep() -> None:
    """End what only refers to itself, and have the C library return what was freed: glibc keeps blocks under 32 MB, which
    are most of a model's weights, for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def ask_host(unload: bool, results: bool) -> None:
    """As ``POST /free`` does: ComfyUI's worker unloads models and drops results as soon as it is idle. From any thread.
    Dropping results would unload, too, were it not told."""
    from server import PromptServer

    PromptServer.instance.prompt_queue.set_flag("unload_models", unload)
    if results:
        PromptServer.instance.prompt_queue.set_flag("free_memory", True)


def _free_on_devices() -> int:
    """Of devices with a memory of their own; RAM is told apart."""
    import comfy.model_management as management

    return sum(int(management.get_free_memory(device)) for device in torch_devices() if device.type != "cpu")
