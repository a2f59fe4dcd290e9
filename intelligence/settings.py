"""Steps, CFG or guidance, sampler, scheduler, shift, clip skip, size, batch and denoise, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..data import table
from ..data.families import Distillation, Family
from ..plan import Analysis, Leaning, Level, Machine, Mode, Priority, Reason, Request, Settings
from .leaning import leaned_number, leaned_sampler
from .resolution import choose_size
from .rules_complexity import COMPLEX_FROM, MODERATE_FROM
from .samplers import apart, label_of, recognise
from .suitability import style_group

NO_LEANING = Leaning()
Decided = tuple[Any, list[Reason]]


@dataclass(frozen=True)
class Situation:
    """What settings are decided from. ``distillation`` is the one that applies to the loaded model, with the
    file that brings it; ``leaning`` what is known of the person's likings on this family."""

    request: Request
    analysis: Analysis
    family: Family
    machine: Machine
    distillation: Distillation | None = None
    distilled_by: str = ""
    leaning: Leaning = NO_LEANING

    @property
    def manual(self) -> bool:
        return self.request.mode is Mode.MANUAL


def choose_settings(situation: Situation) -> tuple[Settings, tuple[Reason, ...], tuple[Reason, ...]]:
    """Settings with reasons (at least one each, beside the family's default) and warnings.

    Raises ``BadRequest`` for a sampler or scheduler this machine does not have.
    """
    decided: dict[str, Any] = {}
    reasons: list[Reason] = []
    for name, decide in _DECIDERS.items():
        decided[name], why = decide(situation)
        reasons += why
    reasons += _as_liked(situation, decided)
    (decided["width"], decided["height"]), size_reasons, warnings = choose_size(
        situation.request, situation.analysis, situation.family, situation.leaning
    )
    return Settings(**decided), (*reasons, *size_reasons), warnings


def _as_liked(case: Situation, decided: dict[str, Any]) -> list[Reason]:
    """Changes what is a matter of taste to what the person likes; never what they fixed, nor what a distilled model was
    made for."""
    fixed = case.request.fixed
    found: list[Reason] = []
    if case.manual or case.distillation is not None:
        return []
    for name in ("steps", "cfg", "guidance") if not case.family.distilled else ("guidance",):
        if getattr(fixed, name) is None and decided[name] is not None and (name != "cfg" or not case.family.guidance):
            decided[name], why = leaned_number(name, decided[name], case.leaning, case.family, case.request)
            found += why
    if fixed.sampler is None and fixed.scheduler is None:
        pair, why = leaned_sampler((decided["sampler"], decided["scheduler"]), case.leaning, case.family, *_listed_here(case))
        decided["sampler"], decided["scheduler"] = pair
        found += why
    return found


