"""What the store counted: all in all from its counters, in one session from that session's rows."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Select, func, select

from ..feedback import Overview, Session
from .asking import session, session_in
from .tables import actions, counters, generations, parameter_changes, runs, sessions
from .telling import round_stars

MOST_SESSIONS = 50
MOST_CHANGES = 50
MOST_RUNS = 200


def overview(connection: Connection) -> Overview:
    """All in all."""
    counts = {(row[0], row[1]): float(row[2]) for row in connection.execute(_few_counters())}
    rated = round(counts.get(("rated", ""), 0))
    latest = select(sessions).order_by(sessions.c.latest.desc()).limit(MOST_SESSIONS)
    return Overview(
        generations=round(counts.get(("generations", ""), 0)),
        rated=rated,
        stars=counts.get(("stars_sum", ""), 0.0) / rated if rated else None,
        stars_given=_five({int(name): count for (kind, name), count in counts.items() if kind == "stars"}),
        actions={name: round(count) for (kind, name), count in counts.items() if kind == "action" and count > 0},
        changes=_frequent_changes(connection),
        sessions=tuple(session_in(row) for row in connection.execute(latest)),
        runs=_runs(connection, _latest_runs()),
    )


def _few_counters() -> Select[Any]:
    columns = (counters.c.kind, counters.c.name, counters.c.count)
    return select(*columns).where(counters.c.kind.in_(["generations", "rated", "stars_sum", "stars", "action"]))


def _frequent_changes(connection: Connection) -> tuple[tuple[str, str, str, str, int], ...]:
    changed = select(counters.c.name, counters.c.count).where(counters.c.kind == "change")
    rows = connection.execute(changed.order_by(counters.c.count.desc(), counters.c.name).limit(MOST_CHANGES))
    named = ((*json.loads(row[0]), round(row[1])) for row in rows)
    return tuple((parameter, subject, old, new, times) for parameter, subject, old, new, times in named)


def _five(counts: dict[int, float]) -> tuple[int, int, int, int, int]:
    one, two, three, four, five = (round(counts.get(stars, 0)) for stars in range(1, 6))
    return one, two, three, four, five


def _latest_runs() -> Select[Any]:
    asked = select(generations.c.family, runs.c.seconds, runs.c.peak_bytes)
    asked = asked.join(generations, generations.c.seq == runs.c.generation).where(runs.c.seconds.is_not(None))
    return asked.order_by(runs.c.seq.desc()).limit(MOST_RUNS)


def _runs(connection: Connection, asked: Select[Any]) -> tuple[tuple[str, float, int | None], ...]:
    return tuple((row[0], row[1], row[2]) for row in connection.execute(asked))


# --------------------------------------------------------------------------- one session


def overview_of(connection: Connection, id: str) -> Overview:
    """In one session; an unknown one is empty."""
    found = session(connection, id)
    if found is None:
        return Overview()
    return Overview(
        generations=found.generations,
        rated=found.rated,
        stars=found.stars,
        stars_given=_stars_of(connection, found),
        actions=_actions_of(connection, found),
        changes=_changes_of(connection, found),
        sessions=(found,),
        runs=_runs(connection, _latest_runs().where(generations.c.session == id)),
    )


def _stars_of(connection: Connection, found: Session) -> tuple[int, int, int, int, int]:
    given: dict[int, float] = {}
    asked = select(generations.c.stars).where(generations.c.session == found.id, generations.c.stars.is_not(None))
    for stars in connection.scalars(asked):
        given[round_stars(stars or 0.0)] = given.get(round_stars(stars or 0.0), 0) + 1
    return _five(given)


def _actions_of(connection: Connection, found: Session) -> dict[str, int]:
    mine = select(generations.c.seq).where(generations.c.session == found.id)
    latest = select(func.max(actions.c.seq)).where(actions.c.generation.in_(mine))
    latest = latest.group_by(actions.c.generation, actions.c.action)
    asked = select(actions.c.action, func.count()).where(actions.c.seq.in_(latest), actions.c.undone.is_(False))
    return {row[0]: row[1] for row in connection.execute(asked.group_by(actions.c.action))}


def _changes_of(connection: Connection, found: Session) -> tuple[tuple[str, str, str, str, int], ...]:
    columns = [parameter_changes.c[name] for name in ("parameter", "subject", "proposed", "used")]
    mine = select(generations.c.seq).where(generations.c.session == found.id)
    times = func.count()
    asked = select(*columns, times).where(parameter_changes.c.generation.in_(mine)).group_by(*columns)
    rows = connection.execute(asked.order_by(times.desc(), *columns).limit(MOST_CHANGES))
    return tuple((row[0], row[1], row[2], row[3], row[4]) for row in rows)
