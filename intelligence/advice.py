"""What was given up for what, and what the person may try next: reasons like any other."""

from __future__ import annotations

from collections.abc import Iterator

from ..plan import Estimate, Level, Precision, Priority, Reason, Relief
from .check import Draft
from .resolution import framing


def trade_offs(draft: Draft, settings_before: object, estimate: Estimate) -> tuple[Reason, ...]:
    """Reasons of the decision "tradeoff"; ``settings_before`` are the settings before anything gave way."""
    return tuple(_trade_offs(draft, settings_before, estimate))


def _trade_offs(draft: Draft, before: object, estimate: Estimate) -> Iterator[Reason]:
    settings, priority = draft.settings, draft.request.priority
    fastest = min([*draft.family.steps.values(), *(low for low, _ in draft.family.complexity_steps.values())])
    values = {"steps": settings.steps, "fastest": fastest, "times": round(settings.steps / fastest, 1)}
    if draft.distillation is not None or draft.family.distilled:
        name = draft.distillation.label if draft.distillation else draft.family.label
        yield Reason("tradeoff", "tradeoff.distilled", {"distillation": name, "steps": settings.steps})
    elif priority is Priority.SPEED:
        yield Reason("tradeoff", "tradeoff.speed", values)
    elif settings.steps > fastest:
        yield Reason("tradeoff", "tradeoff.steps", values)
    if settings.tiled_decode:
        yield Reason("tradeoff", "tradeoff.tiles")
    if draft.models.weight_dtype is not Precision.DEFAULT:
        yield Reason("tradeoff", "tradeoff.fp8")
    if settings != before and not settings.tiled_decode:
        yield Reason("tradeoff", "tradeoff.gave_way")
    if estimate.fits is False or Relief.AGGRESSIVE in estimate.relief:
        yield Reason("tradeoff", "tradeoff.offload")


def tips(draft: Draft, analysis_level: Level, style: str, content: str, estimate: Estimate) -> tuple[Reason, ...]:
    """Reasons of the decision "tip": at most four, the most telling first."""
    return tuple(Reason("tip", key) for key in _tips(draft, analysis_level, style, content, estimate))[:4]


def _tips(draft: Draft, level: Level, style: str, content: str, estimate: Estimate) -> Iterator[str]:
    if style == "none":
        yield "tip.name_style"
    if level is Level.SIMPLE:
        yield "tip.say_more"
    if draft.settings.cfg <= 1:
        yield "tip.say_what_you_want"
    if not draft.loras:
        yield "tip.no_lora"
    if draft.request.priority is Priority.QUALITY and draft.distillation is None and not draft.family.distilled:
        yield "tip.draft_first"
    if content == "character" and not _framed(draft):
        yield "tip.framing"
    if estimate.seconds is not None and not estimate.measured:
        yield "tip.measured_next"
    yield "tip.seed"


def _framed(draft: Draft) -> bool:
    fixed = draft.request.fixed
    return draft.request.has_image or fixed.width is not None or fixed.height is not None or framing(draft.prompt) is not None
