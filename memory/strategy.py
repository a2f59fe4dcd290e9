"""Which models stay on the device while one samples: a wrapper around ComfyUI's own sampling, on the model that carries it.

The model is loaded inside the wrapper (``CFGGuider.outer_sample``), so what is set here holds for this one sampling, and all
of it is put back afterwards, also after an error or a stop. ComfyUI moves the weights; where it does so by itself, as they
are used (dynamic VRAM), nothing is ever unloaded from here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..choices import Offload
from .reading import has_dynamic_vram

log = logging.getLogger("intelligent_generation")

KEY = "intelligent_generation_memory"
# ComfyUI's own wish for "more than there is" (unload_all_models).
EVERYTHING = 1e30
# Weights take this much more while they load: the factor of ComfyUI's load_models_gpu.
LOADING = 1.1
# Of the device, kept free besides ComfyUI's own reserve where memory is short: what sampling takes beyond ComfyUI's
# estimate of it. 1.5 GB of a 12 GB card, on which ComfyUI counts on 0.8 GB at least for the work itself.
RESERVE_SHARE = 1 / 8


@dataclass(frozen=True)
class Room:
    """A device as sampling begins, in bytes: what is free, what other models take of it, and what this one still needs."""

    free_bytes: int
    others_bytes: int
    needed_bytes: int


def choose(room: Room) -> Offload:
    """The first strategy that fits: nothing need leave, the others must, or even that is not enough."""
    if room.needed_bytes <= room.free_bytes:
        return Offload.NONE
    return Offload.BALANCED if room.needed_bytes <= room.free_bytes + room.others_bytes else Offload.AGGRESSIVE


def with_strategy(model: Any, offload: Offload | None) -> Any:
    """The model with this strategy, instead of one it had; ``None`` = decided when sampling begins."""
    from comfy.patcher_extension import WrappersMP

    held = model.clone()
    held.remove_wrappers_with_key(WrappersMP.OUTER_SAMPLE, KEY)
    held.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, partial(_sample, offload))
    return held


def _sample(offload: Offload | None, executor: Any, noise: Any, *args: Any, **kwargs: Any) -> Any:
    guider = executor.class_obj
    chosen = offload or choose(room_for(guider, noise.shape))
    log.info("Memory strategy %s (%s) for %s", chosen.value, "asked" if offload else "chosen", _name(guider))
    with _in_force(chosen, guider, asked=offload is not None):
        return executor(noise, *args, **kwargs)


@contextmanager
def _in_force(chosen: Offload, guider: Any, asked: bool) -> Iterator[None]:
    """Every ComfyUI-wide setting is as it was afterwards."""
    import comfy.model_management as management

    held = management.vram_state, management.EXTRA_RESERVED_VRAM
    try:
        _before(chosen, guider, management, asked)
        yield
        _after(chosen, guider, management)
    finally:
        management.vram_state, management.EXTRA_RESERVED_VRAM = held


def _before(chosen: Offload, guider: Any, management: Any, asked: bool) -> None:
    device = guider.model_patcher.load_device
    if has_dynamic_vram():
        if chosen is Offload.AGGRESSIVE:
            management.soft_empty_cache()
        return
    if chosen is Offload.NONE:
        if asked:  # what fits ComfyUI loads whole by itself
            _load_whole(management)
        return
    management.free_memory(EVERYTHING, device, keep_loaded=_sampling(guider, management))
    if chosen is Offload.AGGRESSIVE:
        management.EXTRA_RESERVED_VRAM += int(RESERVE_SHARE * management.get_total_memory(device))


def _load_whole(management: Any) -> None:
    """Loaded whole even where ComfyUI would leave a part in RAM; shared memory has no such parts."""
    if management.vram_state is not management.VRAMState.SHARED:
        management.vram_state = management.VRAMState.HIGH_VRAM


def _after(chosen: Offload, guider: Any, management: Any) -> None:
    if chosen is not Offload.AGGRESSIVE:
        return
    if has_dynamic_vram():
        management.soft_empty_cache()
    else:
        management.free_memory(EVERYTHING, guider.model_patcher.load_device)


def room_for(guider: Any, noise_shape: Any) -> Room:
    """ComfyUI's own arithmetic for what it is about to load."""
    import comfy.model_management as management
    from comfy.sampler_helpers import estimate_memory

    model = guider.model_patcher
    device, ours = model.load_device, _sampling(guider, management)
    needed, beside = _needed(guider)
    required, _ = estimate_memory(model, noise_shape, guider.conds)
    working = max(management.minimum_inference_memory(), required + beside + management.extra_reserved_memory())
    missing = sum(max(0, patcher.model_size() - patcher.loaded_size()) for patcher in needed)
    others = sum(
        loaded.model_loaded_memory()
        for loaded in management.current_loaded_models
        if loaded.device == device and loaded.model is not None and loaded not in ours
    )
    return Room(int(management.get_free_memory(device)), int(others), int(LOADING * missing + working))


def _sampling(guider: Any, management: Any) -> list[Any]:
    """Of the loaded models, those that sampling needs."""
    needed, _ = _needed(guider)
    loaded = [each for each in management.current_loaded_models if each.model is not None]
    return [each for each in loaded if any(each.model.is_clone(patcher) for patcher in needed)]


def _needed(guider: Any) -> tuple[list[Any], int]:
    """The model, and what comes with it or with its conditioning; what the latter works in, in bytes."""
    from comfy.sampler_helpers import get_additional_models, get_additional_models_from_model_options

    model = guider.model_patcher
    models, working = get_additional_models(guider.conds, model.model_dtype())
    needed = [model, *models, *get_additional_models_from_model_options(guider.model_options)]
    needed += model.get_nested_additional_models()
    return [*needed, *(patch for each in needed for patch in each.model_patches_models())], int(working)


def _name(guider: Any) -> str:
    return type(guider.model_patcher.model).__name__
