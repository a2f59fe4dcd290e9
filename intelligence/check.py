"""Lint of a plan: what the person fixed is kept, and where it cannot work they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..data import table
from ..data.families import Distillation, Family, distillations, families
from ..plan import Analysis, Kind, Library, LoraChoice, Mode, Models, Reason, Request, Settings
from .named import answering, stem
from .resolution import native_size
from .write_prompt import says, score_tags

SELDOM_FITS = 0.6  # below this share of its relevance a related family's LoRA loads but seldom looks right

UNREAD = Analysis("", "")
FOREIGN = ("es", "other")  # what the reader calls languages that are not English, nor English in part
LONG_PROMPT = 8_000  # letters; about 2,000 tokens, more than any of the text encoders was trained on


@dataclass(frozen=True)
class Draft:
    """A plan about to be made, with what it is checked against."""

    request: Request
    family: Family
    models: Models
    settings: Settings
    prompt: str
    loras: tuple[LoraChoice, ...]
    distillation: Distillation | None
    library: Library
    analysis: Analysis = UNREAD

    @property
    def few_steps(self) -> bool:
        return self.distillation is not None or self.family.distilled


def check(draft: Draft) -> tuple[Reason, ...]:
    """A warning for each thing that cannot work as it was asked."""
    return tuple(warning for rule in _RULES for warning in rule(draft))


def _cfg(draft: Draft) -> Iterator[Reason]:
    cfg = draft.settings.cfg
    values = {"cfg": cfg, "family": draft.family.label}
    if draft.few_steps and cfg > table("settings")["cfg"]["distilled_max"]:
        name = draft.distillation.label if draft.distillation else draft.family.label
        yield Reason("cfg", "warn.cfg_distilled", {**values, "distillation": name})
    elif draft.family.guidance and cfg > 1:
        yield Reason("cfg", "warn.cfg_guidance", values)
    elif not draft.few_steps and not draft.family.guidance and cfg <= 1:
        yield Reason("cfg", "warn.cfg_one", values)


def _guidance(draft: Draft) -> Iterator[Reason]:
    if draft.settings.guidance is not None and not draft.family.guidance:
        yield Reason("guidance", "warn.guidance", {"family": draft.family.label})


def _clip_skip(draft: Draft) -> Iterator[Reason]:
    fixed = draft.request.fixed.clip_skip
    if fixed is not None and fixed > 1 and draft.family.clip_skip is None:
        yield Reason("clip_skip", "warn.clip_skip", {"value": fixed, "family": draft.family.label})


def _shift(draft: Draft) -> Iterator[Reason]:
    if draft.request.fixed.shift is not None and draft.family.shift_node is None:
        yield Reason("shift", "warn.shift", {"value": draft.request.fixed.shift, "family": draft.family.label})


def _steps(draft: Draft) -> Iterator[Reason]:
    steps, limit = draft.settings.steps, draft.request.constraints.max_steps
    if limit is not None and steps > limit:
        yield Reason("steps", "warn.fixed_over_limit", {"what": "steps", "value": steps, "limit": limit})
    if draft.distillation is not None and steps > 2 * max(draft.distillation.steps):
        values = {"steps": steps, "distillation": draft.distillation.label, "most": max(draft.distillation.steps)}
        yield Reason("steps", "warn.steps_distilled", values)
    elif draft.distillation is None:
        most = max([*draft.family.steps.values(), *(high for _, high in draft.family.complexity_steps.values())])
        least = min(draft.family.steps.values())
        values = {"steps": steps, "family": draft.family.label, "least": least, "most": most}
        if draft.family.distilled and steps > 2 * most:
            yield Reason("steps", "warn.steps_many", values)
        elif steps < least * table("settings")["steps"]["least_share"]:
            yield Reason("steps", "warn.steps_few", values)


def _scheduler(draft: Draft) -> Iterator[Reason]:
    if draft.family.scheduler_node is not None and draft.request.fixed.scheduler is not None:
        values = {"value": draft.request.fixed.scheduler, "family": draft.family.label, "node": draft.family.scheduler_node}
        yield Reason("scheduler", "warn.scheduler_node", values)


def _size(draft: Draft) -> Iterator[Reason]:
    width, height, family = draft.settings.width, draft.settings.height, draft.family
    share = width * height / family.native_pixels
    rows = table("settings")["size"]
    native = "×".join(map(str, native_size(family)))
    values = {"size": f"{width}×{height}", "family": family.label, "native": native, "times": round(share, 1)}
    if share > rows["far_above"] or max(width, height) > 1.5 * family.max_side:
        yield Reason("size", "warn.size_large", values)
    elif share < rows["far_below"]:
        yield Reason("size", "warn.size_small", values)


def _denoise(draft: Draft) -> Iterator[Reason]:
    denoise = draft.settings.denoise
    if draft.request.has_image and denoise == 0:
        yield Reason("denoise", "warn.denoise_zero", {})
    if draft.request.has_image and denoise == 1:
        yield Reason("denoise", "warn.denoise_one", {})
    if not draft.request.has_image and denoise < 1:
        yield Reason("denoise", "warn.denoise_no_image", {"value": denoise})


def _parts(draft: Draft) -> Iterator[Reason]:
    models = draft.models
    if models.vae is None and models.checkpoint is None:
        yield Reason("vae", "warn.no_vae", {"family": draft.family.label})


def _loras(draft: Draft) -> Iterator[Reason]:
    loads = {draft.family.id, *draft.family.lora_parents}
    for choice in draft.loras:
        file = draft.library.find(Kind.LORA, choice.use.name)
        name = stem(choice.use.name)
        decision = f"lora:{choice.use.name}"
        if file is None:
            yield Reason(decision, "warn.lora_missing", {"name": name})
        elif file.problem is not None:
            yield Reason(decision, "warn.lora_broken", {"name": name})
        elif file.family is None:
            yield Reason(decision, "warn.lora_unknown", {"name": name, "family": draft.family.label})
        elif file.family not in loads:
            other = families()[file.family].label if file.family in families() else file.family
            yield Reason(decision, "warn.lora_family", {"name": name, "other": other, "family": draft.family.label})
        elif draft.family.lora_parents.get(file.family, 1.0) < SELDOM_FITS and file.family != draft.family.id:
            values = {"name": name, "other": families()[file.family].label, "family": draft.family.label}
            yield Reason(decision, "warn.lora_parent", values)
        if choice.matched_keys == 0:
            yield Reason(decision, "warn.lora_no_keys", {"name": name, "total": choice.total_keys or 0})


def _stack(draft: Draft) -> Iterator[Reason]:
    limit = draft.request.constraints.max_loras
    if len(draft.loras) > limit:
        yield Reason("loras", "warn.fixed_over_limit", {"what": "loras", "value": len(draft.loras), "limit": limit})
    total = sum(abs(choice.use.strength_model) for choice in draft.loras if choice.distillation is None)
    most = table("recommend")["strength"]["most_in_total"]
    if total > most:
        yield Reason("loras", "warn.lora_total", {"total": round(total, 2), "limit": most})


def _distillations(draft: Draft) -> Iterator[Reason]:
    """Distillation LoRAs are trained for one strength and for an undistilled base: never scaled, never stacked."""
    distilling = [choice for choice in draft.loras if choice.distillation is not None]
    own = draft.library.find(Kind.CHECKPOINT, draft.models.checkpoint) if draft.models.checkpoint else None
    models = [stem(own.name)] if own is not None and own.distillation is not None else []
    names = [*models, *(stem(choice.use.name) for choice in distilling)]
    if len(names) > 1:
        yield Reason("loras", "warn.distillations", {"names": ", ".join(names)})
    for choice in distilling:
        row = distillations().get(choice.distillation or "")
        if row is not None and abs(choice.use.strength_model - row.strength) > 0.25:
            values = {"name": stem(choice.use.name), "strength": choice.use.strength_model, "usual": row.strength}
            yield Reason(f"lora:{choice.use.name}", "warn.lora_scaled", values)


def _triggers(draft: Draft) -> Iterator[Reason]:
    if draft.request.loras is None:
        return
    for choice in draft.loras:
        file = draft.library.find(Kind.LORA, choice.use.name)
        groups = file.trigger_groups if file else ()
        if groups and not any(says(draft.prompt, word) for group in groups for word in group):
            values = {"name": stem(choice.use.name), "words": ", ".join(groups[0][:5])}
            yield Reason(f"lora:{choice.use.name}", "warn.trigger_missing", values)


def _quality_tags(draft: Draft) -> Iterator[Reason]:
    """Score tags are one family's vocabulary; another's model reads them as noise."""
    mine = set(draft.family.quality_tags)
    found = sorted(tag for tag in score_tags() - mine if says(draft.prompt, tag))
    if found and not any("score" in tag for tag in mine):
        yield Reason("prompt", "warn.foreign_tags", {"words": ", ".join(found), "family": draft.family.label})


def _language(draft: Draft) -> Iterator[Reason]:
    """Text encoders that were trained on English make little of other languages."""
    read = draft.analysis
    translated = read.translation is not None and draft.request.mode is not Mode.MANUAL
    if read.language in FOREIGN and not translated and draft.family.id not in table("tendencies")["multilingual"]:
        yield Reason("prompt", "warn.prompt_language", {"family": draft.family.label})


def _embeddings(draft: Draft) -> Iterator[Reason]:
    files = list(draft.library.of(Kind.EMBEDDING))
    for name in draft.analysis.embeddings:
        file = next(iter(answering(files, name)), None)
        family = families().get(file.family or "") if file else None
        if file is None and draft.library.complete:
            yield Reason("prompt", "warn.embedding_missing", {"name": name})
        elif family is not None and family.architecture != draft.family.architecture:
            values = {"name": name, "other": family.label, "family": draft.family.label}
            yield Reason("prompt", "warn.embedding_family", values)


def _length(draft: Draft) -> Iterator[Reason]:
    if not draft.request.prompt.strip():
        yield Reason("prompt", "warn.prompt_empty")
    elif len(draft.request.prompt) > LONG_PROMPT:
        yield Reason("prompt", "warn.prompt_long", {"letters": len(draft.request.prompt)})


def _library(draft: Draft) -> Iterator[Reason]:
    if not draft.library.complete:
        yield Reason("library", "warn.library_incomplete", {"count": len(draft.library.files)})


_RULES: tuple[Callable[[Draft], Iterator[Reason]], ...] = (
    _cfg,
    _guidance,
    _clip_skip,
    _shift,
    _steps,
    _scheduler,
    _size,
    _denoise,
    _parts,
    _loras,
    _stack,
    _distillations,
    _triggers,
    _quality_tags,
    _language,
    _embeddings,
    _length,
    _library,
)
