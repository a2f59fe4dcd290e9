"""A plan as a person reviews it before it runs: what was read, every choice with its reasons, and what may be changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..data import table
from ..data.families import distillations, families
from ..plan import Kind, Library, LoraChoice, Machine, ModelFile, Plan, Reason, Verbosity
from ..values import to_json
from .edit import as_proposed
from .explain import MODEL, explain, render
from .fixed_loras import loads_on
from .following import changes_between
from .named import stem
from .negative import acts
from .question import family_of, question_hash
from .review_settings import listed_settings
from .triggers import best_group, triggers_for
from .write_prompt import says

MOST_WORDS = 40  # trigger words on a card
WHY_NOT = ("lora.not.", "edited.lora_out", "varied.lora_left_out")
_NOWHERE = Machine()


def review(plan: Plan, library: Library, language: str = "en", machine: Machine = _NOWHERE) -> dict[str, Any]:
    """The plan as JSON values, every sentence in ``language``. ``machine`` says which samplers and schedulers there are to
    choose among. ``made_for`` is what an accepted plan is kept with."""
    family = families()[plan.family]
    return {
        "plan": json.loads(to_json(plan)),
        "made_for": question_hash(plan.request, family_of(plan, library)),
        "summary": explain(plan, Verbosity.MINIMAL, language).splitlines()[0],
        "intent": _intent(plan, language),
        "model": _model(plan, library, language),
        "loras": [_card(choice, plan, library, language) for choice in plan.loras],
        "near_misses": [_card(choice, plan, library, language) for choice in plan.near_misses],
        "settings": listed_settings(plan, machine, language),
        "prompt": plan.prompt,
        "negative": plan.negative or "",
        "negative_matters": acts(family, plan.settings),
        "estimate": _estimate(plan, language),
        "warnings": _said(plan.warnings, language),
        "tips": _by_decision(plan, ("tradeoff", "tip"), language),
        "changes": list(_changes(plan)),
    }


def _intent(plan: Plan, language: str) -> dict[str, Any]:
    read = plan.analysis
    level = render(Reason("", f"level.{read.complexity.level.value}"), language)
    concepts = [{"category": each.category, "name": each.name, "words": list(each.words)} for each in read.concepts]
    return {
        "style": _label("styles", read.style, language),
        "content": _label("contents", read.content, language),
        "complexity": level,
        "language": read.language,
        "concepts": concepts,
        "said": _said(read.reasons, language),
    }


def _label(rows: str, name: str, language: str) -> str:
    labels = table(rows).get(name, {}).get("label", {})
    return str(labels.get(language, labels.get("en", name)))


def _model(plan: Plan, library: Library, language: str) -> dict[str, Any]:
    models = plan.models
    kind = Kind.CHECKPOINT if models.checkpoint else Kind.DIFFUSION_MODEL
    name = models.checkpoint or models.diffusion_model or ""
    file = library.find(kind, name)
    parts = [("text_encoder", each) for each in models.text_encoders]
    parts += [(role, each) for role, each in (("vae", models.vae), ("second", models.second)) if each]
    return {
        "kind": kind.value,
        "name": name,
        "title": _title(file, name),
        "family": plan.family,
        "family_label": families()[plan.family].label,
        "preview": bool(file and file.preview),
        "said": _by_decision(plan, MODEL, language),
        "parts": [{"role": role, "name": each} for role, each in parts],
    }


def _title(file: ModelFile | None, name: str) -> str:
    return (file.title if file else "") or stem(name)


def _estimate(plan: Plan, language: str) -> dict[str, Any]:
    cost = plan.estimate
    return {
        "vram_bytes": cost.vram_bytes,
        "ram_bytes": cost.ram_bytes,
        "seconds": cost.seconds,
        "measured": cost.measured,
        "fits": cost.fits,
        "said": _by_decision(plan, ("vram", "time"), language),
    }


# --------------------------------------------------------------------------- LoRAs


def _card(choice: LoraChoice, plan: Plan, library: Library, language: str) -> dict[str, Any]:
    name, file = choice.use.name, library.find(Kind.LORA, choice.use.name)
    low, advised, high = file.strength if file else (None, None, None)
    against = [reason for reason in choice.reasons if reason.key.startswith(WHY_NOT) and not choice.chosen]
    told = [reason for reason in choice.reasons if reason not in against]
    row = distillations().get(choice.distillation or "")
    return {
        "name": name,
        "title": _title(file, name),
        "on": choice.chosen,
        "strength": choice.use.strength_model,
        "strength_clip": choice.use.strength_clip,
        "minimum": low,
        "recommended": advised,
        "maximum": high,
        "scores": dict(vars(choice.scores)),
        "relevance": choice.relevance,
        "triggers": list(_words(choice, file, plan)),
        "covers": [_as_written(each, plan) for each in choice.covers],
        "said": _of_lora(name, told, language),
        "why_not": next(iter(_of_lora(name, against, language)), None),
        "preview": bool(file and file.preview),
        "distillation": row.label if row else choice.distillation,
        "nsfw": bool(file and file.nsfw),
        "loads": bool(file and file.usable and loads_on(file, families()[plan.family])),
    }


def _as_written(concept: str, plan: Plan) -> str:
    """A concept in the prompt's own words: its name is English."""
    return next((each.words[0] for each in plan.analysis.concepts if each.name == concept and each.words), concept)


