"""What a plan gives up after the memory ran out all the same: one step down, never more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..data.families import families
from ..plan import Mode, Offload, Plan, Precision, Reason, Relief
from .estimate import load_of
from .resolution import shrink
from .revise import Place, Revision, revise

WARNING = "warn.out_of_memory"
LOWER_SHARE = 0.9  # less than a tenth is within what the estimate may be off
SMALLER_SHARE = 0.6  # of the pixels: what attends in full falls to about a third
Step = Callable[[Plan, Place], Revision | None]


def relieve(plan: Plan, place: Place) -> Plan | None:
    """The next cheaper plan, with a warning that says what was changed; what the person fixed stays, and what is so
    already is skipped. ``None`` when nothing is left to give up.

    There is one retry, so where the first step would not lower the estimated peak (a tiled decode, when it is sampling
    that takes most) the next is taken with it."""
    done: list[Relief] = []
    before, peak_bytes = plan, plan.estimate.vram_bytes
    for relief, step in _LADDER.items():
        if (change := step(plan, place)) is None:
            continue
        plan = revise(plan, change, place)
        done.append(relief)
        if relief in _ALWAYS_HELPS or plan.estimate.vram_bytes < LOWER_SHARE * peak_bytes:
            break
    return _told(plan, before, done) if done else None


def was_relieved(plan: Plan) -> bool:
    """Whether the plan is one that ``relieve`` made: there is no second retry."""
    return any(warning.key == WARNING for warning in plan.warnings)


def _told(plan: Plan, before: Plan, done: list[Relief]) -> Plan:
    warning = Reason("memory", WARNING, {"reliefs": " + ".join(relief.value for relief in done)})
    reliefs = (*before.estimate.relief, *done)
    return replace(plan, warnings=(warning, *plan.warnings), estimate=replace(plan.estimate, relief=reliefs))


def _tiled(plan: Plan, place: Place) -> Revision | None:
    return None if plan.settings.tiled_decode else Revision(settings=replace(plan.settings, tiled_decode=True))


def _quantised(plan: Plan, place: Place) -> Revision | None:
    model, precisions = place.model(plan.models), place.machine.precisions
    if model is None or not precisions or plan.request.mode is Mode.MANUAL:
        return None
    usual, cast = (load_of(model, place.machine, weight_dtype=form) for form in (plan.models.weight_dtype, precisions[0]))
    if cast.diffusion_bytes >= usual.diffusion_bytes or plan.models.weight_dtype is not Precision.DEFAULT:
        return None
    return Revision(models=replace(plan.models, weight_dtype=precisions[0]))


def _aggressive(plan: Plan, place: Place) -> Revision | None:
    if plan.memory is Offload.AGGRESSIVE or plan.request.memory is not None or place.machine.dynamic_vram:
        return None
    return Revision(memory=Offload.AGGRESSIVE)


def _smaller(plan: Plan, place: Place) -> Revision | None:
    fixed, family, settings = plan.request.fixed, families()[plan.family], plan.settings
    pixels = settings.width * settings.height
    if fixed.width is not None or fixed.height is not None or pixels <= family.min_side**2:
        return None
    width, height = shrink(family, (settings.width, settings.height), max(family.min_side**2, int(pixels * SMALLER_SHARE)))
    return Revision(settings=replace(settings, width=width, height=height))


# The estimate of a plan that streams fills what there is, however little it needs.
_ALWAYS_HELPS = (Relief.AGGRESSIVE, Relief.SMALLER)
_LADDER: dict[Relief, Step] = {
    Relief.TILED: _tiled,
    Relief.QUANTISED: _quantised,
    Relief.AGGRESSIVE: _aggressive,
    Relief.SMALLER: _smaller,
}
