"""Sums of evidence, kept up with every verdict. A tick is one verdict that came or changed; a sum halves every
``half_life`` ticks, so what was said lately counts more whatever the clock says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, or_, select, tuple_, update

from ..feedback import Forgot, Trait, Verdict
from .tables import counters, meta, resets, tallies
from .upserting import upsert

FAINT = 0.02  # evidence of less weight than this changes no recommendation, so nobody is told of it
MOST_KEYS = 200  # of one question; SQLite before 3.32 takes 999 values

Key = tuple[str, str, str, str]  # context, kind, family, name


class Sums(NamedTuple):
    """What a tally adds up: weights of liking, Σ liking × value, ratings and their stars."""

    liked: float = 0.0
    disliked: float = 0.0
    value: float = 0.0
    rated: float = 0
    stars: float = 0.0

    def faded(self, share: float) -> Sums:
        """Evidence fades; how many ratings there were does not."""
        return Sums(self.liked * share, self.disliked * share, self.value * share, self.rated, self.stars)

    def plus(self, other: Sums, sign: int = 1) -> Sums:
        return Sums(*(mine + sign * theirs for mine, theirs in zip(self, other, strict=True)))

    def clean(self) -> Sums:
        """Without the dust that subtracting leaves."""
        liked, disliked = (max(0.0, round(weight, 12)) for weight in (self.liked, self.disliked))
        rated = max(0, round(self.rated))
        return Sums(liked, disliked, self.value if liked else 0.0, rated, self.stars if rated else 0.0)


class Counted(NamedTuple):
    """A verdict and the tick it was counted at."""

    verdict: Verdict
    tick: int


def decay(ticks: float, half_life: float) -> float:
    """What is left of evidence after so many ticks, 0–1."""
    return float(0.5 ** (max(0.0, ticks) / half_life))


def sums_of(trait: Trait, verdict: Verdict) -> Sums:
    liked = verdict.weight * verdict.liked
    rated = verdict.stars is not None
    return Sums(liked, verdict.weight - liked, liked * trait.value, int(rated), verdict.stars or 0.0)


def key_of(trait: Trait) -> Key:
    return trait.context, trait.kind, trait.family, trait.name


def judge(
    connection: Connection, half_life: float, traits: Iterable[Trait], old: Counted | None, new: Verdict | None
) -> int | None:
    """Count ``new`` for every trait instead of ``old``. The tick it was counted at; ``None`` = nothing counts."""
    if old is None and (new is None or not new.weight):
        return None
    tick = next_tick(connection)
    gone = _resets_since(connection, old.tick) if old else []
    changes: dict[Key, Sums] = {}
    for trait in traits:
        change = sums_of(trait, new) if new else Sums()
        if old and not any(covers(what, name, trait) for what, name in gone):
            before = sums_of(trait, old.verdict).faded(decay(tick - old.tick, half_life))
            change = change.plus(before, -1)
        changes[key_of(trait)] = changes.get(key_of(trait), Sums()).plus(change)
    add(connection, half_life, tick, changes)
    return tick


def hint(connection: Connection, half_life: float, hints: Sequence[tuple[Trait, Verdict]]) -> None:
    """Count evidence that nothing will take back."""
    changes: dict[Key, Sums] = {}
    for trait, verdict in hints:
        changes[key_of(trait)] = changes.get(key_of(trait), Sums()).plus(sums_of(trait, verdict))
    if changes:
        add(connection, half_life, next_tick(connection), changes)


def add(connection: Connection, half_life: float, tick: int, changes: Mapping[Key, Sums]) -> None:
    held = _held(connection, list(changes))
    rows = []
    for key, change in sorted(changes.items()):
        before, since = held.get(key, (Sums(), tick))
        after = before.faded(decay(tick - since, half_life)).plus(change).clean()
        rows.append(_row(key, after, tick, half_life))
    upsert(connection, tallies, rows)


def _held(connection: Connection, keys: list[Key]) -> dict[Key, tuple[Sums, int]]:
    columns = (tallies.c.context, tallies.c.kind, tallies.c.family, tallies.c.name)
    sums = (tallies.c.liked, tallies.c.disliked, tallies.c.value, tallies.c.rated, tallies.c.stars, tallies.c.tick)
    held = {}
    for start in range(0, len(keys), MOST_KEYS):
        asked = select(*columns, *sums).where(tuple_(*columns).in_(keys[start : start + MOST_KEYS]))
        for row in connection.execute(asked):
            held[tuple(row[:4])] = (Sums(*row[4:9]), row[9])
    return held


def _row(key: Key, sums: Sums, tick: int, half_life: float) -> dict[str, Any]:
    weight = sums.liked + sums.disliked
    lasts = half_life * math.log2(weight / FAINT) if weight > FAINT else 0.0
    named = dict(zip(("context", "kind", "family", "name"), key, strict=True))
    return {**named, **sums._asdict(), "tick": tick, "fades": tick + lasts}


# --------------------------------------------------------------------------- forgetting


def forget(connection: Connection, forgot: Forgot) -> None:
    """Drop the tallies a person wants forgotten; what they were made from stays."""
    gone = delete(tallies)
    if forgot.what == "style":
        gone = gone.where(tallies.c.context == f"style:{forgot.name}")
    elif forgot.what == "lora":
        gone = gone.where(or_(_is("lora", forgot.name), _pairs_with(forgot.name)))
    elif forgot.what == "checkpoint":
        gone = gone.where(_is("checkpoint", forgot.name))
    connection.execute(gone)


def _is(kind: str, name: str) -> Any:
    return (tallies.c.kind == kind) & (tallies.c.name == name)


def _pairs_with(name: str) -> Any:
    either = tallies.c.name.startswith(f"{name}|", autoescape=True) | tallies.c.name.endswith(f"|{name}", autoescape=True)
    return (tallies.c.kind == "pair") & either


def covers(what: str, name: str, trait: Trait) -> bool:
    """Whether forgetting ``what`` of ``name`` drops this trait's tally."""
    if what == "style":
        return trait.context == f"style:{name}"
    if what == "lora" and trait.kind == "pair":
        return trait.name.startswith(f"{name}|") or trait.name.endswith(f"|{name}")
    return what == "all" or (trait.kind == what and trait.name == name)


def _resets_since(connection: Connection, tick: int) -> list[tuple[str, str]]:
    asked = select(resets.c.what, resets.c.name).where(resets.c.tick >= tick)
    return [(row.what, row.name) for row in connection.execute(asked)]


# --------------------------------------------------------------------------- counting


def next_tick(connection: Connection) -> int:
    return bump(connection, "tick")


def bump(connection: Connection, key: str) -> int:
    connection.execute(update(meta).where(meta.c.key == key).values(value=meta.c.value + 1))
    return value(connection, key)


def value(connection: Connection, key: str) -> int:
    """The counter "tick" or "version"."""
    return int(connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar_one())


def count(connection: Connection, *changes: tuple[str, str, float]) -> None:
    """Add to counters: (kind, name, by)."""
    rows = [{"kind": kind, "name": name, "count": by} for kind, name, by in changes if by]
    upsert(connection, counters, rows, adding="count")


# --------------------------------------------------------------------------- traits as text


def written(traits: Iterable[Trait]) -> str:
    """Traits as they lie beside a generation, so that a rating needs no plan."""
    return json.dumps([[trait.kind, trait.name, trait.family, trait.context, trait.value] for trait in traits])


def read(text: str) -> list[Trait]:
    return [Trait(*fields) for fields in json.loads(text)]
