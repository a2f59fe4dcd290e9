"""What runs really took beside what was estimated: kept per workload and family, so that the next estimate is a
measurement. Pure; who calls keeps the table."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from ..data import table
from ..plan import Measured, Plan
from .estimate import timing_key

Known = Mapping[str, list[float]]
LAST = 5  # runs whose median is believed
OUTVOTES = LAST // 2 + 1
PEAK = "peak:"
ROUNDING_BYTES = 16  # the room is cut to whole bytes before a peak factor multiplies it
OVERFLOW = 1.05  # an allocation that fails asks for hundreds of MiB at once: 5 % of 8 GiB


def after_run(known: Known, plan: Plan, measured: Measured) -> Known:
    """``known`` with a run that went well: seconds a step, and measured ÷ estimated peak where the device tells it."""
    learned = {timing_key(plan.family, plan.settings): measured.seconds / plan.settings.steps}
    if measured.peak_bytes and plan.estimate.vram_bytes and (factor := _peak_factor(plan, measured.peak_bytes)):
        learned[PEAK + plan.family] = factor
    return _with(known, learned)


def after_overflow(known: Known, plan: Plan) -> Known:
    """``known`` with a run that ran out of memory: it took at least what there was, and a little more, so that the next
    estimate for the family no longer fits that. Said as often as outvotes the runs that went well before; those that go
    well from now on outvote it in turn. The factor stays within the bounds that every estimate keeps to."""
    if not plan.estimate.vram_bytes:
        return known
    bounds = table("learning")["peak"]
    factor = OVERFLOW * max(_there(plan), plan.estimate.vram_bytes) / _uncorrected(plan)
    return _with(known, {PEAK + plan.family: min(bounds["most"], max(bounds["least"], factor))}, OUTVOTES)


def seconds_per_step(known: Known) -> dict[str, float]:
    """Measured seconds per step by ``estimate.timing_key``: the median of the last runs."""
    return {key: median(times) for key, times in known.items() if times and not key.startswith(PEAK)}


def peak_factors(known: Known) -> dict[str, float]:
    """Measured ÷ estimated peak memory by family: the median of the last runs; none on a device that does not tell."""
    return {key.removeprefix(PEAK): median(ratios) for key, ratios in known.items() if ratios and key.startswith(PEAK)}


def _with(known: Known, learned: Mapping[str, float], times: int = 1) -> Known:
    return {**known, **{key: [*known.get(key, []), *[value] * times][-LAST:] for key, value in learned.items()}}


def _there(plan: Plan) -> int:
    """The memory that the plan was made for."""
    told = (int(reason.values.get("budget_bytes", 0)) for reason in plan.reasons if reason.decision == "vram")
    return max(told, default=0)


def _peak_factor(plan: Plan, peak_bytes: int) -> float | None:
    """Where weights are fetched from RAM the estimate is what there is, not what is needed, and less than that says nothing
    of other plans: it only takes back what an earlier overflow raised. Of a batch ComfyUI decodes as many pictures at a time
    as there is room for: more than was estimated tells how much was free."""
    factor = peak_bytes / _uncorrected(plan)
    if factor > 1 and plan.settings.batch > 1 and not plan.settings.tiled_decode:
        return None
    if not _fills(plan):
        return factor
    return max(1.0, factor) if _percent(plan) > 100 else None


def _fills(plan: Plan) -> bool:
    """Whether the estimate is, to the rounding, all there is, or more: then the host keeps a part of the weights in RAM."""
    there = _there(plan)
    return 0 < there <= plan.estimate.vram_bytes + ROUNDING_BYTES


def _percent(plan: Plan) -> float:
    """How the plan's estimate was corrected by what was measured earlier."""
    return float(next((reason.values["percent"] for reason in plan.reasons if reason.key == "vram.measured"), 100))


def _uncorrected(plan: Plan) -> float:
    """The estimate as the arithmetic had it, before what was measured earlier corrected it."""
    return plan.estimate.vram_bytes * 100 / _percent(plan)
