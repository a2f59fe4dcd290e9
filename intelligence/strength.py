"""How strongly a chosen LoRA is applied: what its card says, else what its nature suggests; less in a larger stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..data import table
from ..plan import LoraUse, ModelFile
from .matching import Nature


def strength_for(file: ModelFile, nature: Nature, stack: int, liked: float | None = None) -> float:
    """The strength this person likes, else the card's recommended one (or the middle of its range), never outside that
    range; without either the nature's usual one, less ``per_extra_lora`` for every LoRA of the stack beyond the second."""
    knobs = table("recommend")["strength"]
    low, advised, high = file.strength
    if advised is None and low is not None and high is not None:
        advised = (low + high) / 2
    usual = knobs.get(nature.value, knobs["other"]) if advised is None else advised
    eased = usual - (knobs["per_extra_lora"] * max(0, stack - 2) if advised is None else 0)
    floor = min(knobs["least"], usual) if low is None else low
    if liked is None:
        return round(max(floor, min(eased, eased if high is None else high)), 2)
    return round(max(floor, min(liked, max(knobs["liked_most"], usual) if high is None else high)), 2)


def rebalance(uses: Sequence[LoraUse], fixed: frozenset[str] = frozenset()) -> tuple[LoraUse, ...]:
    """The same stack with the absolute model strengths adding up to at most ``most_in_total``; LoRAs in ``fixed``
    (distillations) keep theirs, the others are scaled alike."""
    most = table("recommend")["strength"]["most_in_total"]
    held = sum(abs(use.strength_model) for use in uses if use.name in fixed)
    free = sum(abs(use.strength_model) for use in uses if use.name not in fixed)
    if held + free <= most or not free:
        return tuple(uses)
    factor = max(0.0, most - held) / free
    return tuple(use if use.name in fixed else _scaled(use, factor) for use in uses)


def _scaled(use: LoraUse, factor: float) -> LoraUse:
    # Rounded down, so that the rounded sum stays within the limit.
    return replace(
        use,
        strength_model=int(use.strength_model * factor * 100) / 100,
        strength_clip=int(use.strength_clip * factor * 100) / 100,
    )
