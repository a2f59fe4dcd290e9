"""What gives way when a plan does not fit the memory or the time there is, and how that is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..data import table
from ..plan import Offload, Precision, Priority, Reason, Relief, Settings
from .cheapest import Fit, Limits, cheapest, what_would_help
from .estimate import decode_bytes, peak_factor, shares_ram, streamed_bytes
from .resolution import megapixels

SHOWN_BYTES = 50 * 1024**2  # less takes 5 ms a step to fetch (data/memory.toml): nothing to tell


def fit(settings: Settings, limits: Limits) -> Fit:
    """The cheapest that makes the plan fit the memory, then fewer steps where time is short: each only when needed and
    never against what the person fixed."""
    state = cheapest(settings, limits)
    state = replace(state, reasons=tuple(_given_up(settings, state, limits)))
    if state.estimate.fits is False:
        state = replace(state, estimate=replace(state.estimate, advice=what_would_help(settings, limits)))
    if not (limits.manual or limits.settled):
        state = _quicker(state, limits)
    return _told(state, limits)


def _given_up(before: Settings, state: Fit, limits: Limits) -> Iterator[Reason]:
    """A reason for each thing that is other than it would be with memory to spare; for the decode always."""
    yield _decode(before, state, limits)
    if state.held.weight_dtype is not Precision.DEFAULT:
        values = {
            "before_bytes": limits.load(replace(state.held, weight_dtype=Precision.DEFAULT)).diffusion_bytes,
            "after_bytes": limits.load(state.held).diffusion_bytes,
        }
        eight = "weight_dtype.int8" if state.held.weight_dtype is Precision.INT8 else "weight_dtype.fp8"
        yield Reason("weight_dtype", eight, values)
    if state.settings.batch != before.batch:
        yield Reason("batch", "batch.limited", {"wanted": before.batch})
    if (state.settings.width, state.settings.height) != (before.width, before.height):
        yield smaller(before, state.settings, limits.keeps_shape)


def smaller(before: Settings, after: Settings, keeps_shape: bool) -> Reason:
    """That the picture is smaller than it was, for the memory."""
    wanted, pixels = f"{before.width}×{before.height}", megapixels((after.width, after.height))
    values = {"width": after.width, "height": after.height, "wanted": wanted, "megapixels": pixels}
    return Reason("size", "size.memory_image" if keeps_shape else "size.memory", values)


def _decode(before: Settings, state: Fit, limits: Limits) -> Reason:
    whole = decode_bytes(limits.family, replace(before, tiled_decode=False), limits.machine)
    values = {"needed_bytes": whole + limits.load(state.held).vae_bytes, "budget_bytes": limits.budget}
    return Reason("tiled_decode", "tiled_decode.on" if state.settings.tiled_decode else "tiled_decode.off", values)


def _quicker(state: Fit, limits: Limits) -> Fit:
    limit, seconds = limits.constraints.max_seconds, state.estimate.seconds
    if limit is None or seconds is None or seconds <= limit or limits.fixed.steps is not None or limits.few_steps:
        return state
    fixed_seconds = 0.0 if state.estimate.measured else float(table("settings")["overhead"]["seconds"])
    per_step = (seconds - fixed_seconds) / state.settings.steps
    fastest = min([limits.family.steps[Priority.SPEED], *(low for low, _ in limits.family.complexity_steps.values())])
    least = max(1, round(fastest * table("settings")["steps"]["least_share"]))
    affordable = int((limit - fixed_seconds) / per_step) if per_step > 0 else least
    steps = min(state.settings.steps, max(least, affordable))
    if steps == state.settings.steps:
        return state
    values = {"value": steps, "wanted": state.settings.steps, "limit": limit}
    settings = replace(state.settings, steps=steps)
    cost = replace(limits.cost(settings, state.held), relief=state.estimate.relief, advice=state.estimate.advice)
    return replace(state, settings=settings, estimate=cost, reasons=(*state.reasons, Reason("steps", "steps.time", values)))


def _told(state: Fit, limits: Limits) -> Fit:
    warnings = list(state.warnings)
    cost, constraints = state.estimate, limits.constraints
    values = {"needed_bytes": cost.vram_bytes, "budget_bytes": limits.budget}
    if cost.fits is False:
        key = "warn.max_vram" if constraints.max_vram_bytes is not None else "warn.memory"
        warnings.append(Reason("estimate", key, values))
    if not shares_ram(limits.machine) and limits.machine.ram_bytes and cost.ram_bytes > limits.machine.ram_bytes:
        warnings.append(
            Reason("estimate", "warn.ram", {"needed_bytes": cost.ram_bytes, "free_bytes": limits.machine.ram_bytes})
        )
    limit = constraints.max_seconds
    if limit is not None and cost.seconds is None:
        warnings.append(Reason("estimate", "warn.time_unknown", {"limit": limit}))
    elif limit is not None and cost.seconds is not None and cost.seconds > limit:
        warnings.append(Reason("estimate", "warn.max_seconds", {"seconds": cost.seconds, "limit": limit}))
    return replace(state, reasons=(*state.reasons, *_costs(state, limits)), warnings=tuple(warnings))


def _costs(state: Fit, limits: Limits) -> tuple[Reason, ...]:
    cost = state.estimate
    told = [*_verdict(state, limits), Reason("vram", "vram.stages", {**_stages(state), "peak_bytes": cost.vram_bytes})]
    if (factor := peak_factor(limits.family, limits.machine)) != 1:
        values = {"percent": round(factor * 100), "family": limits.family.label}
        told.insert(1, Reason("vram", "vram.measured", values))
    told += _held(state, limits)
    if cost.seconds is None:
        return (*told, Reason("time", "time.unknown"))
    key = "time.measured" if cost.measured else "time.guess"
    return (*told, Reason("time", key, {"seconds": cost.seconds, "device": limits.machine.device}))


def _verdict(state: Fit, limits: Limits) -> Iterator[Reason]:
    cost = state.estimate
    values = {"peak_bytes": cost.vram_bytes, "budget_bytes": limits.budget}
    if cost.fits and cost.relief:
        yield Reason("vram", "vram.fits_with", {**values, "reliefs": _named(cost.relief)})
    else:
        yield Reason("vram", {True: "vram.fits", False: "vram.tight", None: "vram.unknown"}[cost.fits], values)
    if cost.advice:
        yield Reason("vram", "vram.advice", {"reliefs": _named(cost.advice)})


def _named(reliefs: tuple[Relief, ...]) -> str:
    return " + ".join(relief.value for relief in reliefs)


def _stages(state: Fit) -> dict[str, int]:
    costs = state.estimate.stages
    return {f"{cost.stage.value}_bytes": cost.weights_bytes + cost.working_bytes for cost in costs}


def _held(state: Fit, limits: Limits) -> Iterator[Reason]:
    """Which models leave the device, and what that takes in RAM."""
    held, load = state.held, limits.load(state.held)
    if held.offload is not Offload.NONE and not shares_ram(limits.machine):
        yield Reason("vram", f"vram.{held.offload.value}")
    if held.encoder_on_cpu:
        yield Reason("vram", "vram.encoder_on_cpu", {"needed_bytes": load.encoder_bytes})
    if (streamed := streamed_bytes(state.estimate.stages, load)) > SHOWN_BYTES:
        yield Reason("vram", "vram.streamed", {"streamed_bytes": streamed})
    if load.backup_bytes and not (shares_ram(limits.machine) or limits.machine.dynamic_vram):
        yield Reason("vram", "vram.loras", {"kept_bytes": load.lora_bytes + load.backup_bytes})
