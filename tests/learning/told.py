"""Small plain rules and events for the tests of the store."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from pack.feedback import (
    Acted,
    Action,
    Change,
    Event,
    Fact,
    Finished,
    Forgot,
    Made,
    Rated,
    Rating,
    Relation,
    Rules,
    Standing,
    Trait,
    Verdict,
)
from pack.plan import Analysis, Estimate, Generation, LoraChoice, LoraUse, Models, Plan, Request, Settings

HALF_LIFE = 10.0
_numbers = itertools.count()


def traits(made: Made) -> list[Trait]:
    plan = made.generation.plan
    names = [choice.use.name for choice in plan.loras]
    contexts = ("*", f"style:{plan.analysis.style}")
    found = [Trait("checkpoint", plan.models.checkpoint or "", plan.family, context) for context in contexts]
    found += [
        Trait("lora", choice.use.name, plan.family, context, choice.use.strength_model)
        for choice in plan.loras
        for context in contexts
    ]
    return found + [
        Trait("pair", "|".join(pair), plan.family, "style:" + plan.analysis.style)
        for pair in itertools.combinations(sorted(names), 2)
    ]


def hints(made: Made) -> list[tuple[Trait, Verdict]]:
    return [
        (Trait("steps", change.used, made.generation.plan.family), Verdict(1.0, 0.5))
        for change in made.changes
        if change.parameter == "steps"
    ]


def verdict(standing: Standing) -> Verdict:
    stars = standing.rating.stars if standing.rating else None
    if stars is not None:
        return Verdict((stars - 1) / 4, 1.0, stars)
    if Action.DELETED in standing.actions:
        return Verdict(0.0, 0.5)
    if Action.SAVED in standing.actions or Action.FAVOURITED in standing.actions:
        return Verdict(1.0, 0.5)
    return Verdict(0.5, 0.0)


RULES = Rules(traits, hints, verdict, HALF_LIFE)


def plan(prompt: str = "a knight", loras: dict[str, float] | None = None, style: str = "anime", **more: Any) -> Plan:
    return Plan(
        Request(prompt),
        Analysis(prompt, prompt, style=style, content="portrait"),
        "sdxl",
        "checkpoint",
        Models(checkpoint="base.safetensors"),
        Settings(20, 7.0, "euler", "normal", 1024, 768),
        prompt,
        loras=tuple(LoraChoice(LoraUse(name, strength, strength)) for name, strength in (loras or {"ink": 0.8}).items()),
        estimate=Estimate(vram_bytes=6_000_000_000),
        **more,
    )


def event(fact: Fact, id: str = "", at: float = 1000.0, machine: str = "here") -> Event:
    return Event(id or f"e{next(_numbers)}", at, machine, fact)


def made(id: str = "g1", session: str = "s1", lineage: str = "l1", id_of_event: str = "", **more: Any) -> Event:
    at, machine = more.pop("at", 1000.0), more.pop("machine", "here")
    own = {name: more.pop(name) for name in ("relation", "parent", "changes", "batch", "place") if name in more}
    seed = more.pop("seed", 2**64 - 1)
    return event(Made(Generation(plan(**more), seed, id), session, lineage, **own), id_of_event, at, machine)


def rated(stars: int | None, id: str = "g1", id_of_event: str = "", **more: Any) -> Event:
    at = more.pop("at", 1000.0)
    return event(Rated(id, Rating(stars, **more) if stars else None), id_of_event, at)


def acted(action: Action, id: str = "g1", undone: bool = False) -> Event:
    return event(Acted(id, action, undone))


def finished(id: str = "g1", seconds: float | None = 4.0, peak: int | None = 5 * 10**9, **more: Any) -> Event:
    pictures = more.pop("pictures", ("a.png",))
    return event(Finished(id, seconds, peak, pictures, more.pop("workload", "sdxl:1MP")), **more)


def forgot(what: Any, name: str = "") -> Event:
    return event(Forgot(what, name))


def sums(store: Any, *contexts: str) -> dict[tuple[str, str, str], tuple[float, float, float, float | None, int]]:
    """The tallies, rounded so that they can be compared."""
    return {
        (tally.kind, tally.name, tally.context): (
            round(tally.liked, 6),
            round(tally.disliked, 6),
            round(tally.value, 6),
            tally.stars,
            tally.rated,
        )
        for tally in store.tallies(contexts or ("*", "style:anime", "style:photo"))
    }


def changed(parameter: str = "steps", proposed: str = "20", used: str = "30", subject: str = "") -> Change:
    return Change(parameter, proposed, used, subject)


__all__ = ["HALF_LIFE", "RULES", "Action", "Relation", "replace"]
