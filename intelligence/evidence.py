"""What a picture says about a person's taste: which of its traits a verdict speaks about, and what the verdict is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from ..data import table
from ..feedback import Action, Change, Made, Rating, Rules, Standing, Trait, Verdict
from ..plan import Analysis, Plan
from .arms import arms_of

ANY = "*"
IMPLICIT = frozenset({Action.KEPT, Action.REROLLED})
SETTINGS = ("cfg", "guidance", "steps", "sampler", "size")
# Words of a prompt that say how good or how written it is, not what it shows.
_UNTELLING = ("quality", "detail", "style", "medium", "tags", "text", "writing", "camera")


def rules() -> Rules:
    """What a store of events needs decided."""
    return Rules(traits, hints, verdict, float(_knobs("memory")["half_life"]))


def _knobs(section: str) -> dict[str, Any]:
    rows: dict[str, Any] = table("learning")[section]
    return rows


# --------------------------------------------------------------------------- contexts


def contexts_of(analysis: Analysis) -> tuple[str, ...]:
    """What evidence bears on a prompt: anywhere, its style, its content, its main concepts."""
    return (*_look(analysis), *_concepts(analysis))


def _look(analysis: Analysis) -> tuple[str, ...]:
    return (ANY, f"style:{analysis.style}", f"content:{analysis.content}")


def _concepts(analysis: Analysis) -> tuple[str, ...]:
    telling = [concept.name for concept in analysis.concepts if concept.category not in _UNTELLING]
    return tuple(f"concept:{name}" for name in list(dict.fromkeys(telling))[: _knobs("contexts")["concepts"]])


def share_of(kind: str) -> dict[str, float]:
    """How much of the evidence about this kind counts by what a picture has in common with the prompt."""
    group = {"lora": "thing", "checkpoint": "model", "pair": "model", "size": "size"}.get(kind, "setting")
    shares: dict[str, float] = _knobs("share")[group]
    return shares


def _contexts(kind: str, analysis: Analysis) -> Iterator[str]:
    shares = share_of(kind)
    for context in contexts_of(analysis):
        if (ANY if context == ANY else context.partition(":")[0]).replace(ANY, "any") in shares:
            yield context


# --------------------------------------------------------------------------- traits


def traits(made: Made) -> list[Trait]:
    """Everything about a picture that a verdict on it speaks about."""
    plan = made.generation.plan
    return [replace(trait, context=context) for trait in _bare(plan) for context in _contexts(trait.kind, plan.analysis)]


def _bare(plan: Plan) -> Iterator[Trait]:
    for choice in plan.loras:
        if choice.distillation is None:
            yield Trait("lora", choice.use.name, plan.family, value=choice.use.strength_model)
    if model := model_of(plan):
        yield Trait("checkpoint", model, plan.family)
    for one, two in combinations(sorted({choice.use.name for choice in plan.loras if choice.distillation is None}), 2):
        yield Trait("pair", f"{one}|{two}", plan.family)
    for kind, (arm, value) in arms_of(plan).items():
        yield Trait(kind, arm, plan.family, value=value)


def model_of(plan: Plan) -> str:
    """The file that draws the picture."""
    return plan.models.checkpoint or plan.models.diffusion_model or ""


# --------------------------------------------------------------------------- evidence in the making


def hints(made: Made) -> list[tuple[Trait, Verdict]]:
    """What a person ran instead of the proposal: liked a little before it is there, the proposal disliked less."""
    plan = made.generation.plan
    bare = [*_changed_settings(plan, made.changes), *_changed_loras(plan, made.changes)]
    return [(replace(trait, context=context), said) for trait, said in bare for context in _contexts(trait.kind, plan.analysis)]


def _changed_settings(plan: Plan, changes: tuple[Change, ...]) -> Iterator[tuple[Trait, Verdict]]:
    kinds = {"sampler" if change.parameter == "scheduler" else change.parameter for change in changes} & set(SETTINGS)
    if not kinds:
        return
    used, proposed = arms_of(plan), arms_of(proposed_of(plan, changes))
    for kind in sorted(kinds & used.keys() & proposed.keys()):
        if used[kind][0] != proposed[kind][0]:
            yield Trait(kind, used[kind][0], plan.family, value=used[kind][1]), _said("used")
            yield Trait(kind, proposed[kind][0], plan.family, value=proposed[kind][1]), _said("proposed")


def proposed_of(plan: Plan, changes: tuple[Change, ...]) -> Plan:
    """The plan with its settings as they were proposed; what cannot be read stays as it was used."""
    proposed: dict[str, Any] = {}
    for change in changes:
        if change.parameter == "size":
            sides = change.proposed.replace("×", "x").split("x")
            if len(sides) == 2 and all(side.isdigit() for side in sides):
                proposed["width"], proposed["height"] = map(int, sides)
        elif change.parameter in ("sampler", "scheduler"):
            proposed[change.parameter] = change.proposed
        elif change.parameter in SETTINGS and (number := _number(change.proposed)) is not None:
            proposed[change.parameter] = int(number) if change.parameter == "steps" else number
    return replace(plan, settings=replace(plan.settings, **proposed))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _changed_loras(plan: Plan, changes: tuple[Change, ...]) -> Iterator[tuple[Trait, Verdict]]:
    for change in changes:
        if change.parameter == "lora":
            said = "added" if change.used else "dropped"
            yield Trait("lora", change.subject, plan.family, value=_number(change.used) or 0.0), _said(said)
        elif change.parameter == "strength" and (used := _number(change.used)) is not None:
            yield Trait("lora", change.subject, plan.family, value=used), _said("strength")


def _said(what: str) -> Verdict:
    row = _knobs("change")[what]
    return Verdict(row["liked"], row["weight"])


# --------------------------------------------------------------------------- verdicts


def verdict(standing: Standing) -> Verdict:
    """How well a picture was liked, and how much that counts. A rating outweighs actions, and what was said or done
    outweighs what was read off the person's next step."""
    stars = standing.rating.stars if standing.rating else None
    acted = _acted(standing.actions - IMPLICIT) or _acted(standing.actions & IMPLICIT)
    if standing.rating is None or stars is None:
        weight = sum(weight for _, weight in acted)
        return Verdict(_mean(acted), min(1.0, weight)) if acted else Verdict(0.5, 0.0)
    beside = [(liked, float(_knobs("rating")["beside"])) for liked, _ in _acted(standing.actions - IMPLICIT)]
    return Verdict(_mean([(_liked(standing.rating), 1.0), *beside]), 1.0, stars)


def _acted(actions: frozenset[Action]) -> list[tuple[float, float]]:
    rows = _knobs("action")
    return [(rows[each]["liked"], rows[each]["weight"]) for each in sorted(action.value for action in actions)]


def _liked(rating: Rating) -> float:
    parts = [(stars, 1.0) for stars in (rating.quality, rating.accuracy, rating.aesthetic) if stars is not None]
    overall = [] if rating.overall is None else [(rating.overall, float(_knobs("rating")["overall"]))]
    return (_mean([*overall, *parts]) - 1) / 4


def _mean(weighed: list[tuple[float, float]]) -> float:
    return sum(value * weight for value, weight in weighed) / sum(weight for _, weight in weighed)
