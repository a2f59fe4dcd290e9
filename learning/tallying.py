"""Sums of evidence, kept up with every verdict. A tick is one verdict that came or changed; a sum halves every
``half_life`` ticks, so what was said lately counts more whatever the clock says."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, func, or_, select, update

from ..feedback import Forgot, Trait, Verdict
from .tables import counters, meta, resets, storable, tallies
from .upserting import insert_into, upsert

FAINT = 0.05  # evidence of less weight than this changes no recommendation, so nobody is told of it
ALONE = 1.0  # nor does a pair before it was met again, and most pairs never are: they would be half of every answer
DUST = 1e-9
MOST_KEY = 600  # characters; what PostgreSQL indexes has 2,700 bytes at most

# Made once: SQLAlchemy takes longer to put a statement together than SQLite to run it.
_BUMP = update(meta).where(meta.c.key == bindparam("which")).values(value=meta.c.value + 1)
_VALUE = select(meta.c.value).where(meta.c.key == bindparam("which"))
_RESETS_SINCE = select(resets.c.what, resets.c.name).where(resets.c.tick >= bindparam("since"))

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
    context, kind, family, name = (storable(part)[:MOST_KEY] for part in (trait.context, trait.kind, trait.family, trait.name))
    return context, kind, family, name


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
    rows = [_row(key, change, tick, half_life) for key, change in sorted(changes.items())]
    if rows:
        connection.execute(_adding(connection.dialect.name, half_life), rows)


def _row(key: Key, sums: Sums, tick: int, half_life: float) -> dict[str, Any]:
    weight, faint = sums.liked + sums.disliked, ALONE if key[:2] == ("*", "pair") else FAINT
    lasts = half_life * math.log(weight / faint, 2) if weight > faint else 0.0
    named = dict(zip(("context", "kind", "family", "name"), key, strict=True))
    return {**named, **sums._asdict(), "tick": tick, "fades": tick + lasts}


@cache
def _adding(dialect: str, half_life: float) -> Any:
    """Add to a tally what is left of it and the change, in one statement: SQLite looks through the whole table for
    (a, b) IN ((…), (…)), and SQLAlchemy would compile a join with as many values each time."""
    statement: Any = insert_into(dialect, tallies)
    new, old = statement.excluded, tallies.c
    share = func.power(0.5, (new.tick - old.tick) / half_life)
    liked, disliked = (_undusted(old[name] * share + new[name]) for name in ("liked", "disliked"))
    weight = liked + disliked
    faint = case(((new.kind == "pair") & (new.context == "*"), ALONE), else_=FAINT)
    lasts = case((weight > faint, func.ln(weight / faint) * (half_life / math.log(2))), else_=0.0)
    changed = {
        "liked": liked,
        "disliked": disliked,
        "value": old.value * share + new.value,
        "rated": case((old.rated + new.rated > 0, old.rated + new.rated), else_=0),
        "stars": case((old.rated + new.rated > 0, old.stars + new.stars), else_=0.0),
        "tick": new.tick,
        "fades": new.tick + lasts,
    }
    return statement.on_conflict_do_update(index_elements=list(tallies.primary_key), set_=changed)


def _undusted(weight: Any) -> Any:
    """Without the dust that subtracting leaves."""
    return case((weight > DUST, weight), else_=0.0)


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
    return [(row[0], row[1]) for row in connection.execute(_RESETS_SINCE, {"since": tick})]


# --------------------------------------------------------------------------- counting


def next_tick(connection: Connection) -> int:
    bump(connection, "tick")
    return value(connection, "tick")


def bump(connection: Connection, key: str) -> None:
    connection.execute(_BUMP, {"which": key})


def value(connection: Connection, key: str) -> int:
    """The counter "tick" or "version"."""
    return int(connection.execute(_VALUE, {"which": key}).scalar_one())


def count(connection: Connection, *changes: tuple[str, str, float]) -> None:
    """Add to counters: (kind, name, by)."""
    rows = [{"kind": kind, "name": name, "count": by} for kind, name, by in changes if by]
    upsert(connection, counters, rows, adding="count")


# --------------------------------------------------------------------------- traits as text


def written(traits: Iterable[Trait]) -> str:
    """Traits as they lie beside a generation, so that a rating needs no plan: each with its contexts."""
    contexts: dict[tuple[str, str, str, float], list[str]] = {}
    for trait in traits:
        contexts.setdefault((trait.kind, trait.name, trait.family, trait.value), []).append(trait.context)
    return json.dumps([[*bare, where] for bare, where in contexts.items()], ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> list[Trait]:
    return [
        Trait(kind, name, family, context, number)
        for kind, name, family, number, contexts in json.loads(text)
        for context in contexts
    ]
