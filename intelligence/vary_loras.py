"""LoRAs worth comparing in a batch: those that came near, those chosen left out, weaker and stronger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from ..data import table
from ..data.families import families
from ..errors import sentence
from ..plan import Kind, LoraChoice, LoraUse, Mode, ModelFile, Plan, Reason
from .fixed_loras import loads_on
from .named import stem
from .revise import Place, Revision, is_free
from .strength import rebalance
from .triggers import insert, triggers_for
from .write_prompt import write_prompt

Stack = tuple[LoraChoice, ...]


@dataclass(frozen=True)
class Labelled:
    """A revision and what a person calls it."""

    label: str
    change: Revision


def lora_variations(plan: Plan, place: Place) -> Iterator[Labelled]:
    """Alternatives in turn: another one in the place of one, one more, stronger, weaker, one less. None where the person
    fixed the stack."""
    if plan.request.loras is not None or plan.request.mode is Mode.MANUAL:
        return
    misses = [(choice, file) for choice in plan.near_misses if (file := _usable(choice, plan, place)) is not None]
    kinds = (_swapped(plan, misses), _added(plan, misses), *_scaled(plan, place), _without(plan))
    for labelled in chain.from_iterable(zip_longest(*kinds)):
        if labelled is not None:
            yield labelled


def _usable(choice: LoraChoice, plan: Plan, place: Place) -> ModelFile | None:
    file = place.file(Kind.LORA, choice.use.name)
    fits = file is not None and file.usable and loads_on(file, families()[plan.family])
    return file if fits and _refusal(choice) not in table("variations")["loras"]["never"] else None


def _refusal(choice: LoraChoice) -> str:
    keys = (reason.key for reason in choice.reasons)
    return next((key.removeprefix("lora.not.") for key in keys if key.startswith("lora.not.")), "")


# --------------------------------------------------------------------------- the kinds


def _swapped(plan: Plan, misses: Sequence[tuple[LoraChoice, ModelFile]]) -> Iterator[Labelled]:
    for miss, file in misses:
        gone = _counterpart(miss, plan)
        if gone is None:
            continue
        values = {"name": file.name, "other": gone.use.name}
        reason = Reason(f"lora:{file.name}", "varied.lora_swapped", values)
        new = _chosen(miss, file, plan, gone, reason)
        stack = tuple(new if choice is gone else choice for choice in plan.loras)
        yield Labelled(f"{stem(gone.use.name)} → {stem(file.name)}", _restacked(plan, stack))


def _counterpart(miss: LoraChoice, plan: Plan) -> LoraChoice | None:
    """The chosen LoRA a near-miss can stand in for: the one it lost to, one that serves the same, else the last."""
    free = [choice for choice in plan.loras if is_free(choice, plan)]
    lost_to = {reason.values.get("other") for reason in miss.reasons}
    named = [choice for choice in free if choice.use.name in lost_to]
    alike = [choice for choice in free if set(choice.covers) & set(miss.covers)]
    return next(iter((*named, *alike, *reversed(free))), None)


def _added(plan: Plan, misses: Sequence[tuple[LoraChoice, ModelFile]]) -> Iterator[Labelled]:
    full = len(plan.loras) >= plan.request.constraints.max_loras
    for miss, file in misses:
        against = _refusal(miss) in table("variations")["loras"]["instead"]
        if full or (against and plan.loras):
            continue
        reason = Reason(f"lora:{file.name}", "varied.lora_added", {"name": file.name})
        stack = (*plan.loras, _chosen(miss, file, plan, None, reason))
        yield Labelled(f"+ {stem(file.name)}", _restacked(plan, stack))


def _without(plan: Plan) -> Iterator[Labelled]:
    for gone in plan.loras:
        if is_free(gone, plan):
            label = sentence("explain", "varied.without", plan.request.language, {"name": stem(gone.use.name)})
            yield Labelled(label, _restacked(plan, tuple(choice for choice in plan.loras if choice is not gone)))


def _scaled(plan: Plan, place: Place) -> list[Iterator[Labelled]]:
    """Stronger for every LoRA, then weaker."""
    factors = sorted(table("variations")["loras"]["factors"], reverse=True)
    return [_at_strength(plan, place, factor) for factor in factors]


def _at_strength(plan: Plan, place: Place, factor: float) -> Iterator[Labelled]:
    for choice in plan.loras:
        strength = _bounded(choice.use.strength_model * factor, place.file(Kind.LORA, choice.use.name))
        if not is_free(choice, plan) or strength == choice.use.strength_model:
            continue
        values = {"name": choice.use.name, "strength": strength, "planned": choice.use.strength_model}
        reason = Reason(f"lora:{choice.use.name}", "varied.lora_strength", values)
        use = LoraUse(choice.use.name, strength, strength)
        other = replace(choice, use=use, reasons=(*choice.reasons, reason))
        stack = tuple(other if each is choice else each for each in plan.loras)
        yield Labelled(f"{stem(use.name)} {strength:g}", Revision(loras=stack))


def _bounded(strength: float, file: ModelFile | None) -> float:
    """Inside what the LoRA's card allows, in steps that can be seen."""
    low, _, high = file.strength if file else (None, None, None)
    grain = table("variations")["loras"]["grain"]
    kept = min(max(strength, -20.0 if low is None else low), 20.0 if high is None else high)
    return float(round(round(kept / grain) * grain, 2))


