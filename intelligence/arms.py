"""Settings as arms: how far what was used lies from the usual, which is what the pack does by itself for that prompt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from ..data import table
from ..data.families import Family, distillations, families
from ..plan import Fixed, Machine, Mode, Plan, Settings
from .settings import Situation, choose_settings

NUMBERS = ("cfg", "guidance", "steps")
USUAL = "0"
USUAL_NAME = "usual"
# Where memory, time or the person's limits decided, the value says nothing about liking.
_GAVE_WAY = {
    "steps.time": "steps",
    "steps.limited": "steps",
    "size.memory": "size",
    "size.memory_image": "size",
    "size.limited": "size",
    "size.limited_image": "size",
}


def usual_settings(plan: Plan) -> tuple[Settings, frozenset[str]]:
    """What the settings would be without anything fixed or learned, and the keys of the reasons."""
    family = families()[plan.family]
    request = replace(plan.request, fixed=Fixed(), mode=Mode.AUTO)
    distillation = distillations().get(plan.distillation or "")
    case = Situation(request, plan.analysis, family, Machine(), distillation, _source(plan))
    settings, reasons, _ = choose_settings(case)
    return settings, frozenset(reason.key for reason in reasons)


def _source(plan: Plan) -> str:
    """The file that brings the distillation: its name may say the steps."""
    brought = [choice.use.name for choice in plan.loras if choice.distillation == plan.distillation]
    models = plan.models
    return next(iter(brought), models.checkpoint or models.diffusion_model or "")


def arms_of(plan: Plan) -> dict[str, tuple[str, float]]:
    """The arm of each setting a verdict on this picture speaks about, with its value (used ÷ usual for numbers)."""
    if plan.family not in families():
        return {}
    usual, keys = usual_settings(plan)
    told = {reason.key for reason in plan.reasons} | keys
    silent = {decision for key, decision in _GAVE_WAY.items() if key in told}
    return {kind: arm for kind, arm in _arms(plan, usual, keys) if kind not in silent}


def _arms(plan: Plan, usual: Settings, keys: frozenset[str]) -> Iterator[tuple[str, tuple[str, float]]]:
    family, settings = families()[plan.family], plan.settings
    for kind in numbers_free(family, plan.distillation is not None):
        before, used = getattr(usual, kind), getattr(settings, kind)
        if before and used and before > 0 and used > 0:
            yield kind, (arm_of(kind, used / before), used / before)
    if plan.distillation is None:
        yield "sampler", (sampler_arm(settings, usual, family), 0.0)
    if "size.framing" not in keys and not plan.request.keeps_shape:
        yield "size", (_size_arm(settings, usual), 0.0)


def numbers_free(family: Family, distilled: bool) -> tuple[str, ...]:
    """The numbers that are a matter of taste on this model; distilled models are made for theirs."""
    if distilled or family.distilled:
        return ("guidance",) if family.guidance and not distilled else ()
    return ("guidance", "steps") if family.guidance else ("cfg", "steps")


@lru_cache(maxsize=4096)
def arm_of(kind: str, ratio: float) -> str:
    """The arm a number falls in: whole steps of the logarithm, "0" the usual one."""
    rows = table("learning")["arm"]
    place = round(math.log(ratio) / math.log(rows["step"][kind]))
    return str(max(-rows["arms"], min(rows["arms"], place)))


def factor_of(kind: str, arm: int) -> float:
    """The factor on the usual number that an arm stands for."""
    return float(table("learning")["arm"]["step"][kind] ** arm)


def sampler_arm(settings: Settings, usual: Settings, family: Family) -> str:
    """ "sampler/scheduler"; where the family has a scheduler of its own, the sampler alone."""
    used, before = (_pair(each, family) for each in (settings, usual))
    return USUAL_NAME if used == before else used


def _pair(settings: Settings, family: Family) -> str:
    return settings.sampler if family.scheduler_node else f"{settings.sampler}/{settings.scheduler}"


def _size_arm(settings: Settings, usual: Settings) -> str:
    same = (settings.width, settings.height) == (usual.width, usual.height)
    return USUAL_NAME if same else f"{settings.width}x{settings.height}"
