"""Settings worth comparing in a batch: the family's own ranges, around what the plan has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..data import table
from ..data.families import Family, families
from ..errors import sentence
from ..plan import Machine, Plan, Reason, Settings
from .resolution import bucket, framing, shrink
from .revise import Revision
from .samplers import label_of
from .suitability import style_group

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Axis:
    """One thing that varies: ``values``, the plan's own first, then those that tell most. ``graded`` ones are numbers."""

    name: str
    values: Values
    graded: bool = False

    def take(self, count: int) -> Axis:
        """``count`` values: of numbers, the plan's own and others evenly over their range, in their order."""
        if not self.graded:
            return Axis(self.name, self.values[:count])
        others = sorted(self.values[1:])
        step = (len(others) - 1) / max(1, count - 2)
        picked = dict.fromkeys(others[round(place * step)] for place in range(count - 1))
        return Axis(self.name, (self.values[0], *picked), True)


def axes_of(plan: Plan, machine: Machine) -> tuple[Axis, ...]:
    """What may vary in this plan, the most telling first. What the person fixed does not, nor what a distilled model
    was made for."""
    family = families()[plan.family]
    found = {
        "guidance" if family.guidance else "cfg": _strengths(plan, family),
        "steps": _steps(plan, family),
        "sampler": _samplers(plan, family, machine),
        "size": _sizes(plan, family),
    }
    graded = ("cfg", "guidance", "steps")
    return tuple(Axis(name, values, name in graded) for name, values in found.items() if len(values) > 1)


def _first(own: Any, others: Sequence[Any]) -> Values:
    return (own, *(value for value in dict.fromkeys(others) if value != own))


def _outside_in(numbers: Sequence[Any]) -> list[Any]:
    """Lowest, highest, second lowest …: neighbours look alike."""
    ordered = sorted(numbers)
    both_ends = zip(ordered, reversed(ordered), strict=True)
    return list(dict.fromkeys(number for pair in both_ends for number in pair))


def _strengths(plan: Plan, family: Family) -> Values:
    """CFG, or guidance where the family takes that."""
    name = "guidance" if family.guidance else "cfg"
    own = getattr(plan.settings, name)
    if getattr(plan.request.fixed, name) is not None or plan.distillation or own is None:
        return ()
    low, high = family.cfg.get(style_group(plan.analysis.style), family.cfg["default"])
    grain = table("settings")["cfg"]["grain"]
    return _first(own, _outside_in([low + grain * step for step in range(int((high - low) / grain + 1e-9) + 1)]))


def _steps(plan: Plan, family: Family) -> Values:
    limit = plan.request.constraints.max_steps
    if plan.request.fixed.steps is not None or plan.distillation:
        return ()
    bands = [steps for band in family.complexity_steps.values() for steps in band]
    usual = {steps for steps in (*bands, *family.steps.values()) if limit is None or steps <= limit}
    return _first(plan.settings.steps, _outside_in(list(usual)))


def _samplers(plan: Plan, family: Family, machine: Machine) -> Values:
    fixed, own = plan.request.fixed, plan.settings
    if fixed.sampler is not None or fixed.scheduler is not None or plan.distillation or family.distilled:
        return ()
    listed = table("variations")["samplers"][family.prediction.value]
    pairs = [(sampler, scheduler) for sampler, scheduler in (*family.samplers.values(), *map(tuple, listed))]
    if family.scheduler_node is not None:
        pairs = [(sampler, own.scheduler) for sampler, _ in pairs]
    known = [pair for pair in pairs if _available(pair, machine)]
    return _first((own.sampler, own.scheduler), known)


def _available(pair: tuple[str, str], machine: Machine) -> bool:
    sampler, scheduler = pair
    has_sampler = not machine.samplers or sampler in machine.samplers
    return has_sampler and (not machine.schedulers or scheduler in machine.schedulers)


def _sizes(plan: Plan, family: Family) -> Values:
    fixed, own = plan.request.fixed, (plan.settings.width, plan.settings.height)
    if fixed.width is not None or fixed.height is not None or plan.request.keeps_shape:
        return ()
    aspects = table("variations")["sizes"]["aspects"]
    if framing(plan.analysis.text):  # the words ask for a shape
        aspects = [aspect for aspect in aspects if (aspect > 1) == (own[0] > own[1])]
    ordered = sorted(aspects, key=lambda aspect: abs(aspect - own[0] / own[1]))
    return _first(own, [_as_large(bucket(family, aspect), own, family) for aspect in ordered])


def _as_large(size: tuple[int, int], own: tuple[int, int], family: Family) -> tuple[int, int]:
    """``size``, no larger than a plan's that was made small for memory or by a limit."""
    small = own[0] * own[1] < family.native_pixels * 0.8
    return shrink(family, size, own[0] * own[1]) if small else size


# --------------------------------------------------------------------------- a value put into a plan


def with_values(plan: Plan, chosen: dict[str, Any]) -> Revision:
    """The revision that sets these axes' values; empty where all are the plan's own."""
    settings, reasons = plan.settings, []
    for name, value in chosen.items():
        for field, part in _fields(name, value):
            planned = getattr(plan.settings, field)
            if part != planned:
                settings = replace(settings, **{field: part})
                reasons.append(_reason(plan, field, part, planned))
    told = {reason.decision: reason for reason in reasons}
    if "size" in told:
        values = {"value": _size(settings), "planned": _size(plan.settings), "default": _size(plan.settings)}
        told["size"] = Reason("size", "varied.setting", values)
    return Revision(settings=settings, reasons=tuple(told.values()))


def _fields(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    pairs = {"sampler": ("sampler", "scheduler"), "size": ("width", "height")}
    yield from zip(pairs[name], value, strict=True) if name in pairs else [(name, value)]


def _reason(plan: Plan, field: str, value: Any, planned: Any) -> Reason:
    if field in ("sampler", "scheduler"):
        value, planned = label_of(field, value), label_of(field, planned)
    decision = "size" if field in ("width", "height") else field
    return Reason(decision, "varied.setting", {"value": value, "planned": planned, "default": planned})


def _size(settings: Settings) -> str:
    return f"{settings.width}×{settings.height}"


def label(name: str, value: Any, language: str) -> str:
    """What a person calls this value of an axis: "CFG 7", "Euler a · normal", "832×1216"."""
    if name == "sampler":
        return f"{label_of('sampler', value[0])} · {label_of('scheduler', value[1])}"
    if name == "size":
        return f"{value[0]}×{value[1]}"
    return f"{sentence('explain', f'label.{name}', language, {})} {value:g}"
