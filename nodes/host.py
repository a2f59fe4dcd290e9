"""The only window on ComfyUI: its folders, devices, samplers, settings and messages."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..choices import Kind
from ..errors import LANGUAGES, UserError

if TYPE_CHECKING:
    from ..plan import Machine

log = logging.getLogger("intelligent_generation")


def data_folder() -> Path:
    """Where everything the pack stores lies; ComfyUI serves no folder of that name."""
    import folder_paths

    return Path(folder_paths.get_user_directory()) / "__intelligent_generation"


def model_folders() -> dict[Kind, list[Path]]:
    """The folders ComfyUI looks in for each kind of model, in its order."""
    import folder_paths

    known = folder_paths.folder_names_and_paths
    return {kind: [Path(path) for path in folder_paths.get_folder_paths(kind.value)] for kind in Kind if kind.value in known}


def machine(seconds_per_step: dict[str, float], peak_factors: dict[str, float]) -> Machine:
    """This machine as a plan may count on it: memory in whole GiB, less what others use, our own loaded
    models, and those that wait in the pool, counted as free."""
    import comfy.model_management as management
    import comfy.samplers
    import comfyui_version
    import psutil

    from ..memory.load import machine_forms
    from ..memory.reading import has_dynamic_vram, loaded_bytes
    from ..plan import GIB, Machine
    from .pooling import pool

    device, pooled = management.get_torch_device(), pool().state().size_bytes
    ours = loaded_bytes(device)
    # On a GPU the pool's loaded models are there; what is mapped from files counts as available already.
    in_ram = pooled if device.type == "cpu" else 0 if has_dynamic_vram() else max(0, pooled - ours)
    total, free = management.get_total_memory(device), management.get_free_memory(device)
    halves = management.should_use_fp16(device) or management.should_use_bf16(device)
    return Machine(
        device=device.type,
        vram_bytes=_steady(min(total, free + (max(ours, pooled) if device.type == "cpu" else ours))),
        ram_bytes=int((psutil.virtual_memory().available + in_ram) // GIB * GIB),
        host_version=comfyui_version.__version__,
        compute_bytes=2 if halves else 4,
        lean_attention=management.xformers_enabled() or management.pytorch_attention_flash_attention(),
        dynamic_vram=has_dynamic_vram(),
        precisions=machine_forms(),
        samplers=tuple(comfy.samplers.KSampler.SAMPLERS),
        schedulers=tuple(comfy.samplers.KSampler.SCHEDULERS),
        seconds_per_step=seconds_per_step,
        # Of what ComfyUI moves by itself only shortages tell: peaks that were measured left the weights out.
        peak_factors={name: each for name, each in peak_factors.items() if each >= 1 or not has_dynamic_vram()},
    )


def _steady(size_bytes: float) -> int:
    """In whole GiB; little memory in quarters, of which there is always one: 0 would mean that nothing is known."""
    from ..plan import GIB

    step = GIB if size_bytes >= 2 * GIB else GIB // 4
    return max(GIB // 4, int(size_bytes // step * step))


def language(chosen: str) -> str:
    """The language to speak: the one chosen on the node, else the one ComfyUI is set to, else English."""
    if chosen in LANGUAGES:
        return chosen
    import folder_paths

    settings = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
    try:
        locale = str(json.loads(settings.read_text(encoding="utf-8")).get("Comfy.Locale", "en"))
    except (OSError, ValueError, AttributeError):
        return "en"
    return locale[:2] if locale[:2] in LANGUAGES else "en"


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Errors raised inside speak this language: ComfyUI shows their sentence as it is."""
    try:
        yield
    except UserError as error:
        raise error.in_language(language) from error


def send(event: str, data: dict[str, Any]) -> None:
    """A message to the browser that queued the running prompt; lost where nobody listens."""
    from server import PromptServer

    PromptServer.instance.send_sync(f"intelligent_generation.{event}", data, PromptServer.instance.client_id)


def broadcast(event: str, data: dict[str, Any]) -> None:
    """A message to every open browser, from any thread."""
    from server import PromptServer

    PromptServer.instance.send_sync(f"intelligent_generation.{event}", data)


def progress_bar(total: int) -> Callable[[int, int], None]:
    """A progress bar on the running node: call it with what is done and the total. It raises ComfyUI's own
    interruption where the person pressed cancel."""
    import comfy.utils

    return comfy.utils.ProgressBar(total).update_absolute  # type: ignore[no-any-return]


def progress_text(node_id: str, text: str) -> None:
    """A line under a node while it runs."""
    from server import PromptServer

    PromptServer.instance.send_progress_text(text, node_id, PromptServer.instance.client_id)


def stop_if_interrupted() -> None:
    """Raise ComfyUI's own interruption when the person pressed cancel."""
    import comfy.model_management as management

    management.throw_exception_if_processing_interrupted()


def is_interrupted() -> bool:
    """Whether the person pressed cancel; the wish stays until ``stop_if_interrupted`` takes it."""
    import comfy.model_management as management

    return bool(management.processing_interrupted())


def node_classes() -> frozenset[str]:
    """Every node class this ComfyUI knows."""
    import nodes

    return frozenset(nodes.NODE_CLASS_MAPPINGS)


def model_path(kind: Kind, name: str) -> Path | None:
    """Where ComfyUI finds the file it lists as ``name``."""
    import folder_paths

    path = folder_paths.get_full_path(kind.value, name)
    return Path(path) if path else None


def metadata_is_wanted() -> bool:
    """False when ComfyUI was started with --disable-metadata."""
    from comfy.cli_args import args

    return not args.disable_metadata


def is_sampling() -> bool:
    """Whether a prompt is running now."""
    from server import PromptServer

    return bool(PromptServer.instance.prompt_queue.get_current_queue()[0])