# --------------------------------------------------------------------------- a stack put into a plan


def _chosen(miss: LoraChoice, file: ModelFile, plan: Plan, gone: LoraChoice | None, why: Reason) -> LoraChoice:
    """A near-miss as a choice, with the trigger words that the prompt lacks."""
    others = tuple(word for choice in plan.loras if choice is not gone for word in choice.triggers)
    text = insert(plan.analysis.text or plan.analysis.prompt, others, plan.analysis.dialect)
    triggers = triggers_for(file, text)
    told = [why, *(reason for reason in miss.reasons if not reason.key.startswith("lora.not."))]
    if triggers:
        told.append(Reason(f"lora:{file.name}", "lora.triggers", {"name": file.name, "triggers": ", ".join(triggers)}))
    return replace(miss, triggers=triggers, chosen=True, reasons=tuple(told))


def _restacked(plan: Plan, stack: Stack) -> Revision:
    """The stack with strengths that add up to what is allowed, its trigger words in the prompt and no others."""
    bound = frozenset(choice.use.name for choice in stack if not is_free(choice, plan))
    uses = rebalance([choice.use for choice in stack], bound)
    balanced = tuple(replace(choice, use=use) for choice, use in zip(stack, uses, strict=True))
    prompt, reasons = _prompt(plan, balanced)
    used = {use.name for use in uses}
    misses = tuple(choice for choice in plan.near_misses if choice.use.name not in used)
    return Revision(loras=balanced, prompt=prompt, near_misses=(*_left_out(plan, used), *misses), reasons=reasons)


def _left_out(plan: Plan, used: set[str]) -> Iterator[LoraChoice]:
    for choice in plan.loras:
        if (name := choice.use.name) not in used:
            why = Reason(f"lora:{name}", "varied.lora_left_out", {"name": name})
            yield replace(choice, chosen=False, triggers=(), reasons=(why,))


def _prompt(plan: Plan, stack: Stack) -> tuple[str, tuple[Reason, ...]]:
    """The prompt written anew; one that a person edited is kept, and only gains what is missing."""
    family = families()[plan.family]
    if plan.prompt == write_prompt(plan.request, plan.analysis, family, _triggers(plan.loras))[0]:
        return write_prompt(plan.request, plan.analysis, family, _triggers(stack))
    known = set(_triggers(plan.loras))
    added = [word for word in _triggers(stack) if word not in known]
    return insert(plan.prompt, added, plan.analysis.dialect), ()


def _triggers(stack: Stack) -> tuple[str, ...]:
    return tuple(word for choice in stack for word in choice.triggers)