def _of_lora(name: str, reasons: Iterable[Reason], language: str) -> list[str]:
    """Sentences about one LoRA; its card bears the name they begin with."""
    lines = [line.removeprefix(f"{stem(name)}: ") for line in _said(reasons, language)]
    return [line[:1].upper() + line[1:] for line in lines]


def _words(choice: LoraChoice, file: ModelFile | None, plan: Plan) -> Iterator[dict[str, Any]]:
    """The trigger words there are, those at work first, then those that fit the prompt best."""
    groups = file.trigger_groups if file else ()
    said = frozenset(plan.analysis.text.casefold().split())
    fitting = (*triggers_for(file, ""), *best_group(groups, said)) if file else ()
    others = (part for group in groups for entry in group for part in _split(entry))
    for word in list(dict.fromkeys((*choice.triggers, *fitting, *others)))[:MOST_WORDS]:
        is_on = word in choice.triggers or (choice.chosen and says(plan.analysis.text, word))
        yield {"word": word, "on": is_on}


def _split(entry: str) -> list[str]:
    plain = entry.replace("\\(", "(").replace("\\)", ")")
    return [part.strip() for part in re.split(r"[,;\n]", plain) if 0 < len(part.strip()) <= 80]


# --------------------------------------------------------------------------- sentences


def _by_decision(plan: Plan, decisions: tuple[str, ...], language: str) -> list[str]:
    return _said((each for decision in decisions for each in plan.reasons if each.decision == decision), language)


def _said(reasons: Iterable[Reason], language: str) -> list[str]:
    return [render(reason, language) for reason in reasons]


_ALSO = ("shift", "clip_skip", "denoise", "batch")


def _changes(plan: Plan) -> Iterator[dict[str, str]]:
    """What the person changed: what learning hears of, and the rest."""
    before = as_proposed(plan)
    if before is None:
        return
    for change in changes_between(before, plan):
        yield {"parameter": change.parameter, "proposed": change.proposed, "used": change.used, "subject": change.subject}
    for name in _ALSO:
        old, new = getattr(before.settings, name), getattr(plan.settings, name)
        if old != new:
            yield {"parameter": name, "proposed": str(old), "used": str(new), "subject": ""}
    told = {reason.key: reason for reason in plan.reasons}
    if "edited.prompt" in told:
        yield {"parameter": "prompt", "proposed": "", "used": plan.prompt, "subject": ""}
    if (edit := told.get("edited.negative")) is not None:
        yield {
            "parameter": "negative",
            "proposed": str(edit.values["planned"] or ""),
            "used": plan.negative or "",
            "subject": "",
        }
