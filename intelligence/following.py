"""How a picture follows from the ones before it, and what that says about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..data import table
from ..feedback import Action, Change, Glimpse, Relation
from ..plan import LoraChoice, Plan, Settings

_COMPARED = ("steps", "cfg", "guidance", "sampler", "scheduler")
_FOLLOWING = (Relation.REROLL, Relation.CHANGE, Relation.EDIT)


@dataclass(frozen=True)
class Followed:
    """``session`` and ``lineage`` empty = a new one begins; ``implied`` are actions read off the person's next step."""

    session: str = ""
    lineage: str = ""
    relation: Relation = Relation.NEW
    parent: str = ""
    implied: tuple[tuple[str, Action], ...] = ()


# --------------------------------------------------------------------------- what was run otherwise


def changes_between(proposed: Plan, used: Plan) -> tuple[Change, ...]:
    """What the person ran otherwise than it was proposed: nothing where that was for another model or prompt."""
    if proposed.family != used.family:
        return ()
    return (*_settings_changed(proposed.settings, used.settings), *_loras_changed(proposed.loras, used.loras))


def _settings_changed(proposed: Settings, used: Settings) -> Iterator[Change]:
    for name in _COMPARED:
        before, after = getattr(proposed, name), getattr(used, name)
        if before != after and before is not None and after is not None:
            yield Change(name, _text(before), _text(after))
    before, after = (f"{each.width}x{each.height}" for each in (proposed, used))
    if before != after:
        yield Change("size", before, after)


def _loras_changed(proposed: Sequence[LoraChoice], used: Sequence[LoraChoice]) -> Iterator[Change]:
    before, after = (
        {each.use.name: each.use.strength_model for each in loras if each.distillation is None} for loras in (proposed, used)
    )
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield Change("lora", _text(before[name]), "", name)
        elif name not in before:
            yield Change("lora", "", _text(after[name]), name)
        elif abs(before[name] - after[name]) > 1e-6:
            yield Change("strength", _text(before[name]), _text(after[name]), name)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# --------------------------------------------------------------------------- what it follows from


def relate(plan: Plan, at: float, glimpses: Sequence[Glimpse]) -> Followed:
    """What a picture begun at ``at`` (seconds since the epoch) follows from; ``glimpses`` are the latest ones, newest
    first. A clock that jumps, either way, begins at most a new session: the order is that of the glimpses."""
    if not glimpses:
        return Followed()
    latest = glimpses[0]
    if abs(at - latest.at) > _knobs()["gap_s"]:
        return Followed(implied=_implied(latest, glimpses))
    sitting = [each for each in glimpses if each.session == latest.session]
    parent = _parent(plan, sitting)
    left = () if parent and parent.lineage == latest.lineage else _implied(latest, glimpses)
    if parent is None:
        return Followed(latest.session, implied=left)
    return Followed(latest.session, parent.lineage, _relation(plan, parent), parent.id, left)


def _knobs() -> dict[str, float]:
    rows: dict[str, float] = table("learning")["session"]
    return rows


def _parent(plan: Plan, sitting: Sequence[Glimpse]) -> Glimpse | None:
    """The newest one of the same prompt, else of the prompt it is an edit of."""
    prompt = plan.request.prompt
    same = next((each for each in sitting if _plain(each.prompt) == _plain(prompt)), None)
    near = [(_alike(each.prompt, prompt), each) for each in sitting[:1]]
    return same or next((each for alike, each in near if alike >= _knobs()["edit"]), None)


def _relation(plan: Plan, parent: Glimpse) -> Relation:
    if _plain(parent.prompt) != _plain(plan.request.prompt):
        return Relation.EDIT
    return Relation.REROLL


def _plain(prompt: str) -> str:
    return " ".join(prompt.casefold().split())


def _alike(one: str, two: str) -> float:
    """Jaccard index of the words of two prompts."""
    first, second = (frozenset(re.findall(r"\w+", text.casefold())) for text in (one, two))
    return len(first & second) / len(first | second) if first | second else 0.0


def _implied(latest: Glimpse, glimpses: Sequence[Glimpse]) -> tuple[tuple[str, Action], ...]:
    """Of the prompt that is left: its last picture was kept, what was re-rolled before it was not good enough. Items of a
    batch were ordered together, so they imply nothing; nor does what the person spoke about themselves."""
    if latest.batch:
        return ()
    line = [each for each in glimpses if each.lineage == latest.lineage and not each.batch]
    implied = [(line[0], Action.KEPT)]
    for newer, older in pairwise(line):
        if newer.relation is Relation.REROLL:
            implied.append((older, Action.REROLLED))
    return tuple((each.id, action) for each, action in implied if not each.rated and not each.actions)
