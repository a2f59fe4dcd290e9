"""What runs really took: started when a plan expands, ended when its picture arrives; time is remembered per workload,
peak memory per family, so that the next estimate is a measurement."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ..files import write_whole
from ..intelligence import residuals
from ..plan import Generation, LoraChoice, Measured, Plan, Reason
from .host import data_folder, log

MAX_REMEMBERED = 256


class Started(NamedTuple):
    """When (of the performance counter), and whether no model but its own was loaded then: else its peak tells nothing."""

    at: float
    alone: bool


_lock = Lock()
_started: OrderedDict[str, Started] = OrderedDict()
_ended: OrderedDict[str, Measured] = OrderedDict()
_counts: OrderedDict[str, tuple[int, int]] = OrderedDict()


def count(lora: str, applied: int, total: int) -> None:
    """Note how many of a LoRA's modules the loaded model took."""
    with _lock:
        _put(_counts, lora, (applied, total))


def counted(generation: Generation) -> Generation:
    """The generation with what was counted when its LoRAs were loaded."""
    with _lock:
        loras = tuple(_with_count(choice) for choice in generation.plan.loras)
    return replace(generation, plan=replace(generation.plan, loras=loras))


def _with_count(choice: LoraChoice) -> LoraChoice:
    if choice.use.name not in _counts or choice.matched_keys is not None:
        return choice
    applied, total = _counts[choice.use.name]
    reason = Reason(f"lora:{choice.use.name}", "lora.applied", {"applied": applied, "total": total})
    return replace(choice, matched_keys=applied, total_keys=total, reasons=(*choice.reasons, reason))


def begin(generation: Generation) -> None:
    """Note that a generation starts now."""
    from .pooling import is_alone

    started = Started(time.perf_counter(), is_alone())
    with _lock:
        _ended.pop(generation.id, None)
        _put(_started, generation.id, started)
    _reset_peak()


def end(generation: Generation) -> Measured | None:
    """What the generation took, from plan to picture; ``None`` when it never ran in this process."""
    with _lock:
        started = _started.pop(generation.id, None)
        if started is None:
            return _ended.get(generation.id)
        measured = Measured(time.perf_counter() - started.at, _peak())
        _put(_ended, generation.id, measured)
    telling = measured if started.alone else replace(measured, peak_bytes=None)
    _learn(lambda known: residuals.after_run(known, generation.plan, telling))
    return measured


def seconds_per_step() -> dict[str, float]:
    """Measured seconds per step by ``estimate.timing_key``."""
    return residuals.seconds_per_step(_read())


def peak_factors() -> dict[str, float]:
    """Measured ÷ estimated peak memory by family; none on a device that does not tell."""
    return residuals.peak_factors(_read())


def overflowed(plan: Plan) -> None:
    """Note that a plan ran out of memory, so that the next one for its family takes less."""
    _learn(lambda known: residuals.after_overflow(known, plan))


def _put(table: OrderedDict[str, Any], key: str, value: Any) -> None:
    table[key] = value
    while len(table) > MAX_REMEMBERED:
        table.popitem(last=False)


def _learn(learn: Callable[[residuals.Known], residuals.Known]) -> None:
    from filelock import FileLock

    try:
        with FileLock(f"{_file()}.lock", timeout=5):
            write_whole(_file(), json.dumps(learn(_read())))
    except OSError as fault:  # a lock that is held for long is one, too
        log.warning("run times are not remembered: %s", fault)


def _read() -> dict[str, list[float]]:
    try:
        times: dict[str, list[float]] = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return times if isinstance(times, dict) else {}


def _file() -> Path:
    return data_folder() / "run_times.json"


def _reset_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak() -> int | None:
    import torch

    from ..memory.reading import has_dynamic_vram

    if not torch.cuda.is_available() or has_dynamic_vram():  # there weights are none of torch's
        return None
    # Allocated, not reserved: what torch keeps at hand of earlier runs is no need of this one.
    return int(torch.cuda.max_memory_allocated())
