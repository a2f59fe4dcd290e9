"""The prompt of a plan that a person changes: their own words, and the trigger words that are switched on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..data.families import families
from ..plan import LoraChoice, Plan, Reason
from .triggers import escaped, insert
from .write_prompt import says, write_prompt


def edited_prompt(plan: Plan, loras: tuple[LoraChoice, ...], text: str | None) -> tuple[str, tuple[Reason, ...]]:
    """The prompt with the trigger words of ``loras`` and no others, and all that is to be said of it; ``text`` is what the
    person wrote instead. No reasons where nothing changes."""
    before, after = _triggers(plan.loras), _triggers(loras)
    if before == after and text in (None, plan.prompt):
        return plan.prompt, ()
    written, reasons = _written(plan, after)
    is_own = text not in (None, plan.prompt) or plan.prompt != _written(plan, before)[0]
    if not is_own:
        return written, reasons
    prompt = _retriggered(plan.prompt if text is None else text, before, after, plan)
    if prompt == written:
        return prompt, reasons
    return prompt, (*reasons, Reason("prompt", "edited.prompt"))


def _written(plan: Plan, triggers: tuple[str, ...]) -> tuple[str, tuple[Reason, ...]]:
    return write_prompt(plan.request, plan.analysis, families()[plan.family], triggers)


def _triggers(loras: Iterable[LoraChoice]) -> tuple[str, ...]:
    return tuple(word for choice in loras for word in choice.triggers)


def _retriggered(text: str, before: tuple[str, ...], after: tuple[str, ...], plan: Plan) -> str:
    for word in before:
        if word not in after:
            text = _without(text, word)
    added = [word for word in after if word not in before and not says(text, word)]
    return insert(text, added, plan.analysis.dialect)


def _without(text: str, word: str) -> str:
    """A prompt less the clause that is a trigger word; where it is part of a sentence it stays."""
    clause = "|".join(re.escape(each) for each in dict.fromkeys((escaped(word), word)))
    found = re.search(rf"(?:^|,|\n)[ \t]*(?:{clause})[ \t]*(?=,|\n|$)", text)
    if found is None:
        return text
    rest = text[: found.start()] + text[found.end() :]
    return rest.lstrip(", \n") if found.start() == 0 else rest
