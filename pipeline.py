"""The whole chain on one screen: from what is asked and known to a plan. Pure; the same for every seed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .data.families import Distillation, Family, distillations
from .errors import BadRequest
from .intelligence.advice import tips, trade_offs
from .intelligence.cheapest import MOST_MOVABLE, Limits
from .intelligence.check import Draft, check
from .intelligence.choose_model import ModelChoice, choose_model
from .intelligence.estimate import Load, load_of
from .intelligence.fixed_loras import beside, fixed_loras, written_loras
from .intelligence.limits import fit
from .intelligence.named import stem
from .intelligence.negative import write_negative
from .intelligence.rematch import sources_of
from .intelligence.settings import Situation, choose_settings
from .intelligence.write_prompt import write_prompt
from .plan import (
    Analysis,
    Kind,
    Library,
    LoraChoice,
    Machine,
    Mode,
    ModelFile,
    Plan,
    Precision,
    Proposed,
    Reason,
    Request,
    Taste,
)

if TYPE_CHECKING:
    from .intelligence.ranking import Vectors


def make_plan(
    request: Request,
    analysis: Analysis,
    library: Library,
    taste: Taste,
    machine: Machine,
    *,
    vectors: Vectors | None = None,
) -> Plan:
    """Every decision about an image, with its reasons. In MANUAL mode the person's inputs decide, and only
    what a graph cannot do without is filled in.

    Raises ``MissingModel`` when a model, LoRA, text encoder or VAE is not there, and ``BadRequest`` when a
    name is ambiguous, a file unusable, a sampler or scheduler unknown, or there is nothing to go by.
    """
    if not (request.prompt.strip() or request.has_image or request.mode is Mode.MANUAL):
        raise BadRequest("empty_prompt", request.language)
    if request.mode is Mode.MANUAL or not request.learning:
        taste = Taste()
    model = choose_model(request, analysis, library, taste, machine)
    written, lora_warnings = written_loras(request, analysis.loras, library, model.family)
    chosen, near_misses, lora_reasons = _loras(request, analysis, model.family, library, taste, vectors, written)
    distillation, by = _distillation(model, chosen)
    situation = Situation(request, analysis, model.family, machine, distillation, by, taste.on(model.family.id))
    settings, reasons, warnings = choose_settings(situation)
    fitted = fit(settings, _limits(request, model, chosen, library, machine, distillation))
    triggers = tuple(word for choice in chosen for word in choice.triggers)
    prompt, prompt_reasons = write_prompt(request, analysis, model.family, triggers)
    negative, negative_reasons, negative_warnings = write_negative(request, analysis, model.family, fitted.settings)
    models = fitted.held.on(model.models)
    draft = Draft(request, model.family, models, fitted.settings, prompt, chosen, distillation, library, analysis)
    complexity, style, content = analysis.complexity.level, analysis.style, analysis.content
    advised = (*trade_offs(draft, settings, fitted.estimate), *tips(draft, complexity, style, content, fitted.estimate))
    return Plan(
        request,
        analysis,
        family=model.family.id,
        recipe=model.family.recipe,
        models=models,
        settings=fitted.settings,
        prompt=prompt,
        negative=negative,
        loras=chosen,
        near_misses=near_misses,
        distillation=distillation.id if distillation else None,
        estimate=fitted.estimate,
        reasons=(*model.reasons, *lora_reasons, *reasons, *fitted.reasons, *prompt_reasons, *negative_reasons, *advised),
        warnings=(*model.warnings, *lora_warnings, *warnings, *fitted.warnings, *negative_warnings, *check(draft)),
        library_version=library.version,
        proposed=Proposed(fitted.settings, tuple(choice.use for choice in chosen)),
        memory=fitted.held.offload,
        sources=sources_of(models, chosen, library, (prompt, negative or "")),
    )


def _loras(
    request: Request,
    analysis: Analysis,
    family: Family,
    library: Library,
    taste: Taste,
    vectors: Vectors | None,
    written: tuple[LoraChoice, ...],
) -> tuple[tuple[LoraChoice, ...], tuple[LoraChoice, ...], tuple[Reason, ...]]:
    fixed = fixed_loras(request, written, library)
    if fixed is not None:
        return fixed, (), (Reason("loras", "loras.yours" if fixed else "loras.none_asked"),)
    if not library.of(Kind.LORA):
        return (), (), (Reason("loras", "lora.no_files", {"family": family.label}),)
    from .intelligence.recommend import recommend  # late: the ranking needs numpy

    given = tuple(choice.use for choice in written)
    advice = recommend(analysis, family.id, library, taste, request.constraints, vectors=vectors, given=given)
    return (*written, *advice.chosen), advice.near_misses, beside(written, advice.chosen, advice.reasons, family)


def _distillation(model: ModelChoice, loras: tuple[LoraChoice, ...]) -> tuple[Distillation | None, str]:
    """The distillation at work and the file that brings it: the checkpoint's own, else a LoRA's. A family
    that is distilled as a whole has it in its row."""
    sources = [(model.file.distillation, model.file.name)] if not model.family.distilled else []
    sources += [(choice.distillation, choice.use.name) for choice in loras]
    rows = distillations()
    return next(((rows[name], stem(file)) for name, file in sources if name in rows), (None, ""))


def _limits(
    request: Request,
    model: ModelChoice,
    loras: tuple[LoraChoice, ...],
    library: Library,
    machine: Machine,
    distillation: Distillation | None,
) -> Limits:
    files = tuple(file for choice in loras if (file := library.find(Kind.LORA, choice.use.name)) is not None)

    encoders, second = model.parts.text_encoders, _second(model, library)

    @cache  # a search asks for the same few many times
    def load_with(weights: Precision, texts: Precision) -> Load:
        return load_of(model.file, machine, encoders, model.parts.vae, files, weights, texts, second)

    return Limits(
        model.family,
        request.fixed,
        request.constraints,
        machine,
        request.priority,
        load_with,
        castable=True,
        casts_encoder=model.file.kind is Kind.CHECKPOINT and not encoders,
        few_steps=distillation is not None or model.family.distilled,
        manual=request.mode is Mode.MANUAL,
        keeps_shape=request.keeps_shape,
        memory=request.memory,
        unmanaged=request.mode is Mode.MANUAL and request.memory is None,
        encoder_moves=len(encoders) <= MOST_MOVABLE,
    )


def _second(model: ModelChoice, library: Library) -> ModelFile | None:
    name = model.models.second
    return library.find(model.file.kind, name) if name else None
