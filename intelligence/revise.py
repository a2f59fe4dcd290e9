"""A plan made anew with something in it changed: costs, reasons, advice and warnings follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from ..data.families import distillations, families
from ..plan import (
    Estimate,
    Kind,
    Library,
    LoraChoice,
    Machine,
    Mode,
    ModelFile,
    Models,
    Offload,
    Plan,
    Precision,
    Reason,
    Relief,
    Settings,
)
from .advice import tips, trade_offs
from .cheapest import MOST_MOVABLE, Fit, Held, Limits
from .check import Draft, check
from .estimate import Load, load_of
from .limits import fit
from .rematch import with_sources

ADVICE = ("tradeoff", "tip")


@dataclass(frozen=True)
class Place:
    """What plans are made against."""

    library: Library
    machine: Machine

    def file(self, kind: Kind, name: str | None) -> ModelFile | None:
        return self.library.find(kind, name) if name else None

    def model(self, models: Models) -> ModelFile | None:
        """The file that draws; ``None`` where the library does not know it."""
        return self.file(Kind.CHECKPOINT, models.checkpoint) or self.file(Kind.DIFFUSION_MODEL, models.diffusion_model)


@dataclass(frozen=True)
class Revision:
    """What is other than in the plan, and why: ``reasons`` take the place of all the plan has on their decisions,
    ``reliefs`` are what is given up with it for memory, beside what the plan gave up already."""

    settings: Settings | None = None
    loras: tuple[LoraChoice, ...] | None = None
    prompt: str | None = None
    near_misses: tuple[LoraChoice, ...] | None = None
    models: Models | None = None
    memory: Offload | None = None
    reasons: tuple[Reason, ...] = ()
    reliefs: tuple[Relief, ...] = ()


def revise(plan: Plan, change: Revision, place: Place) -> Plan:
    """``plan`` with ``change``, estimated and checked as the planner would; ``proposed`` stays what was proposed."""
    settings, loras = change.settings or plan.settings, plan.loras if change.loras is None else change.loras
    changed = replace(
        plan,
        settings=settings,
        loras=loras,
        prompt=plan.prompt if change.prompt is None else change.prompt,
        near_misses=plan.near_misses if change.near_misses is None else change.near_misses,
        models=change.models or plan.models,
        memory=change.memory or plan.memory,
    )
    changed = with_sources(changed, place.library)
    model, given = place.model(plan.models), _given((*plan.estimate.relief, *change.reliefs))
    if model is None:
        scaled = replace(_scaled(plan, settings), relief=given)
        return replace(_retold(plan, changed, change.reasons, place), estimate=scaled)
    fitted = fit(settings, replace(_limits(changed, model, place), given=given))
    models = fitted.held.on(changed.models)
    changed = replace(changed, settings=fitted.settings, estimate=fitted.estimate, models=models)
    return _retold(plan, changed, (*change.reasons, *fitted.reasons), place, fitted)


def _given(reliefs: tuple[Relief, ...]) -> tuple[Relief, ...]:
    """Each once; the aggressive strategy takes the place of the balanced one."""
    balanced = Relief.AGGRESSIVE not in reliefs
    return tuple(each for each in dict.fromkeys(reliefs) if balanced or each is not Relief.BALANCED)


def _limits(plan: Plan, model: ModelFile, place: Place) -> Limits:
    """Nothing gives way: a variation is what it is, and says so where it does not fit."""
    encoders = _found(place.file(Kind.TEXT_ENCODER, name) for name in plan.models.text_encoders)
    loras = _found(place.file(Kind.LORA, choice.use.name) for choice in plan.loras)
    vae = place.file(Kind.VAE, plan.models.vae)

    second = place.file(Kind.CHECKPOINT, plan.models.second) or place.file(Kind.DIFFUSION_MODEL, plan.models.second)

    @cache  # what would help asks for the same few many times
    def load(weights: Precision, texts: Precision) -> Load:
        return load_of(model, place.machine, encoders, vae, loras, weights, texts, second)

    request, models = plan.request, plan.models
    return Limits(
        families()[plan.family],
        request.fixed,
        request.constraints,
        place.machine,
        request.priority,
        load,
        castable=True,
        manual=request.mode is Mode.MANUAL,
        keeps_shape=request.keeps_shape,
        memory=request.memory,
        held=Held(models.weight_dtype, models.encoder_dtype, models.encoder_on_cpu, plan.memory),
        unmanaged=request.mode is Mode.MANUAL and plan.memory is Offload.NONE and request.memory is None,
        encoder_moves=len(models.text_encoders) <= MOST_MOVABLE,
        settled=True,
    )


def _found(files: Iterable[ModelFile | None]) -> tuple[ModelFile, ...]:
    return tuple(file for file in files if file is not None)


def _retold(plan: Plan, changed: Plan, reasons: tuple[Reason, ...], place: Place, fitted: Fit | None = None) -> Plan:
    before, after = _draft(plan, place), _draft(changed, place)
    stale = check(before)
    retold = {reason.decision for reason in reasons} | (set(ADVICE) if fitted else set())
    advice = _advice(after, changed, fitted.estimate) if fitted else ()
    kept = [warning for warning in plan.warnings if warning not in stale and not (fitted and warning.decision == "estimate")]
    return replace(
        changed,
        reasons=(*(reason for reason in plan.reasons if reason.decision not in retold), *reasons, *advice),
        warnings=(*kept, *(fitted.warnings if fitted else ()), *check(after)),
    )


def _advice(draft: Draft, plan: Plan, estimate: Estimate) -> tuple[Reason, ...]:
    read = plan.analysis
    said = tips(draft, read.complexity.level, read.style, read.content, estimate)
    return (*trade_offs(draft, draft.settings, estimate), *said)


def _draft(plan: Plan, place: Place) -> Draft:
    distillation = distillations().get(plan.distillation or "")
    family, loras = families()[plan.family], plan.loras
    settings, library = plan.settings, place.library
    return Draft(plan.request, family, plan.models, settings, plan.prompt, loras, distillation, library, plan.analysis)


def _scaled(plan: Plan, settings: Settings) -> Estimate:
    """The plan's estimate for other settings where its files are not known here: time goes with steps and pixels."""
    before = plan.settings
    if plan.estimate.seconds is None or settings == before:
        return plan.estimate
    pixels = settings.width * settings.height / (before.width * before.height)
    factor = settings.steps / before.steps * pixels
    return replace(plan.estimate, seconds=round(plan.estimate.seconds * factor, 1))


def is_free(choice: LoraChoice, plan: Plan) -> bool:
    """Whether a LoRA was the pack's own choice: not fixed by the person, not named in the prompt, no distillation."""
    if plan.request.loras is not None or plan.request.mode is Mode.MANUAL or choice.distillation:
        return False
    return all(reason.key != "loras.fixed" for reason in choice.reasons)
