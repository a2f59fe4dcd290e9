"""What the store knows: each question one or a few indexed queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from ..feedback import Action, Change, Glimpse, Made, Rating, Recorded, Relation, Session, Standing, Tally
from ..plan import Generation
from .plans import plan_in
from .tables import actions, feedback, generations, parameter_changes, runs, sessions, tallies
from .tallying import decay, value
from .telling import rating_in

MOST_RECENT = 1000  # at once

Run = tuple[str, float, int, str, "int | None", int]  # workload, seconds, steps, family, peak and estimated bytes


# --------------------------------------------------------------------------- tallies


def tallies_in(connection: Connection, half_life: float, contexts: Sequence[str]) -> list[Tally]:
    """All evidence in these contexts that still counts for anything, as it counts now."""
    return _tallies(connection, half_life, tallies.c.context.in_(list(contexts)))


def tallies_of(connection: Connection, half_life: float, kinds: Sequence[str], contexts: Sequence[str] | None) -> list[Tally]:
    """All evidence of these kinds (none = all) in these contexts (``None`` = anywhere and by style)."""
    if contexts is None:
        everywhere = tallies.c.context == "*"
        where: Any = everywhere | tallies.c.context.startswith("style:")
    else:
        where = tallies.c.context.in_(list(contexts))
    return _tallies(connection, half_life, and_(where, tallies.c.kind.in_(list(kinds))) if kinds else where)


def _tallies(connection: Connection, half_life: float, where: ColumnElement[bool]) -> list[Tally]:
    tick = value(connection, "tick")
    names = ("kind", "name", "family", "context", "liked", "disliked", "value", "rated", "stars", "tick")
    asked = select(*(tallies.c[name] for name in names)).where(where, tallies.c.fades > tick)
    found = []
    for kind, name, family, context, liked, disliked, total, rated, stars, since in connection.execute(asked).all():
        share = decay(tick - since, half_life)
        mean, given = total / liked if liked else 0.0, stars / rated if rated else None
        found.append(Tally(kind, name, family, context, liked * share, disliked * share, mean, given, rated))
    return found


# --------------------------------------------------------------------------- generations


def find(connection: Connection, id: str) -> Recorded | None:
    row = connection.execute(select(generations).where(generations.c.id == id)).first()
    return recorded(connection, [row])[0] if row else None


def recent(connection: Connection, limit: int, before: str | None) -> list[Recorded]:
    """Generations in the order they came, newest first, ``MOST_RECENT`` at most; ``before`` is the id of the last one
    seen."""
    asked = select(generations).order_by(generations.c.seq.desc()).limit(max(0, min(limit, MOST_RECENT)))
    if before is not None:
        last = select(generations.c.seq).where(generations.c.id == before).scalar_subquery()
        asked = asked.where(generations.c.seq < last)
    return recorded(connection, list(connection.execute(asked)))


def recorded(connection: Connection, rows: Sequence[Row[Any]]) -> list[Recorded]:
    seqs = [row.seq for row in rows]
    made, run = changes_of(connection, seqs), _latest_runs(connection, seqs)
    ratings, acted = _ratings(connection, seqs), _actions(connection, seqs)
    return [
        Recorded(
            row.id,
            row.at,
            row.machine,
            _made(row, made.get(row.seq, ())),
            *run.get(row.seq, (None, None, ())),
            Standing(ratings.get(row.seq), acted.get(row.seq, frozenset())),
        )
        for row in rows
    ]


def _made(row: Row[Any], changes: tuple[Change, ...]) -> Made:
    generation = Generation(plan_in(row.plan), None if row.seed is None else int(row.seed), row.id)
    relation = Relation(row.relation)
    return Made(generation, row.session, row.lineage, relation, row.parent, changes, row.batch, row.place)


def changes_of(connection: Connection, seqs: Sequence[int]) -> dict[int, tuple[Change, ...]]:
    mine = parameter_changes.c.generation.in_(seqs)
    asked = select(parameter_changes).where(mine).order_by(parameter_changes.c.generation, parameter_changes.c.place)
    found: dict[int, tuple[Change, ...]] = {}
    for row in connection.execute(asked):
        change = Change(row.parameter, row.proposed, row.used, row.subject)
        found[row.generation] = (*found.get(row.generation, ()), change)
    return found


def _latest_runs(connection: Connection, seqs: Sequence[int]) -> dict[int, tuple[float | None, int | None, tuple[str, ...]]]:
    """The latest that is known of each: a run served from a cache measures nothing."""
    found: dict[int, tuple[float | None, int | None, tuple[str, ...]]] = {}
    for row in connection.execute(select(runs).where(runs.c.generation.in_(seqs)).order_by(runs.c.seq)):
        seconds, peak, pictures = found.get(row.generation, (None, None, ()))
        seconds = seconds if row.seconds is None else row.seconds
        peak = peak if row.peak_bytes is None else row.peak_bytes
        found[row.generation] = seconds, peak, tuple(json.loads(row.pictures)) or pictures
    return found


def _ratings(connection: Connection, seqs: Sequence[int]) -> dict[int, Rating | None]:
    asked = select(feedback).where(feedback.c.generation.in_(seqs)).order_by(feedback.c.seq)
    return {row.generation: rating_in(row) for row in connection.execute(asked)}


def _actions(connection: Connection, seqs: Sequence[int]) -> dict[int, frozenset[Action]]:
    found: dict[int, frozenset[Action]] = {}
    for row in connection.execute(select(actions).where(actions.c.generation.in_(seqs)).order_by(actions.c.seq)):
        held, action = found.get(row.generation, frozenset()), Action(row.action)
        found[row.generation] = held - {action} if row.undone else held | {action}
    return found


# --------------------------------------------------------------------------- what came before


def latest(connection: Connection, machine: str, limit: int) -> list[Glimpse]:
    """The machine's latest generations, newest first."""
    names = ("seq", "id", "at", "session", "lineage", "prompt", "relation", "stars", "batch")
    asked = select(*(generations.c[name] for name in names)).where(generations.c.machine == machine)
    rows = list(connection.execute(asked.order_by(generations.c.seq.desc()).limit(limit)))
    acted = _actions(connection, [row.seq for row in rows])
    rated = {seq for seq, rating in _ratings(connection, [row.seq for row in rows]).items() if rating}
    return [
        Glimpse(
            row.id,
            row.at,
            row.session,
            row.lineage,
            row.prompt,
            Relation(row.relation),
            acted.get(row.seq, frozenset()),
            row.seq in rated,
            row.batch,
        )
        for row in rows
    ]


def measured(connection: Connection, machine: str, limit: int) -> list[Run]:
    """The machine's latest timed runs, newest first."""
    asked = (
        select(
            runs.c.workload,
            runs.c.seconds,
            generations.c.steps,
            generations.c.family,
            runs.c.peak_bytes,
            generations.c.estimated_bytes,
        )
        .join(generations, generations.c.seq == runs.c.generation)
        .where(runs.c.machine == machine, runs.c.seconds.is_not(None))
        .order_by(runs.c.seq.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in connection.execute(asked)]


def session(connection: Connection, id: str) -> Session | None:
    row = connection.execute(select(sessions).where(sessions.c.id == id)).first()
    return session_in(row) if row else None


def session_in(row: Row[Any]) -> Session:
    stars = row.stars / row.rated if row.rated else None
    return Session(row.id, row.started, row.ended, row.generations, row.lineages, row.rated, stars)
