"""What gives way when a plan does not fit the memory or the time there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..data import table
from ..data.families import Family
from ..plan import Constraints, Estimate, Fixed, Machine, Precision, Priority, Reason, Settings
from .estimate import Load, budget_bytes, decode_bytes, estimate, peak_factor
from .resolution import megapixels, shrink


@dataclass(frozen=True)
class Fit:
    """Settings that fit as well as they can, what they cost, and what was given up for it."""

    settings: Settings
    estimate: Estimate
    weight_dtype: Precision = Precision.DEFAULT
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What a plan has to fit: the family's sizes, the person's limits, the machine. ``load_with`` gives the
    weights in memory for a ``weight_dtype``; ``castable`` says that the loader can cast them to 8 bits."""

    family: Family
    fixed: Fixed
    constraints: Constraints
    machine: Machine
    priority: Priority
    load_with: Callable[[Precision], Load]
    castable: bool = False
    few_steps: bool = False
    manual: bool = False
    keeps_shape: bool = False

    def cost(self, settings: Settings, weight_dtype: Precision = Precision.DEFAULT) -> Estimate:
        return estimate(self.family, settings, self.load_with(weight_dtype), self.machine, self.constraints)

    @property
    def budget(self) -> int:
        return budget_bytes(self.machine, self.constraints)


def fit(settings: Settings, limits: Limits) -> Fit:
    """Tile the decode, cast weights to 8 bits, take one picture at a time, shrink, take fewer steps: in this
    order, each only when needed and never against what the person fixed."""
    state = _tiled(Fit(settings, limits.cost(settings)), limits)
    if not limits.manual:
        for give_way in (_cast, _one_at_a_time, _smaller):
            if state.estimate.fits is False:
                state = give_way(state, limits)
        state = _quicker(state, limits)
    return _told(state, limits)


def _with(state: Fit, limits: Limits, reason: Reason, settings: Settings | None = None, dtype: Precision | None = None) -> Fit:
    settings, dtype = settings or state.settings, dtype or state.weight_dtype
    return Fit(settings, limits.cost(settings, dtype), dtype, (*state.reasons, reason), state.warnings)


def _tiled(state: Fit, limits: Limits) -> Fit:
    rows = table("settings")["vram"]
    share = rows["tile_share_low_vram" if limits.priority is Priority.LOW_VRAM else "tile_share"]
    load = limits.load_with(state.weight_dtype)
    needed = decode_bytes(limits.family, state.settings, limits.machine) + load.vae_bytes
    values = {"needed_bytes": needed, "budget_bytes": limits.budget}
    if not limits.budget or needed <= share * limits.budget:
        return replace(state, reasons=(Reason("tiled_decode", "tiled_decode.off", values),))
    tiled = replace(state.settings, tiled_decode=True)
    return _with(state, limits, Reason("tiled_decode", "tiled_decode.on", values), tiled)


def _cast(state: Fit, limits: Limits) -> Fit:
    asked = limits.priority is Priority.LOW_VRAM or limits.constraints.max_vram_bytes is not None
    if not (limits.castable and asked):
        return state
    before, after = limits.load_with(Precision.DEFAULT).diffusion_bytes, limits.load_with(Precision.FP8).diffusion_bytes
    if after >= before:
        return state
    reason = Reason("weight_dtype", "weight_dtype.fp8", {"before_bytes": before, "after_bytes": after})
    return _with(state, limits, reason, dtype=Precision.FP8)


def _one_at_a_time(state: Fit, limits: Limits) -> Fit:
    if state.settings.batch == 1 or limits.fixed.batch is not None:
        return state
    return _with(
        state, limits, Reason("batch", "batch.limited", {"wanted": state.settings.batch}), replace(state.settings, batch=1)
    )


def _smaller(state: Fit, limits: Limits) -> Fit:
    """Only where the picture itself is what does not fit: weights ComfyUI can keep in RAM, activations it cannot."""
    if limits.fixed.width is not None or limits.fixed.height is not None:
        return state
    room = limits.budget - int(table("settings")["vram"]["reserve_bytes"])
    wanted = max(state.estimate.activations_bytes, state.estimate.decode_bytes)
    floor = limits.family.min_side**2
    pixels = state.settings.width * state.settings.height
    if wanted <= room or pixels <= floor:
        return state
    width, height = shrink(
        limits.family, (state.settings.width, state.settings.height), max(floor, int(pixels * max(room, 1) / wanted))
    )
    values = {"width": width, "height": height, "wanted": f"{state.settings.width}×{state.settings.height}"}
    key = "size.memory_image" if limits.keeps_shape else "size.memory"
    return _with(
        state,
        limits,
        Reason("size", key, {**values, "megapixels": megapixels((width, height))}),
        replace(state.settings, width=width, height=height),
    )


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
    return _with(state, limits, Reason("steps", "steps.time", values), replace(state.settings, steps=steps))


def _told(state: Fit, limits: Limits) -> Fit:
    warnings = list(state.warnings)
    cost, constraints = state.estimate, limits.constraints
    values = {"needed_bytes": cost.vram_bytes, "budget_bytes": limits.budget}
    if cost.fits is False:
        key = "warn.max_vram" if constraints.max_vram_bytes is not None else "warn.memory"
        warnings.append(Reason("estimate", key, values))
    limit = constraints.max_seconds
    if limit is not None and cost.seconds is None:
        warnings.append(Reason("estimate", "warn.time_unknown", {"limit": limit}))
    elif limit is not None and cost.seconds is not None and cost.seconds > limit:
        warnings.append(Reason("estimate", "warn.max_seconds", {"seconds": cost.seconds, "limit": limit}))
    return replace(state, reasons=(*state.reasons, *_costs(state, limits)), warnings=tuple(warnings))


def _costs(state: Fit, limits: Limits) -> tuple[Reason, ...]:
    cost, load = state.estimate, limits.load_with(state.weight_dtype)
    stages = {
        "encode_bytes": load.encoder_bytes,
        "sample_bytes": load.diffusion_bytes + cost.activations_bytes,
        "decode_bytes": load.vae_bytes + cost.decode_bytes,
        "peak_bytes": cost.vram_bytes,
    }
    fits = {True: "vram.fits", False: "vram.tight", None: "vram.unknown"}[cost.fits]
    told = [
        Reason("vram", fits, {"peak_bytes": cost.vram_bytes, "budget_bytes": limits.budget}),
        Reason("vram", "vram.stages", stages),
    ]
    if (factor := peak_factor(limits.family, limits.machine)) != 1:
        values = {"percent": round(factor * 100), "family": limits.family.label}
        told.insert(1, Reason("vram", "vram.measured", values))
    if cost.seconds is None:
        return (*told, Reason("time", "time.unknown"))
    key = "time.measured" if cost.measured else "time.guess"
    return (*told, Reason("time", key, {"seconds": cost.seconds, "device": limits.machine.device}))
