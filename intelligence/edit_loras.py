"""The stack of a plan as a person wants it: LoRAs taken out, put in, stronger or weaker, with other trigger words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..data.families import families
from ..errors import BadRequest
from ..plan import Kind, LoraChoice, LoraUse, ModelFile, Plan, Reason
from .fixed_loras import loads_on
from .matching import Wishes, match
from .named import find_named, stem
from .revise import Place
from .strength import strength_for
from .triggers import triggers_for
from .write_prompt import says

MOST_LORAS = 50  # as in Constraints
MOST_WORDS, LONGEST_WORD = 100, 200
IN, OUT, STRENGTH, WORDS = "edited.lora_in", "edited.lora_out", "edited.lora_strength", "edited.lora_triggers"
_REFUSED = "lora.not."  # what the reasons of near-misses begin with
_BROUGHT = "lora.triggers"


@dataclass(frozen=True)
class LoraEdit:
    """A LoRA that shall be on. Strengths ``None`` mean the recommended ones, ``strength_clip`` ``None`` the same as
    ``strength``; ``triggers`` are the words that shall be on, ``None`` those that fit the prompt."""

    name: str
    strength: float | None = None
    strength_clip: float | None = None
    triggers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Stack:
    """The LoRAs that are on, and those that are not."""

    loras: tuple[LoraChoice, ...]
    near_misses: tuple[LoraChoice, ...]


def edited_stack(plan: Plan, wanted: tuple[LoraEdit, ...] | None, place: Place) -> Stack:
    """The stack with exactly the ``wanted`` LoRAs on, in the order proposed, the person's own last.

    Raises ``BadRequest`` for one that does not load on the plan's family or cannot be used, ``MissingModel`` for one that
    is not here.
    """
    if wanted is None:
        return Stack(plan.loras, plan.near_misses)
    _refuse_many(wanted, plan)
    known = {_slashed(choice.use.name): choice for choice in (*plan.near_misses, *plan.loras)}
    on = {choice.use.name: choice for choice in (_on(edit, known, plan, place) for edit in wanted)}
    order = [use.name for use in plan.proposed.loras] if plan.proposed else []
    loras = sorted(on.values(), key=lambda each: _place(order, each.use.name))
    return Stack(tuple(loras), _off(plan, set(on), order))


def _refuse_many(wanted: tuple[LoraEdit, ...], plan: Plan) -> None:
    long = any(len(word) > LONGEST_WORD for edit in wanted for word in edit.triggers or ())
    most = max((len(edit.triggers or ()) for edit in wanted), default=0)
    if len(wanted) > MOST_LORAS or most > MOST_WORDS or long:
        faults = f"loras {len(wanted)} (0–{MOST_LORAS}), triggers {most} (0–{MOST_WORDS})"
        raise BadRequest("out_of_range", plan.request.language, faults=faults)


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


# --------------------------------------------------------------------------- switched on


def _on(edit: LoraEdit, known: Mapping[str, LoraChoice], plan: Plan, place: Place) -> LoraChoice:
    choice = known.get(_slashed(edit.name))
    if choice is None:
        file = find_named(place.library, (Kind.LORA,), edit.name, plan.request.language)
        choice = known.get(_slashed(file.name)) or LoraChoice(_recommended(file, plan), chosen=False)
    if not choice.chosen:
        choice = _put_back(choice) if _is_out(choice) else _put_in(choice, plan, place)
    return _as_wanted(choice, edit, plan)


def _is_out(choice: LoraChoice) -> bool:
    return any(reason.key == OUT for reason in choice.reasons)


def _put_back(choice: LoraChoice) -> LoraChoice:
    return replace(choice, chosen=True, reasons=tuple(each for each in choice.reasons if each.key != OUT))


def _put_in(miss: LoraChoice, plan: Plan, place: Place) -> LoraChoice:
    """A LoRA the planner did not choose, chosen; its reason remembers how it stood before."""
    name, file = miss.use.name, _loadable(miss.use.name, plan, place)
    others = [each.use.name for each in _left_out(plan)]
    why_not = [reason for reason in miss.reasons if reason.key.startswith(_REFUSED)]
    before: dict[str, Any] = {"planned": miss.use.strength_model, "planned_clip": miss.use.strength_clip}
    before |= {"place": _place(others, name)}
    before |= {"why_not": [{"key": reason.key, "values": dict(reason.values)} for reason in why_not]}
    triggers = triggers_for(file, plan.prompt)
    told = [Reason(f"lora:{name}", IN, {"name": name, **before})]
    told += [reason for reason in miss.reasons if reason not in why_not]
    if triggers:
        told.append(Reason(f"lora:{name}", _BROUGHT, {"name": name, "triggers": ", ".join(triggers)}))
    return replace(miss, triggers=triggers, chosen=True, distillation=file.distillation, reasons=tuple(told))


def _loadable(name: str, plan: Plan, place: Place) -> ModelFile:
    file = find_named(place.library, (Kind.LORA,), name, plan.request.language)
    family = families()[plan.family]
    if not loads_on(file, family):
        other = families()[file.family].label if file.family in families() else file.family
        raise BadRequest("lora_other_family", plan.request.language, name=stem(file.name), other=other, family=family.label)
    return file


def _recommended(file: ModelFile, plan: Plan) -> LoraUse:
    nature = match(file, Wishes.of(plan.analysis)).nature
    strength = strength_for(file, nature, len(plan.loras) + 1)
    return LoraUse(file.name, strength, strength)


def _as_wanted(choice: LoraChoice, edit: LoraEdit, plan: Plan) -> LoraChoice:
    use = _use(choice.use, edit)
    triggers = choice.triggers if edit.triggers is None else _ordered(edit.triggers, choice, plan)
    kept = [reason for reason in choice.reasons if reason.key not in (STRENGTH, WORDS)]
    return replace(choice, use=use, triggers=triggers, reasons=(*kept, *_changes(choice, use, triggers, plan)))


def _use(before: LoraUse, edit: LoraEdit) -> LoraUse:
    strength = before.strength_model if edit.strength is None else float(edit.strength)
    unchanged = edit.strength is None or strength == before.strength_model
    clip = before.strength_clip if unchanged else strength
    return LoraUse(before.name, strength, clip if edit.strength_clip is None else float(edit.strength_clip))


def _ordered(words: tuple[str, ...], choice: LoraChoice, plan: Plan) -> tuple[str, ...]:
    """The words in the order the planner gave them, so that one switched off and on again stands where it stood. What the
    person's own prompt says already is not added."""
    first = _brought(choice).split(", ")
    known = {*choice.triggers, *first}
    stripped = dict.fromkeys(word.strip() for word in words if word.strip())
    wanted = [word for word in stripped if word in known or not says(plan.analysis.text, word)]
    return tuple(sorted(wanted, key=lambda word: _place(first, word)))


