"""From a read prompt to a stack of LoRAs with strengths, trigger words and reasons: also for those left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data import table
from ..data.families import families
from ..plan import Analysis, Constraints, Leaning, Library, LoraChoice, LoraUse, Reason, Taste
from .explore import ANY_OTHER
from .index import Floats, Index
from .leaning import about_of
from .matching import Nature, Wishes
from .ranking import NEUTRAL, Ranked, Vectors, Weights, best, compatible, entry_at, factors_of, index_of, score, unmet_scores
from .select import Candidate, Refusal, candidate_of, select
from .strength import rebalance, strength_for
from .triggers import insert, triggers_for

UNLIMITED = Constraints()
_CANDIDATES = 40
_FOREIGN = 10


@dataclass(frozen=True)
class Recommendation:
    """The chosen LoRAs in the order they are applied, the best of those left out, the prompt with trigger words,
    and what holds for all of them."""

    chosen: tuple[LoraChoice, ...] = ()
    near_misses: tuple[LoraChoice, ...] = ()
    reasons: tuple[Reason, ...] = ()
    prompt: str = ""


def recommend(
    analysis: Analysis,
    family: str,
    library: Library,
    taste: Taste = NEUTRAL,
    constraints: Constraints = UNLIMITED,
    weights: Weights | None = None,
    vectors: Vectors | None = None,
    given: tuple[LoraUse, ...] = (),
) -> Recommendation:
    """The LoRAs of ``library`` that serve the prompt on ``family``: few, for different things, none when nothing
    fits. Only compatible files are chosen; those of other families appear among the near-misses. ``given`` are LoRAs
    in use already (fixed by the person, or a distillation): they count towards the limits and are left as they are."""
    index, leaning = index_of(library), taste.on(family)
    total, parts = score(index, analysis, leaning, weights, vectors)
    loads = factors_of(index, family)
    ranked = best(index, total * loads, parts, _CANDIDATES) + _details(index, total * loads, parts)
    wishes = Wishes.of(analysis)
    compatibles = compatible(family)
    used = {use.name for use in given}
    unique = {entry.file.name: entry for entry in ranked if entry.file.name not in used}.values()
    candidates = [candidate_of(entry, wishes, compatibles.get(entry.file.family or "", 0.0)) for entry in unique]
    room = replace(constraints, max_loras=max(0, constraints.max_loras - len(given)))
    chosen, refused = select(candidates, analysis, room, leaning)
    foreign = _foreign(best(index, total * (loads == 0), parts, _FOREIGN), wishes)
    misses = [each for each in (*refused, *foreign) if _is_near(each, index)]
    choices, prompt = _applied(chosen, analysis, wishes, given, leaning)
    reasons = _overall(choices, int((loads > 0).sum()), family, vectors)
    return Recommendation(choices, _missed(misses, wishes, leaning), reasons, prompt)


def _details(index: Index, total: Floats, parts: tuple[Floats, ...]) -> list[Ranked]:
    """Detail LoRAs compete among themselves, the popular ones first: no prompt names them."""
    rows = index.details[total[index.details] > 0]
    popular = rows[np.argsort(-(total + index.popularity)[rows], kind="stable")][:3]
    return [entry_at(index, total, parts, int(row)) for row in popular]


def _foreign(ranked: Sequence[Ranked], wishes: Wishes) -> list[Refusal]:
    candidates = [candidate_of(entry, wishes) for entry in ranked]
    return [
        Refusal(each, "other_family" if each.file.family else "unknown_family", each.file.family or "")
        for each in candidates
        if each.asked
    ]


def _applied(
    chosen: Sequence[Candidate], analysis: Analysis, wishes: Wishes, given: tuple[LoraUse, ...], leaning: Leaning
) -> tuple[tuple[LoraChoice, ...], str]:
    text = analysis.text or analysis.prompt
    size = len(chosen) + len(given)
    planned = [LoraUse(each.file.name, strength, strength) for each in chosen for strength in [_strength(each, size, leaning)]]
    balanced = rebalance([*given, *planned], frozenset(use.name for use in given))[len(given) :]
    choices = []
    for each, before, use in zip(chosen, planned, balanced, strict=True):
        triggers = triggers_for(each.file, text)
        text = insert(text, triggers, analysis.dialect)
        choice = _choice(each, wishes, use, triggers)
        choices.append(
            replace(choice, reasons=(*choice.reasons, *_liked(each, leaning), *_how(each, before, use, triggers, size)))
        )
    return tuple(choices), text


def _strength(each: Candidate, stack: int, leaning: Leaning) -> float:
    """The strength this person likes, where that is not merely the usual one."""
    usual = strength_for(each.file, each.match.nature, stack)
    liking = leaning.loras.get(each.file.name)
    if liking is None or liking.strength is None:
        return usual
    learned = strength_for(each.file, each.match.nature, stack, liking.strength)
    return learned if abs(learned - usual) > table("learning")["act"]["strength_differs"] else usual


def _choice(each: Candidate, wishes: Wishes, use: LoraUse, triggers: tuple[str, ...] = ()) -> LoraChoice:
    covers = wishes.labels(each.match.words) or (("detail",) if each.match.nature is Nature.DETAIL else ())
    why = Reason(
        _decision(each),
        f"lora.chosen.{each.match.nature.value}",
        {"name": each.file.name, "covers": ", ".join(covers), "relevance": round(each.relevance, 2)},
    )
    scores = each.ranked.scores
    return LoraChoice(use, scores, each.relevance, triggers, covers, reasons=(why, _scored(each)))


def _how(each: Candidate, before: LoraUse, use: LoraUse, triggers: tuple[str, ...], stack: int) -> tuple[Reason, ...]:
    found = [_why_so_strong(each, before.strength_model, strength_for(each.file, each.match.nature, stack))]
    if use != before:
        most = table("recommend")["strength"]["most_in_total"]
        values = {"name": each.file.name, "before": before.strength_model, "strength": use.strength_model, "most": most}
        found.append(Reason(_decision(each), "lora.strength.rebalanced", values))
    if triggers:
        found.append(Reason(_decision(each), "lora.triggers", {"name": each.file.name, "triggers": ", ".join(triggers)}))
    return tuple(found)


def _why_so_strong(each: Candidate, strength: float, usual: float) -> Reason:
    values = {"name": each.file.name, "strength": strength}
    if strength != usual:
        return Reason(_decision(each), "lora.strength.learned", {**values, "usual": usual})
    advised = any(value is not None for value in each.file.strength)
    return Reason(_decision(each), "lora.strength.card" if advised else "lora.strength.usual", values)


def _liked(each: Candidate, leaning: Leaning) -> tuple[Reason, ...]:
    """What is known of the person's liking, where it counted."""
    name = each.file.name
    liking = leaning.loras.get(name) or leaning.loras.get(ANY_OTHER)
    if liking is None or abs(liking.score) < table("learning")["act"]["told"]:
        return ()
    values = {"name": name, "ratings": liking.ratings}
    if liking.tried:
        return (Reason(_decision(each), "lora.tried", values),)
    if liking.stars is None:
        return (Reason(_decision(each), "lora.liked" if liking.score > 0 else "lora.liked_less", values),)
    about, values_about = about_of(liking)
    values = {**values, "stars": round(liking.stars, 1), **values_about}
    return (Reason(_decision(each), f"lora.rated{about}", values),)


