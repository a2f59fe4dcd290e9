"""Everything out as JSON lines and in again; what is kept only so long; erasing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, select, update

from ..errors import BadRequest
from ..feedback import Batch, Event, Rules
from ..values import from_json, to_json
from . import batch_rows
from .asking import changes_of
from .tables import actions, events, feedback, generation_loras, generations, meta, metadata, parameter_changes, resets, runs
from .tallying import bump
from .telling import tell

AT_ONCE = 200  # events of one transaction, or read at a time
MOST_LINE = 16_000_000  # characters; a plan has some ten thousand, a batch up to a hundred plans
BATCH = "batch"  # the one key of a line that is a batch


def export(connection: Connection, write: Callable[[str], Any]) -> None:
    """Every event as one line, in the order they came, then every batch: told to an empty store, they add up to the
    same."""
    last = -1
    while rows := list(connection.execute(_next_events(last))):
        facts = _facts(connection, rows[0].seq, rows[-1].seq)
        for row in rows:
            if row.seq in facts:  # else it was dropped for its age
                line = {"id": row.id, "at": row.at, "machine": row.machine, "fact": facts[row.seq]}
                write(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        last = rows[-1].seq
    for id in batch_rows.ids(connection):
        batch = json.loads(to_json(batch_rows.known(connection, id)))
        write(json.dumps({BATCH: batch}, ensure_ascii=False, separators=(",", ":")))


def _next_events(after: int) -> Select[Any]:
    return select(events).where(events.c.seq > after).order_by(events.c.seq).limit(AT_ONCE)


def _facts(connection: Connection, first: int, last: int) -> dict[int, dict[str, Any]]:
    """The facts of these events as JSON has them; plans are passed on as they are, whatever version wrote them."""
    facts: dict[int, dict[str, Any]] = {}
    made = list(connection.execute(select(generations).where(generations.c.seq.between(first, last))))
    changes = changes_of(connection, [row.seq for row in made])
    for row in made:
        facts[row.seq] = _made(row, [vars(change) for change in changes.get(row.seq, ())])
    for table, fact in ((runs, _finished), (feedback, _rated), (actions, _acted)):
        for row in connection.execute(_with_id(table, first, last)):
            facts[row.seq] = fact(row)
    for row in connection.execute(select(resets).where(resets.c.seq.between(first, last))):
        facts[row.seq] = {"what": row.what, "name": row.name, "kind": "forgot"}
    return facts


def _with_id(table: Table, first: int, last: int) -> Select[Any]:
    joined = select(table, generations.c.id).join(generations, generations.c.seq == table.c.generation)
    return joined.where(table.c.seq.between(first, last))


def _made(row: Row[Any], changes: list[dict[str, Any]]) -> dict[str, Any]:
    seed = None if row.seed is None else int(row.seed)
    return {
        "generation": {"plan": json.loads(row.plan), "seed": seed, "id": row.id},
        "session": row.session,
        "lineage": row.lineage,
        "relation": row.relation,
        "parent": row.parent,
        "changes": changes,
        "batch": row.batch,
        "place": row.place,
        "kind": "made",
    }


def _finished(row: Row[Any]) -> dict[str, Any]:
    return {
        "generation_id": row.id,
        "seconds": row.seconds,
        "peak_bytes": row.peak_bytes,
        "pictures": json.loads(row.pictures),
        "workload": row.workload,
        "kind": "finished",
    }


def _rated(row: Row[Any]) -> dict[str, Any]:
    stars = {name: getattr(row, name) for name in ("overall", "quality", "accuracy", "aesthetic")}
    rating = {**stars, "comment": row.comment, "tags": json.loads(row.tags)}
    return {"generation_id": row.id, "rating": None if row.taken_back else rating, "kind": "rated"}


def _acted(row: Row[Any]) -> dict[str, Any]:
    return {"generation_id": row.id, "action": row.action, "undone": row.undone, "kind": "acted"}


# --------------------------------------------------------------------------- in


Numbered = tuple[int, "Event | Batch | None"]


def parsed(lines: Iterable[str]) -> Iterator[list[Numbered]]:
    """Events and batches with the numbers of their lines, from 1, some at a time; ``None`` for lines that are neither."""
    numbered = ((number, _read(line)) for number, line in enumerate(lines, 1) if line.strip())
    while some := list(islice(numbered, AT_ONCE)):
        yield some


def _read(line: str) -> Event | Batch | None:
    if len(line) > MOST_LINE:
        return None
    try:
        if line.lstrip().startswith(f'{{"{BATCH}":'):
            return from_json(Batch, json.dumps(json.loads(line)[BATCH]))
        return from_json(Event, line)
    except (BadRequest, ValueError, RecursionError):
        return None


def tell_all(connection: Connection, rules: Rules, some: list[Numbered]) -> tuple[int, int, list[int]]:
    """How many were new, how many known, and the numbers of lines that could not be told."""
    new, known = 0, 0
    faulty: list[int] = []
    for number, told in some:
        try:
            is_new = _take(connection, rules, told)
        except BadRequest:
            is_new = None
        if is_new is None:
            faulty.append(number)
        elif is_new:
            new += 1
        else:
            known += 1
    return new, known, faulty


def _take(connection: Connection, rules: Rules, told: Event | Batch | None) -> bool | None:
    """Whether it was new; ``None`` for nothing."""
    if told is None:
        return None
    return batch_rows.take(connection, told) if isinstance(told, Batch) else tell(connection, rules, told)


# --------------------------------------------------------------------------- out of sight


def drop_older(connection: Connection, oldest: float) -> int:
    """Drop generations from before ``oldest`` (seconds since the epoch) with all that was said of them, and batches; what was
    learned stays, and so do the events' ids: an old export counts nothing twice. How many were dropped."""
    old = select(generations.c.seq).where(generations.c.at < oldest)
    batch_rows.drop_older(connection, oldest)
    for table in (generation_loras, parameter_changes, runs, feedback, actions):
        connection.execute(delete(table).where(table.c.generation.in_(old)))
    return connection.execute(delete(generations).where(generations.c.at < oldest)).rowcount


def erase(connection: Connection) -> None:
    """Everything but the version, which changes: plans made with what was known are stale."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")  # this writer's: zeroes what it frees
    for table in metadata.sorted_tables:
        if table is not meta:
            connection.execute(delete(table))
    connection.execute(update(meta).where(meta.c.key == "tick").values(value=0))
    bump(connection, "version")