def _brought(choice: LoraChoice) -> str:
    return next((str(each.values.get("triggers", "")) for each in choice.reasons if each.key == _BROUGHT), "")


def _changes(choice: LoraChoice, use: LoraUse, triggers: tuple[str, ...], plan: Plan) -> list[Reason]:
    name = use.name
    proposed = next((each for each in plan.proposed.loras if each.name == name), None) if plan.proposed else None
    found = []
    if proposed is not None and use != proposed:
        values = {"name": name, "strength": use.strength_model, "planned": proposed.strength_model}
        found.append(Reason(f"lora:{name}", STRENGTH, values))
    if ", ".join(triggers) != _brought(choice):
        found.append(Reason(f"lora:{name}", WORDS, {"name": name, "triggers": ", ".join(triggers) or "–"}))
    return found


# --------------------------------------------------------------------------- switched off


def _off(plan: Plan, on: set[str], order: list[str]) -> tuple[LoraChoice, ...]:
    """Those the person took out first, then what the planner had left out, each where it stood."""
    out = [each for each in plan.near_misses if _is_out(each)]
    out += [_taken_out(each) for each in plan.loras if _entry(each) is None and each.use.name not in on]
    gone = sorted((each for each in out if each.use.name not in on), key=lambda each: _place(order, each.use.name))
    return (*gone, *(each for each in _left_out(plan) if each.use.name not in on))


def _left_out(plan: Plan) -> list[LoraChoice]:
    """What the planner left out, with what the person has put in since, as it stood."""
    misses = [each for each in plan.near_misses if not _is_out(each)]
    entries = [(entry, each) for each in plan.loras if (entry := _entry(each)) and entry.values.get("why_not")]
    for entry, choice in sorted(entries, key=lambda each: int(each[0].values["place"])):
        misses.insert(int(entry.values["place"]), _as_before(choice, entry.values))
    return misses


def _entry(choice: LoraChoice) -> Reason | None:
    """That the person put it in, and how it stood before; ``None`` where a plan from elsewhere does not tell it whole."""
    return next((reason for reason in choice.reasons if reason.key == IN and _is_whole(reason.values)), None)


def _is_whole(before: Mapping[str, Any]) -> bool:
    numbers, why_not = [before.get(name) for name in ("place", "planned", "planned_clip")], before.get("why_not")
    known = isinstance(why_not, list) and all(isinstance(each, dict) and each.keys() == {"key", "values"} for each in why_not)
    return known and all(isinstance(number, (int, float)) for number in numbers)


def _taken_out(choice: LoraChoice) -> LoraChoice:
    name = choice.use.name
    return replace(choice, chosen=False, reasons=(Reason(f"lora:{name}", OUT, {"name": name}), *choice.reasons))


def _as_before(choice: LoraChoice, before: Mapping[str, Any]) -> LoraChoice:
    """A near-miss as it was before the person chose it."""
    name = choice.use.name
    use = LoraUse(name, float(before["planned"]), float(before["planned_clip"]))
    why_not = [Reason(f"lora:{name}", str(each["key"]), each["values"]) for each in before["why_not"]]
    kept = [reason for reason in choice.reasons if reason.key not in (IN, STRENGTH, WORDS, _BROUGHT)]
    return replace(choice, use=use, triggers=(), chosen=False, reasons=(*why_not, *kept))
