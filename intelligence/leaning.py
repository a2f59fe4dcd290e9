"""Settings as this person likes them, within what the family was made for, with the evidence as a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data import table
from ..data.families import Family
from ..plan import Lean, Leaning, Liking, Reason, Request
from .samplers import label_of

Size = tuple[int, int]


def leaned_number(
    kind: str, value: float, leaning: Leaning, family: Family, request: Request
) -> tuple[float, tuple[Reason, ...]]:
    """``value`` (steps, cfg or guidance) times the learned factor, within the family's range and the person's limits."""
    lean = leaning.settings.get(kind)
    if lean is None or lean.factor == 1:
        return value, ()
    liked = _steps(value, lean, family, request) if kind == "steps" else _cfg(value, lean, family)
    return liked, () if liked == value else (_why(kind, value, liked, lean),)


def _cfg(value: float, lean: Lean, family: Family) -> float:
    low, high = min(low for low, _ in family.cfg.values()), max(high for _, high in family.cfg.values())
    grain = float(table("settings")["cfg"]["grain"]) if high - low > 1 else 0.1
    return float(min(max(high, value), max(min(low, value), round(round(value * lean.factor / grain) * grain, 2))))


def _steps(value: float, lean: Lean, family: Family, request: Request) -> int:
    counts = [*family.steps.values(), *(count for band in family.complexity_steps.values() for count in band)]
    limit = request.constraints.max_steps or max(counts)
    return int(min(max(counts), max(min(counts), round(value * lean.factor)), max(limit, 1)))


def leaned_sampler(
    pair: tuple[str, str], leaning: Leaning, family: Family, samplers: Sequence[str], schedulers: Sequence[str]
) -> tuple[tuple[str, str], tuple[Reason, ...]]:
    """The learned sampler and scheduler, where this machine has them."""
    lean = leaning.settings.get("sampler")
    if lean is None or not lean.name:
        return pair, ()
    sampler, _, scheduler = lean.name.partition("/")
    own = [*family.samplers.values()]
    here = sampler in (samplers or {name for name, _ in own})
    if not here or (scheduler and scheduler not in (schedulers or {name for _, name in own})):
        return pair, ()
    liked = sampler, pair[1] if family.scheduler_node else scheduler or pair[1]
    if liked == pair:
        return pair, ()
    return liked, (_why("sampler", _said(pair, family), _said(liked, family), lean),)


def _said(pair: tuple[str, str], family: Family) -> str:
    named = label_of("sampler", pair[0])
    return named if family.scheduler_node else f"{named} · {label_of('scheduler', pair[1])}"


def leaned_size(size: Size, leaning: Leaning, family: Family) -> tuple[Size, tuple[Reason, ...]]:
    """The learned size, where it is one of the family's own."""
    lean = leaning.settings.get("size")
    liked = next((own for own in family.buckets if lean and lean.name == f"{own[0]}x{own[1]}"), size)
    if lean is None or liked == size:
        return size, ()
    return liked, (_why("size", f"{size[0]}×{size[1]}", f"{liked[0]}×{liked[1]}", lean),)


def _why(decision: str, usual: Any, value: Any, lean: Lean) -> Reason:
    values = {"usual": usual, "value": value, "ratings": lean.ratings}
    if lean.tried:
        return Reason(decision, "learned.tried", values)
    if lean.stars is None or lean.usual_stars is None:
        return Reason(decision, "learned.chosen", values)
    stars = {"stars": round(lean.stars, 1), "usual_stars": round(lean.usual_stars, 1)}
    about, values_about = about_of(lean)
    return Reason(decision, f"learned.rated{about}", {**values, **stars, **values_about})


def about_of(said: Lean | Liking) -> tuple[str, dict[str, str]]:
    """The ending of a sentence's key and its value, by what the ratings were about: a content, a style, or anything."""
    kinds = (("content", "contents"), ("style", "styles"))
    found = next((kind for kind, rows in kinds if said.about and said.about in table(rows)), None)
    return (f".{found}", {found: said.about}) if found else ("", {})