def _is_near(refusal: Refusal, index: Index) -> bool:
    """Whether anything in the prompt speaks for it: a LoRA that is only popular, or of a likely kind, is no miss."""
    scores = refusal.candidate.ranked.scores
    telling = table("recommend")["semantic"]["near"]
    return refusal.asked or refusal.why == "detail_not_asked" or scores.semantic >= telling or _meets_words(refusal, index)


def _meets_words(refusal: Refusal, index: Index) -> bool:
    unmet = float(unmet_scores(index)[index.rows[refusal.candidate.file.name]])
    return refusal.candidate.ranked.scores.keyword > unmet + 1e-6


def _missed(refused: Sequence[Refusal], wishes: Wishes, leaning: Leaning) -> tuple[LoraChoice, ...]:
    """The best of those left out; where one was asked for and refused all the same, it comes first."""
    ordered = sorted(refused, key=lambda each: (not each.asked, -each.candidate.relevance))
    return tuple(_miss(each, wishes, leaning) for each in ordered[: table("recommend")["limits"]["near_misses"]])


def _miss(refusal: Refusal, wishes: Wishes, leaning: Leaning) -> LoraChoice:
    each = refusal.candidate
    values = {"name": each.file.name, "other": refusal.other, "relevance": round(each.relevance, 2)}
    if refusal.why in ("other_family", "distant_family"):
        values["family"] = _label(refusal.other)
    if refusal.why == "conflict_style":
        values["style"] = refusal.other
    if refusal.why == "everyday":
        values["words"] = ", ".join(wishes.labels(each.match.words))
    why = Reason(_decision(each), f"lora.not.{refusal.why}", values)
    strength = _strength(each, 1, leaning)
    covers = wishes.labels(each.match.words)
    use = LoraUse(each.file.name, strength, strength)
    distillation = each.file.distillation
    return LoraChoice(
        use,
        each.ranked.scores,
        each.relevance,
        (),
        covers,
        False,
        distillation,
        reasons=(why, *_liked(each, leaning), _scored(each)),
    )


def _scored(each: Candidate) -> Reason:
    values = {part: round(value, 2) for part, value in vars(each.ranked.scores).items()}
    return Reason(_decision(each), "lora.scores", {"name": each.file.name, **values})


def _decision(each: Candidate) -> str:
    return f"lora:{each.file.name}"


def _label(family: str) -> str:
    return families()[family].label if family in families() else family


def _overall(choices: Sequence[LoraChoice], compatible: int, family: str, vectors: Vectors | None) -> tuple[Reason, ...]:
    values = {"chosen": len(choices), "compatible": compatible, "family": _label(family)}
    found = [Reason("loras", "lora.some" if choices else "lora.none" if compatible else "lora.no_files", values)]
    if vectors is None and compatible:
        found.append(Reason("loras", "lora.no_vectors", {}))
    return tuple(found)
