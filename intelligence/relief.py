"""What a plan gives up after the memory ran out all the same: one step down, never more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..data.families import families
from ..plan import Mode, Offload, Plan, Precision, Reason, Relief, Stage
from .estimate import load_of, shares_ram
from .limits import smaller
from .resolution import smaller_bucket
from .revise import Place, Revision, revise

WARNING = "warn.out_of_memory"
LOWER_SHARE = 0.9  # less than a tenth is within what the estimate may be off
SMALLER_SHARE = 0.6  # of the pixels: what attends in full falls to about a third
Step = Callable[[Plan, Place], Revision | None]


def relieve(plan: Plan, place: Place, stage: Stage | None = None) -> Plan | None:
    """The next cheaper plan, with a warning that says what was changed; what the person fixed stays, and what is so
    already is skipped. ``None`` when nothing is left to give up.

    There is one retry, so where the first step would not lower the estimated peak (a tiled decode, when it is sampling
    that takes most) the next is taken with it. Where the ``stage`` in which it ran out is known, its peak alone counts, and
    what leaves that as it is is not given up. The peaks are told by what is known now: the plan's own estimate is older
    than what its running out of memory taught."""
    done: list[Relief] = []
    peak_bytes = _peak_bytes(revise(plan, Revision(), place), place, stage)
    for relief, step in _LADDER.items():
        if (change := step(plan, place)) is None:
            continue
        following = revise(plan, replace(change, reliefs=(relief,)), place)
        after_bytes = _peak_bytes(following, place, stage)
        if stage and relief not in _ALWAYS_HELPS and after_bytes >= peak_bytes:
            continue
        plan = following
        done.append(relief)
        if relief in _ALWAYS_HELPS or after_bytes < LOWER_SHARE * peak_bytes:
            break
    return _told(plan, done) if done else None


def was_relieved(plan: Plan) -> bool:
    """Whether the plan is one that ``relieve`` made: there is no second retry."""
    return any(warning.key == WARNING for warning in plan.warnings)


def _peak_bytes(plan: Plan, place: Place, stage: Stage | None) -> int:
    """What has to be on the device at once, in this stage or in any: of weights that are fetched at each step there is as
    much as there is room for, so that only working memory counts."""
    stages = [each for each in plan.estimate.stages if stage in (None, each.stage)]
    if stages and (plan.memory is Offload.AGGRESSIVE or place.machine.dynamic_vram):
        return max(each.working_bytes for each in stages)
    if stages and stage:
        return max(each.weights_bytes + each.working_bytes for each in stages)
    return plan.estimate.vram_bytes


def _told(plan: Plan, done: list[Relief]) -> Plan:
    warning = Reason("memory", WARNING, {"reliefs": " + ".join(relief.value for relief in done)})
    return replace(plan, warnings=(warning, *plan.warnings))


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
    useless = place.machine.dynamic_vram or shares_ram(place.machine)
    if useless or plan.memory is Offload.AGGRESSIVE or plan.request.memory is not None:
        return None
    return Revision(memory=Offload.AGGRESSIVE)


def _smaller(plan: Plan, place: Place) -> Revision | None:
    fixed, family, settings = plan.request.fixed, families()[plan.family], plan.settings
    if fixed.width is not None or fixed.height is not None:
        return None
    size = settings.width, settings.height
    if (bucket := smaller_bucket(family, size, int(size[0] * size[1] * SMALLER_SHARE))) is None:
        return None
    after = replace(settings, width=bucket[0], height=bucket[1])
    return Revision(settings=after, reasons=(smaller(settings, after, plan.request.keeps_shape),))


# The estimate of a plan that streams fills what there is, however little it needs.
_ALWAYS_HELPS = (Relief.AGGRESSIVE, Relief.SMALLER)
_LADDER: dict[Relief, Step] = {
    Relief.TILED: _tiled,
    Relief.QUANTISED: _quantised,
    Relief.AGGRESSIVE: _aggressive,
    Relief.SMALLER: _smaller,
}
