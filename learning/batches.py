"""What was asked for together, and what became of each of it: every item ends with one recorded result, whoever reports
it and however often."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ..errors import BadRequest
from ..feedback import MOST_ID, Batch, Item, ItemState, Strategy, Variation
from ..values import from_json, refuse
from .plans import plan_text
from .store import Store
from .tables import batch_items, batches

MOST_ERROR = 2000  # characters


class Batches:
    """The batches in a store's database. Every method raises as the store's do, and ``BadRequest`` for a batch, or an
    item, that is not there."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def start(self, batch: Batch) -> Batch:
        """Write a batch down; one that is there already is returned as it stands."""
        refuse([] if 0 < len(batch.id) <= MOST_ID else [f"id (1–{MOST_ID})"])
        refuse([] if [item.place for item in batch.items] == list(range(len(batch.items))) else ["items"])
        return self._database.write(lambda connection: _start(connection, batch))

    def find(self, id: str) -> Batch | None:
        return self._database.read(lambda connection: _find(connection, id))

    def recent(self, limit: int) -> list[Batch]:
        """Newest first."""
        asked = select(batches).order_by(batches.c.seq.desc()).limit(limit)
        return self._database.read(lambda connection: [_read(connection, row) for row in connection.execute(asked).all()])

    def waiting(self, id: str) -> tuple[Item, ...]:
        """The items nothing was reported of, in their order."""
        batch = self._database.read(lambda connection: _known(connection, id))
        return tuple(item for item in batch.items if item.state is ItemState.WAITING)

    def done(self, id: str, place: int, generation_id: str, pictures: tuple[str, ...], machine: str) -> bool:
        """Record an item's result. True for the first one alone; one that failed may still be done."""
        result = {
            "state": ItemState.DONE.value,
            "generation": generation_id,
            "pictures": json.dumps(pictures),
            "machine": machine,
            "error": "",
        }
        return self._database.write(lambda connection: _report(connection, id, place, result))

    def failed(self, id: str, place: int, error: str, machine: str) -> bool:
        """Record why an item failed, unless it is done; whether it was recorded."""
        result = {"state": ItemState.FAILED.value, "machine": machine, "error": error[:MOST_ERROR]}
        return self._database.write(lambda connection: _report(connection, id, place, result))

    def pick(self, id: str, place: int) -> Batch:
        """Record the winner."""
        return self._database.write(lambda connection: _pick(connection, id, place))


def _start(connection: Connection, batch: Batch) -> Batch:
    if found := _find(connection, batch.id):
        return found
    row = {"id": batch.id, "at": batch.at, "prompt": batch.prompt, "strategy": batch.strategy.value}
    connection.execute(insert(batches).values(**row, seconds=batch.seconds, winner=batch.winner))
    if batch.items:
        connection.execute(insert(batch_items), [_row_of(batch.id, item) for item in batch.items])
    return _known(connection, batch.id)


def _row_of(id: str, item: Item) -> dict[str, Any]:
    return {
        "batch": id,
        "place": item.place,
        "variation": plan_text(item.variation),
        "state": item.state.value,
        "generation": item.generation_id,
        "pictures": json.dumps(item.pictures),
        "machine": item.machine,
        "error": item.error,
    }


def _report(connection: Connection, id: str, place: int, result: dict[str, Any]) -> bool:
    mine = (batch_items.c.batch == id) & (batch_items.c.place == place)
    open_one = mine & (batch_items.c.state != ItemState.DONE.value)
    if connection.execute(update(batch_items).where(open_one).values(**result)).rowcount:
        return True
    if connection.execute(select(batch_items.c.place).where(mine)).first() is None:
        raise _missing(connection, id, place)
    return False


def _pick(connection: Connection, id: str, place: int) -> Batch:
    batch = _known(connection, id)
    if not 0 <= place < len(batch.items):
        raise _missing(connection, id, place)
    connection.execute(update(batches).where(batches.c.id == id).values(winner=place))
    return _known(connection, id)


def _missing(connection: Connection, id: str, place: int) -> BadRequest:
    last = len(_known(connection, id).items) - 1
    return BadRequest("batch_item_unknown", id=id, place=place, last=last)


def _known(connection: Connection, id: str) -> Batch:
    if found := _find(connection, id):
        return found
    raise BadRequest("batch_unknown", id=id[:MOST_ID])


def _find(connection: Connection, id: str) -> Batch | None:
    row = connection.execute(select(batches).where(batches.c.id == id)).first()
    return _read(connection, row) if row else None


def _read(connection: Connection, row: Row[Any]) -> Batch:
    asked = select(batch_items).where(batch_items.c.batch == row.id).order_by(batch_items.c.place)
    items = tuple(_item(each) for each in connection.execute(asked))
    return Batch(row.id, row.prompt, Strategy(row.strategy), items, row.seconds, row.winner, row.at)


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
