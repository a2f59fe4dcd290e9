"""The one pool of loaded models, and what was given back when memory ran short."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from . import host
from .keep import KEEPER

if TYPE_CHECKING:
    from ..memory.pool import Key, Pool
    from ..plan import Reason
    from ..readout import CleanUp

# A share of RAM that stays free for the system, ComfyUI's own caches and what a file needs while it is read.
FREE_SHARE = 0.1
_CLEAN_UPS: deque[CleanUp] = deque(maxlen=20)


@cache
def pool() -> Pool:
    """The pool of this process."""
    from ..memory.pool import Pool

    return Pool(_limit_bytes, _lacking_bytes, KEEPER.keep_current, KEEPER.let_go)


def take(key: Key, load: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
    """What ``load`` gave for the same key earlier, else what it gives now. Whoever wants to change one of the models clones
    it first, as ComfyUI's own nodes do. Where memory is short, it is tidied before."""
    from .watching import tidy

    tidy()
    return pool().take(key, load, size_bytes)


def pooled_native(loader: str, values: dict[str, Any]) -> tuple[Any, ...]:
    """What a loader of ComfyUI's own gives for these inputs, through the pool where it reads files."""
    from . import native_loaders

    key = native_loaders.key(loader, values)
    if key is None:
        return native_loaders.load(loader, values)
    return take(key, lambda: native_loaders.load(loader, values))


def expect(keys: Sequence[Key]) -> None:
    """The run that begins will load these; before it does, what RAM is lacking for goes."""
    pool().expect(keys)
    pool().relieve()
    pool().let_go()


def is_alone() -> bool:
    """Whether ComfyUI has no model loaded but those of the run that begins: what is measured then is its own."""
    import comfy.model_management as management

    own = {id(patcher.model) for loaded in pool().wanted() for patcher in _patchers(loaded)}
    held = [loaded.model for loaded in management.current_loaded_models]
    return all(patcher is None or id(patcher.model) in own for patcher in held)


def size_bytes(loaded: tuple[Any, ...]) -> int:
    """What models take; what is none counts nothing."""
    by_model = {id(patcher.model): patcher for patcher in _patchers(loaded)}
    return sum(int(patcher.model_size()) for patcher in by_model.values())


def _patchers(loaded: tuple[Any, ...]) -> list[Any]:
    """A MODEL, or the patcher within a CLIP or a VAE."""
    return [patcher for value in loaded if hasattr(patcher := getattr(value, "patcher", value), "model_size")]


def clean_ups() -> tuple[CleanUp, ...]:
    """The last times that memory was given back, oldest first."""
    return tuple(_CLEAN_UPS)


def note_clean_up(freed_bytes: int, reason: Reason) -> None:
    """Memory was given back just now."""
    from ..readout import CleanUp

    _CLEAN_UPS.append(CleanUp(time.time(), freed_bytes, reason))


def release(what: str) -> int:
    """Give memory back, the pool's included, in the thread that runs prompts; how many bytes. What for: "models", "pool"
    or "everything"."""
    from ..memory import release as releasing

    if what != "models":
        KEEPER.forget()
        KEEPER.let_go()
    return releasing.release(what, pool())


def give_back(what: str, noted: bool) -> str:
    """As ``release``, told in the person's language; ``noted`` puts it among the clean-ups, where a plan's own borders would
    only be in the way."""
    from ..intelligence.explain import render
    from ..memory.reading import has_dynamic_vram
    from ..plan import Reason

    freed = release(what)
    if noted and freed:
        note_clean_up(freed, Reason("memory", "clean.asked", {}))
    said = [Reason("memory", f"freed.{what}", {"freed_bytes": freed})]
    if has_dynamic_vram():
        said.append(Reason("memory", "freed.dynamic", {}))
    return " ".join(render(reason, host.language("auto")) for reason in said)


def _limit_bytes() -> int:
    import psutil
    from comfy.cli_args import args

    from ..memory.options import read_options

    if args.highvram or args.gpu_only:  # what waits would wait on the GPU
        return 0
    return read_options(host.data_folder()).pool_bytes(psutil.virtual_memory().total)


def _lacking_bytes(coming_bytes: int) -> int:
    import psutil

    memory = psutil.virtual_memory()
    return max(0, int(FREE_SHARE * memory.total) + coming_bytes - int(memory.available))