def _listed_here(case: Situation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return case.machine.samplers, case.machine.schedulers


# --------------------------------------------------------------------------- steps


def _steps(case: Situation) -> Decided:
    default = case.family.steps[Priority.BALANCED]
    fixed = case.request.fixed.steps
    if fixed is not None:
        return fixed, [Reason("steps", "steps.fixed", {"value": fixed, "default": default})]
    steps, reason = _free_steps(case, default)
    limit = case.request.constraints.max_steps
    if limit is not None and steps > limit:
        return limit, [reason, Reason("steps", "steps.limited", {"value": limit, "wanted": steps})]
    return steps, [reason]


def _free_steps(case: Situation, default: int) -> tuple[int, Reason]:
    if case.distillation is not None:
        steps = _distilled_steps(case.distillation, case.distilled_by)
        values = {"value": steps, "default": default, "distillation": case.distillation.label, "name": case.distilled_by}
        return steps, Reason("steps", "steps.distilled", values)
    if case.family.complexity_steps and not case.manual:
        return _steps_by_complexity(case, default)
    steps = case.family.steps[case.request.priority]
    values = {"value": steps, "default": default, "family": case.family.label, "priority": case.request.priority.value}
    return steps, Reason("steps", "steps.family", values)


def _distilled_steps(distillation: Distillation, name: str) -> int:
    said = re.search(r"(\d+)[\s_-]?steps?", name.lower())
    return int(said.group(1)) if said and 1 <= int(said.group(1)) <= 64 else distillation.steps[0]


def _steps_by_complexity(case: Situation, default: int) -> tuple[int, Reason]:
    complexity = case.analysis.complexity
    low, high = case.family.complexity_steps[complexity.level]
    values = {"level": complexity.level.value, "low": low, "high": high, "default": default}
    if case.request.priority is Priority.SPEED:
        return low, Reason("steps", "steps.band_low", {**values, "value": low})
    grain = table("settings")["steps"]["grain"]
    steps = int((low + (high - low) * _position(complexity.level, complexity.total)) // grain * grain)
    return max(low, steps), Reason(
        "steps", "steps.band", {**values, "value": max(low, steps), "total": round(complexity.total, 2)}
    )


def _position(level: Level, total: float) -> float:
    """Where a complexity total stands inside its level, 0–1."""
    bounds = {
        Level.SIMPLE: (0.0, MODERATE_FROM),
        Level.MODERATE: (MODERATE_FROM, COMPLEX_FROM),
        Level.COMPLEX: (COMPLEX_FROM, 1.0),
    }
    low, high = bounds[level]
    return min(1.0, max(0.0, (total - low) / (high - low)))


# --------------------------------------------------------------------------- CFG and guidance


def _cfg(case: Situation) -> Decided:
    ranges = case.family.cfg
    default = 1.0 if case.family.guidance else _middle(ranges["default"])
    fixed = case.request.fixed.cfg
    if fixed is not None:
        return fixed, [Reason("cfg", "cfg.fixed", {"value": fixed, "default": default})]
    if case.distillation is not None:
        values = {"value": case.distillation.cfg, "default": default, "distillation": case.distillation.label}
        return case.distillation.cfg, [Reason("cfg", "cfg.distilled", values)]
    if case.family.guidance:
        return 1.0, [Reason("cfg", "cfg.guidance_instead", {"value": 1.0, "default": default, "family": case.family.label})]
    value, reason = _by_style(case, "cfg", default)
    return value, [reason, *_practice(case.family, value)]


def _guidance(case: Situation) -> Decided:
    if not case.family.guidance:
        fixed = case.request.fixed.guidance
        return fixed, [] if fixed is None else [Reason("guidance", "guidance.fixed", {"value": fixed, "default": "–"})]
    default = _middle(case.family.cfg["default"])
    if case.request.fixed.guidance is not None:
        values = {"value": case.request.fixed.guidance, "default": default}
        return case.request.fixed.guidance, [Reason("guidance", "guidance.fixed", values)]
    value, reason = _by_style(case, "guidance", default)
    return value, [reason]


def _by_style(case: Situation, decision: str, default: float) -> tuple[float, Reason]:
    if case.manual:
        return default, Reason(
            decision, f"{decision}.manual", {"value": default, "default": default, "family": case.family.label}
        )
    group = style_group(case.analysis.style)
    low, high = case.family.cfg.get(group, case.family.cfg["default"])
    priority = case.request.priority
    value = _grained(low, high, table("settings")["cfg_position"][priority.value])
    values = {
        "value": value,
        "default": default,
        "low": low,
        "high": high,
        "priority": priority.value,
        "family": case.family.label,
    }
    if low == high:
        return value, Reason(decision, f"{decision}.only", values)
    return value, Reason(decision, f"{decision}.range", {**values, "style": case.analysis.style})


def _grained(low: float, high: float, position: float) -> float:
    grain = table("settings")["cfg"]["grain"]
    return float(min(high, max(low, round((low + (high - low) * position) / grain) * grain)))


def _middle(bounds: tuple[float, float]) -> float:
    return _grained(bounds[0], bounds[1], 0.5)


def _practice(family: Family, value: float) -> list[Reason]:
    """Says where our own range lies above what the family's community uses."""
    practice = table("tendencies")["family"].get(family.id, {}).get("practice_cfg")
    if practice is None or value <= practice[1]:
        return []
    return [Reason("cfg", "cfg.practice", {"low": practice[0], "high": practice[1], "family": family.label})]


# --------------------------------------------------------------------------- sampler and scheduler


def _sampler(case: Situation) -> Decided:
    return _named(case, "sampler", 0, _spoken(case)[0], case.machine.samplers)


def _scheduler(case: Situation) -> Decided:
    return _named(case, "scheduler", 1, _spoken(case)[1], case.machine.schedulers)


def _spoken(case: Situation) -> tuple[str | None, str | None]:
    """Sampler and scheduler the person fixed; "DPM++ 2M Karras" names both, unless a scheduler is fixed beside it."""
    fixed, machine = case.request.fixed, case.machine
    if fixed.sampler is None:
        return None, fixed.scheduler
    sampler, scheduler = apart(fixed.sampler, machine.samplers, machine.schedulers)
    return sampler, fixed.scheduler or (scheduler if case.family.scheduler_node is None else None)


def _named(case: Situation, kind: str, place: int, fixed: str | None, available: tuple[str, ...]) -> Decided:
    default = case.family.samplers[Priority.BALANCED][place]
    values: Mapping[str, Any] = {"default": label_of(kind, default), "family": case.family.label}
    if fixed is not None:
        name = recognise(kind, fixed, available, case.request.language)
        return name, [Reason(kind, f"{kind}.fixed", {**values, "value": label_of(kind, name)})]
    if case.distillation is not None:
        name = getattr(case.distillation, kind)
        return name, [
            Reason(
                kind, f"{kind}.distilled", {**values, "value": label_of(kind, name), "distillation": case.distillation.label}
            )
        ]
    if kind == "scheduler" and case.family.scheduler_node is not None:
        name = case.family.samplers[case.request.priority][place]
        return name, [Reason(kind, "scheduler.node", {**values, "value": case.family.scheduler_node})]
    return _listed(case, kind, place, values, available)


def _listed(case: Situation, kind: str, place: int, values: Mapping[str, Any], available: tuple[str, ...]) -> Decided:
    """The family's own for the priority, or its next one that this machine lists."""
    priority = case.request.priority
    wanted = case.family.samplers[priority][place]
    name = wanted
    if available and wanted not in available:
        others = (pair[place] for pair in case.family.samplers.values() if pair[place] in available)
        name = next(others, available[0])
    told = {**values, "value": label_of(kind, name), "priority": priority.value}
    if name != wanted:
        return name, [Reason(kind, f"{kind}.absent", {**told, "wanted": label_of(kind, wanted)})]
    return name, [Reason(kind, f"{kind}.family", told)]


# --------------------------------------------------------------------------- the rest


def _from_row(name: str) -> Callable[[Situation], Decided]:
    def decide(case: Situation) -> Decided:
        fixed, default = getattr(case.request.fixed, name), getattr(case.family, name)
        value = default if fixed is None else fixed
        if value is None:
            return None, []
        values = {"value": value, "default": "–" if default is None else default, "family": case.family.label}
        return value, [Reason(name, f"{name}.{'family' if fixed is None else 'fixed'}", values)]

    return decide


def _shift(case: Situation) -> Decided:
    own = case.distillation.shift if case.distillation else None
    if own is None or case.request.fixed.shift is not None:
        return _from_row("shift")(case)
    default = "–" if case.family.shift is None else case.family.shift
    assert case.distillation is not None
    return own, [
        Reason("shift", "shift.distilled", {"value": own, "default": default, "distillation": case.distillation.label})
    ]


def _batch(case: Situation) -> Decided:
    fixed = case.request.fixed.batch
    if fixed is None:
        return 1, [Reason("batch", "batch.one", {"value": 1, "default": 1})]
    return fixed, [Reason("batch", "batch.fixed", {"value": fixed, "default": 1})]


def _denoise(case: Situation) -> Decided:
    rows = table("settings")["denoise"]
    fixed = case.request.fixed.denoise
    default = rows["image"] if case.request.has_image else rows["text"]
    key = "denoise.fixed" if fixed is not None else "denoise.image" if case.request.has_image else "denoise.text"
    value = default if fixed is None else fixed
    return value, [Reason("denoise", key, {"value": value, "default": default})]


_DECIDERS = {
    "steps": _steps,
    "cfg": _cfg,
    "guidance": _guidance,
    "sampler": _sampler,
    "scheduler": _scheduler,
    "shift": _shift,
    "clip_skip": _from_row("clip_skip"),
    "batch": _batch,
    "denoise": _denoise,
}
