"""Automatic clean-up: what goes when memory runs short, when that is safe, and who hears of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import host
from .pooling import FREE_SHARE, clean_ups, note_clean_up, pool

if TYPE_CHECKING:
    from ..plan import Reason
    from ..readout import Readout

CLEANED = "memory_cleaned"


def readout() -> Readout:
    """How full the memory is at this moment; any thread may ask."""
    import time

    from ..memory.reading import read

    return read(pool().state(), clean_ups(), time.time)


def tidy() -> int:
    """Give back what is needed where less than ``clean_below`` of RAM or of a device's memory is free: first files that
    the pool holds, then models of that device, no more of them than it takes; how many bytes that were. Only for
    the thread that runs prompts, between two nodes: what is dropped elsewhere ends it."""
    from ..memory.options import read_options

    share = read_options(host.data_folder()).clean_below
    return _tidy_ram(share) + _tidy_devices(share) if share else 0


def tidy_if_idle() -> bool:
    """``tidy`` from another thread; False while a prompt runs: then nothing happens."""
    with worker_held() as held:
        if held:
            tidy()
        return held


def let_go_if_idle() -> bool:
    """End what the pool and the keeper set aside, once ComfyUI's worker did all it was asked for; False before that. What
    is set aside goes when the worker comes by, too."""
    from server import PromptServer

    from ..memory.release import sweep

    with worker_held() as held:
        if not held or PromptServer.instance.prompt_queue.flags:
            return False
        pool().let_go()
        sweep()
        return True


@contextmanager
def worker_held() -> Iterator[bool]:
    """Whether ComfyUI's worker waits for work; if so, it goes on waiting until the block is left."""
    from server import PromptServer

    queue = PromptServer.instance.prompt_queue
    with queue.mutex:
        # It waits with this very lock, so that it cannot go on as long as we have it. After a prompt it still unloads and
        # collects without being in ``currently_running``: that list alone would not do.
        waits = bool(getattr(queue.not_empty, "_waiters", ()))
        yield waits and not queue.currently_running and not queue.queue


def _tidy_ram(share: float) -> int:
    from ..memory.reading import ram
    from ..memory.release import sweep
    from ..plan import Reason

    now = ram()
    if now.free_bytes >= share * now.total_bytes:
        return 0
    freed = pool().relieve(coming_bytes=int(max(0.0, share - FREE_SHARE) * now.total_bytes))
    pool().let_go()
    if freed:
        sweep()
    _tell(freed, Reason("memory", "clean.low_ram", {"free_bytes": now.free_bytes, "total_bytes": now.total_bytes}))
    return freed


def _tidy_devices(share: float) -> int:
    import comfy.model_management as management

    from ..memory.reading import torch_devices

    return sum(_tidy_device(management, device, share) for device in torch_devices() if device.type not in ("cpu", "mps"))


def _tidy_device(management: Any, device: Any, share: float) -> int:
    from ..memory.reading import has_dynamic_vram
    from ..plan import Reason

    total, free = int(management.get_total_memory(device)), int(management.get_free_memory(device))
    # ComfyUI fills a GPU but for what it works in: only where not even half of that is left something is amiss.
    wanted = min(share * total, management.minimum_inference_memory() / 2)
    if free >= wanted:
        return 0
    if not has_dynamic_vram():  # there ComfyUI lets weights go by itself, page by page
        management.free_memory(wanted, device)
    management.soft_empty_cache()
    freed = max(0, int(management.get_free_memory(device)) - free)
    values = {"free_bytes": free, "total_bytes": total, "device": str(device)}
    _tell(freed, Reason("memory", "clean.low_vram", values))
    return freed


def _tell(freed_bytes: int, reason: Reason) -> None:
    """A clean-up that freed something is noted, logged and shown in every open browser."""
    from ..intelligence.explain import in_binary_units
    from ..memory_report import figures

    if not freed_bytes:
        return
    note_clean_up(freed_bytes, reason)
    shown = figures(readout(), host.language("auto"))["clean_ups"][-1]
    host.log.info("Memory given back: %s. %s", in_binary_units(freed_bytes), json.dumps(shown["reason"], ensure_ascii=False))
    host.broadcast(CLEANED, shown)
