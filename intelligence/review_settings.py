"""The settings of a plan with the ranges they are usual in, for whoever wants to change them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..data import table
from ..data.families import Distillation, Family, distillations, families
from ..errors import sentence
from ..plan import Machine, Plan
from .explain import render
from .samplers import label_of

SIZES = ("width", "height")
Range = tuple[float, float]


def listed_settings(plan: Plan, machine: Machine, language: str) -> list[dict[str, Any]]:
    """Each setting that has an effect on this plan: ``value``, the usual ``low`` and ``high`` widened to hold it, ``step``,
    ``choices`` of this machine, why it is so, and whether the person ``fixed`` it in the question."""
    return [_row(name, plan, machine, language) for name in _acting(plan)]


def _acting(plan: Plan) -> Iterator[str]:
    family, settings = families()[plan.family], plan.settings
    yield "steps"
    if not family.guidance or settings.cfg != 1:
        yield "cfg"
    if settings.guidance is not None or family.guidance:
        yield "guidance"
    yield "sampler"
    if family.scheduler_node is None:
        yield "scheduler"
    yield from () if plan.request.keeps_shape else SIZES
    if family.shift_node is not None and settings.shift is not None:  # None is the model's own
        yield "shift"
    if family.clip_skip is not None or settings.clip_skip is not None:
        yield "clip_skip"
    yield from ("denoise",) if plan.request.has_image else ()
    yield "batch"


def _row(name: str, plan: Plan, machine: Machine, language: str) -> dict[str, Any]:
    value = getattr(plan.settings, name)
    is_name = name in ("sampler", "scheduler")
    low, high = (None, None) if is_name else _widened(_range(name, plan), value)
    decision = "size" if name in SIZES else name
    told = [] if name == "height" else [reason for reason in plan.reasons if reason.decision == decision]
    return {
        "name": name,
        "label": sentence("explain", f"label.{name}", language, {}),
        "value": value,
        "low": low,
        "high": high,
        "step": None if is_name else _step(name, plan),
        "choices": _choices(name, value, machine) if is_name else None,
        "said": [render(reason, language) for reason in told],
        "fixed": getattr(plan.request.fixed, name) is not None,
    }


def _choices(name: str, value: str, machine: Machine) -> list[dict[str, str]]:
    listed = machine.samplers if name == "sampler" else machine.schedulers
    return [{"value": each, "label": label_of(name, each)} for each in (listed or (value,))]


def _widened(usual: Range, value: float | None) -> Range:
    return usual if value is None else (min(usual[0], value), max(usual[1], value))


def _step(name: str, plan: Plan) -> float:
    if name in SIZES:
        return families()[plan.family].multiple
    steps: dict[str, float] = table("settings")["offered"]["step"]
    return steps[name]


def _range(name: str, plan: Plan) -> Range:
    family, row = families()[plan.family], distillations().get(plan.distillation or "")
    if name == "steps":
        return _steps(family, row)
    if name in ("cfg", "guidance"):
        return _strengths(name, family, row)
    if name in SIZES:
        return family.min_side, family.max_side
    low, high = table("settings")["offered"]["range"][name]
    return low, high


def _steps(family: Family, row: Distillation | None) -> Range:
    """From where a warning would say too few to twice the most, where one says too many of a distilled model."""
    if row is not None:
        return 1, 2 * max(row.steps)
    usual = [*family.steps.values(), *(steps for band in family.complexity_steps.values() for steps in band)]
    return max(1, round(min(usual) * table("settings")["steps"]["least_share"])), 2 * max(usual)


def _strengths(name: str, family: Family, row: Distillation | None) -> Range:
    """The range over all styles of the family; what is distilled bears little CFG."""
    most = float(table("settings")["cfg"]["distilled_max"])
    if name == "cfg" and (row is not None or family.distilled or family.guidance):
        return 1.0, most
    bounds = [bound for each in family.cfg.values() for bound in each]
    low, high = min(bounds), max(bounds)
    around = low * float(table("settings")["offered"]["around"]) if low == high else 0.0
    return low - around, high + around
