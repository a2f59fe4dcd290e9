"""Batches and their items in the database's tables, on an open connection."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ..errors import BadRequest
from ..feedback import MOST_ID, Batch, Item, ItemState, Strategy, Variation
from ..plan import Reason
from ..values import from_json, refuse, to_json
from .plans import plan_text
from .tables import batch_items, batches


def ids(connection: Connection) -> list[str]:
    """In the order the batches were begun."""
    return [row.id for row in connection.execute(select(batches.c.id).order_by(batches.c.seq))]


def checked(batch: Batch) -> Batch:
    """Raises ``BadRequest`` for an id too long or short, items out of their places, and a winner that is none of them."""
    refuse([] if 0 < len(batch.id) <= MOST_ID else [f"id (1–{MOST_ID})"])
    refuse([] if [item.place for item in batch.items] == list(range(len(batch.items))) else ["items"])
    refuse([] if batch.winner is None or 0 <= batch.winner < len(batch.items) else ["winner"])
    return batch


def take(connection: Connection, batch: Batch) -> bool:
    """Take a batch in from elsewhere, with what became of its items; of one that is here already, what is not done here.
    Whether anything was new. Raises ``BadRequest``."""
    here = find(connection, checked(batch).id)
    if here is None:
        start(connection, batch)
        return True
    open_here = {item.place for item in here.items if item.state is not ItemState.DONE}
    done = [item for item in batch.items if item.state is ItemState.DONE and item.place in open_here]
    for item in done:
        report(connection, batch.id, item.place, _result_of(item))
    if unpicked := here.winner is None and batch.winner is not None:
        pick(connection, batch.id, batch.winner or 0)
    return bool(done) or unpicked


def start(connection: Connection, batch: Batch) -> Batch:
    if found := find(connection, batch.id):
        return found
    row = {"id": batch.id, "at": batch.at, "prompt": batch.prompt, "strategy": batch.strategy.value}
    reasons = json.dumps([json.loads(to_json(reason)) for reason in batch.reasons], ensure_ascii=False)
    connection.execute(insert(batches).values(**row, seconds=batch.seconds, winner=batch.winner, reasons=reasons))
    if batch.items:
        connection.execute(insert(batch_items), [_row_of(batch.id, item) for item in batch.items])
    return known(connection, batch.id)


def _row_of(id: str, item: Item) -> dict[str, Any]:
    return {"batch": id, "place": item.place, "variation": plan_text(item.variation), **_result_of(item)}


def _result_of(item: Item) -> dict[str, Any]:
    return result(item.state, item.machine, item.generation_id, item.pictures, item.error)


def result(
    state: ItemState, machine: str, generation_id: str = "", pictures: tuple[str, ...] = (), error: str = ""
) -> dict[str, Any]:
    """What became of an item, as columns."""
    return {
        "state": state.value,
        "generation": generation_id,
        "pictures": json.dumps(pictures),
        "machine": machine,
        "error": error,
    }


def report(connection: Connection, id: str, place: int, became: dict[str, Any]) -> bool:
    """Record a ``result``, unless the item is done; whether it was recorded. Raises ``BadRequest``."""
    mine = (batch_items.c.batch == id) & (batch_items.c.place == place)
    open_one = mine & (batch_items.c.state != ItemState.DONE.value)
    if connection.execute(update(batch_items).where(open_one).values(**became)).rowcount:
        return True
    if connection.execute(select(batch_items.c.place).where(mine)).first() is None:
        raise _missing(connection, id, place)
    return False


def drop_older(connection: Connection, oldest: float) -> None:
    """Drop the batches begun before ``oldest`` (seconds since the epoch); their pictures stay."""
    old = select(batches.c.id).where(batches.c.at < oldest)
    connection.execute(delete(batch_items).where(batch_items.c.batch.in_(old)))
    connection.execute(delete(batches).where(batches.c.at < oldest))


def pick(connection: Connection, id: str, place: int) -> Batch:
    batch = known(connection, id)
    if not 0 <= place < len(batch.items):
        raise _missing(connection, id, place)
    connection.execute(update(batches).where(batches.c.id == id).values(winner=place))
    return known(connection, id)


def _missing(connection: Connection, id: str, place: int) -> BadRequest:
    last = len(known(connection, id).items) - 1
    return BadRequest("batch_item_unknown", id=id, place=place, last=last)


def known(connection: Connection, id: str) -> Batch:
    if found := find(connection, id):
        return found
    raise BadRequest("batch_unknown", id=id[:MOST_ID])


def find(connection: Connection, id: str) -> Batch | None:
    row = connection.execute(select(batches).where(batches.c.id == id)).first()
    return read(connection, row) if row else None


def read(connection: Connection, row: Row[Any]) -> Batch:
    asked = select(batch_items).where(batch_items.c.batch == row.id).order_by(batch_items.c.place)
    items = tuple(_item(each) for each in connection.execute(asked))
    reasons = tuple(from_json(Reason, json.dumps(reason)) for reason in json.loads(row.reasons))
    return Batch(row.id, row.prompt, Strategy(row.strategy), items, row.seconds, row.winner, row.at, reasons)


def _item(row: Row[Any]) -> Item:
    return Item(
        row.place,
        from_json(Variation, row.variation),
        ItemState(row.state),
        row.generation,
        tuple(json.loads(row.pictures)),
        row.machine,
        row.error,
    )
