"""What a person changes in a plan before it runs. Pure; a change taken back leaves the plan as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from ..data.families import distillations, families
from ..errors import BadRequest
from ..plan import LoraChoice, Machine, Plan, Proposed, Reason, Settings
from .check import Draft, check
from .edit_loras import LoraEdit, Stack, edited_stack
from .edit_prompt import edited_prompt
from .revise import ADVICE, Place, Revision, revise
from .samplers import label_of, recognise

SIDE_GRAIN = 8  # pixels; ComfyUI's own size widgets go in such steps
_WHOLE = ("steps", "width", "height", "clip_skip", "batch")
_NUMBERS = ("cfg", "guidance", "shift", "denoise")
_NAMES = ("sampler", "scheduler")
_OF_DISTILLATION = ("steps", "cfg", "sampler", "scheduler")

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Edits:
    """What shall be other than in a plan. ``settings`` by name, ``None`` for what was proposed; ``loras`` the whole stack
    that shall be used, near-misses and any local LoRA among them; ``None`` leaves a thing as it is."""

    settings: Mapping[str, Value] = field(default_factory=dict)
    loras: tuple[LoraEdit, ...] | None = None
    negative: str | None = None
    prompt: str | None = None


def apply_edits(plan: Plan, edits: Edits, place: Place) -> Plan:
    """``plan`` as the person wants it, with what that costs and what is to be said against it; ``proposed`` stays.

    Raises ``BadRequest`` for values out of range, unknown names, and LoRAs that do not load on the plan's model;
    ``MissingModel`` for a LoRA that is not here.
    """
    plan = with_proposal(plan)
    stack = edited_stack(plan, edits.loras, place)
    distillation = _distillation(plan, stack, place)
    settings = _settings(plan, edits.settings, place.machine, _brought(plan, stack, distillation))
    prompt, prompt_reasons = edited_prompt(plan, stack.loras, edits.prompt)
    negative, negative_reasons = _negative(plan, edits.negative)
    wanted = replace(
        plan,
        settings=settings,
        loras=stack.loras,
        near_misses=stack.near_misses,
        prompt=prompt,
        negative=negative,
        distillation=distillation,
    )
    if wanted == plan:
        return plan
    change = Revision(
        settings=settings,
        loras=stack.loras,
        near_misses=stack.near_misses,
        prompt=prompt,
        reasons=(*_setting_reasons(plan, settings), *prompt_reasons, *negative_reasons),
    )
    untold = {"edited.setting"} | ({"edited.negative"} if negative != plan.negative else set())
    kept = tuple(reason for reason in plan.reasons if reason.key not in untold)
    bare = replace(_unwarned(plan, place), negative=negative, distillation=distillation, reasons=kept)
    return _in_order(revise(bare, change, place), plan)


def with_proposal(plan: Plan) -> Plan:
    """The plan, taken as what was proposed where it does not say what was."""
    if plan.proposed is not None:
        return plan
    return replace(plan, proposed=Proposed(plan.settings, tuple(choice.use for choice in plan.loras)))


def as_proposed(plan: Plan) -> Plan | None:
    """The plan as the planner had proposed it; ``None`` where it does not say."""
    if plan.proposed is None:
        return None
    distilled = {choice.use.name: choice.distillation for choice in (*plan.near_misses, *plan.loras)}
    loras = tuple(LoraChoice(use, distillation=distilled.get(use.name)) for use in plan.proposed.loras)
    return replace(plan, settings=plan.proposed.settings, loras=loras)


def _unwarned(plan: Plan, place: Place) -> Plan:
    """Without what is said against it as it stands: its distillation may be another afterwards."""
    row, family = distillations().get(plan.distillation or ""), families()[plan.family]
    draft = Draft(plan.request, family, plan.models, plan.settings, plan.prompt, plan.loras, row, place.library, plan.analysis)
    stale = check(draft)
    return replace(plan, warnings=tuple(warning for warning in plan.warnings if warning not in stale))


def _in_order(revised: Plan, plan: Plan) -> Plan:
    """Reasons stand where the plan had those of the same decision."""
    last = len(plan.reasons)
    places = {reason.decision: at for at, reason in reversed(list(enumerate(plan.reasons)))}
    places |= {decision: last + 1 + at for at, decision in enumerate(ADVICE)}  # always at the end
    return replace(revised, reasons=tuple(sorted(revised.reasons, key=lambda reason: places.get(reason.decision, last))))


# --------------------------------------------------------------------------- settings


def _settings(plan: Plan, wanted: Mapping[str, Value], machine: Machine, brought: Mapping[str, Any]) -> Settings:
    proposed, language = _proposed(plan).settings, plan.request.language
    values = dict(brought)
    for name, value in wanted.items():
        known = name in (*_WHOLE, *_NUMBERS, *_NAMES)
        if not known:
            names = ", ".join((*_WHOLE, *_NUMBERS, *_NAMES))
            raise BadRequest("not_a_choice", language, value=name[:80], choices=names)
        values[name] = getattr(proposed, name) if value is None else _value(name, value, machine, language)
    return replace(plan.settings, **values)


def _value(name: str, value: Value, machine: Machine, language: str) -> Any:
    if name in _NAMES and isinstance(value, str):
        available = machine.samplers if name == "sampler" else machine.schedulers
        return recognise(name, value, available, language)
    if name in _NAMES or isinstance(value, (bool, str)) or value is None or not isfinite(value):
        raise BadRequest("out_of_range", language, faults=f"{name} {str(value)[:40]!r}")
    if name in _WHOLE and value != int(value):
        raise BadRequest("out_of_range", language, faults=f"{name} {value}")
    if name in ("width", "height"):
        return round(int(value) / SIDE_GRAIN) * SIDE_GRAIN
    return int(value) if name in _WHOLE else float(value)


def _setting_reasons(plan: Plan, settings: Settings) -> tuple[Reason, ...]:
    """All that is to be said of settings which are other than in the plan, or were: why the planner took its own, and that
    the person took another."""
    proposed = _proposed(plan).settings
    told = {reason.decision for reason in plan.reasons if reason.key == "edited.setting"}
    found: list[Reason] = []
    for decision, fields in _decisions().items():
        differs = any(getattr(settings, name) != getattr(proposed, name) for name in fields)
        if not (differs or decision in told):
            continue
        found += [each for each in plan.reasons if each.decision == decision and each.key != "edited.setting"]
        if differs:
            values = {"value": _shown(decision, settings), "planned": _shown(decision, proposed)}
            found.append(Reason(decision, "edited.setting", values))
    return tuple(found)


def _decisions() -> dict[str, tuple[str, ...]]:
    alone = (name for name in (*_WHOLE, *_NUMBERS, *_NAMES) if name not in ("width", "height"))
    return {"size": ("width", "height"), **{name: (name,) for name in alone}}


def _shown(decision: str, settings: Settings) -> Any:
    if decision == "size":
        return f"{settings.width}×{settings.height}"
    value = getattr(settings, decision)
    return label_of(decision, value) if decision in _NAMES else "–" if value is None else value


def _proposed(plan: Plan) -> Proposed:
    assert plan.proposed is not None  # with_proposal
    return plan.proposed


# --------------------------------------------------------------------------- distillations


def _distillation(plan: Plan, stack: Stack, place: Place) -> str | None:
    """The distillation at work, as the planner tells it: the checkpoint's own, else a LoRA's."""
    if _distilled(stack.loras) == _distilled(plan.loras):
        return plan.distillation
    model = place.model(plan.models)
    own = model.distillation if model and not families()[plan.family].distilled else None
    rows = distillations()
    return next((name for name in (own, *_distilled(stack.loras)) if name in rows), None)


def _distilled(loras: tuple[LoraChoice, ...]) -> list[str]:
    return [choice.distillation for choice in loras if choice.distillation]


def _brought(plan: Plan, stack: Stack, distillation: str | None) -> dict[str, Any]:
    """The settings that a distillation works with, where one came in; those proposed, where it went."""
    if distillation == plan.distillation:
        return {}
    row = distillations().get(distillation or "")
    is_new = any(choice.distillation == distillation and _is_added(choice, plan) for choice in stack.loras)
    if row is not None and is_new:
        return {"steps": row.steps[0], "cfg": row.cfg, "sampler": row.sampler, "scheduler": row.scheduler}
    return {name: getattr(_proposed(plan).settings, name) for name in _OF_DISTILLATION}


def _is_added(choice: LoraChoice, plan: Plan) -> bool:
    return choice.use.name not in {use.name for use in _proposed(plan).loras}


# --------------------------------------------------------------------------- the negative prompt


def _negative(plan: Plan, text: str | None) -> tuple[str | None, tuple[Reason, ...]]:
    if text is None or text == (plan.negative or ""):
        return plan.negative, ()
    told = [reason for reason in plan.reasons if reason.decision == "negative"]
    before = next((reason.values["planned"] for reason in told if reason.key == "edited.negative"), plan.negative)
    kept = [reason for reason in told if reason.key != "edited.negative"]
    if text == (before or ""):
        return before, tuple(kept)
    return text, (*kept, Reason("negative", "edited.negative", {"planned": before}))
