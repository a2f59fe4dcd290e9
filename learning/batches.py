"""What was asked for together, and what became of each of it: every item ends with one recorded result, whoever reports
it and however often."""

from __future__ import annotations

from sqlalchemy import select

from ..feedback import Batch, Item, ItemState
from . import batch_rows
from .store import Store
from .tables import batches

MOST_ERROR = 2000  # characters


class Batches:
    """The batches in a store's database. Every method raises as the store's do, and ``BadRequest`` for a batch, or an
    item, that is not there."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def start(self, batch: Batch) -> Batch:
        """Write a batch down; one that is there already is returned as it stands."""
        batch_rows.checked(batch)
        return self._database.write(lambda connection: batch_rows.start(connection, batch))

    def find(self, id: str) -> Batch | None:
        return self._database.read(lambda connection: batch_rows.find(connection, id))

    def recent(self, limit: int) -> list[Batch]:
        """Newest first."""
        asked = select(batches).order_by(batches.c.seq.desc()).limit(limit)
        return self._database.read(
            lambda connection: [batch_rows.read(connection, row) for row in connection.execute(asked).all()]
        )

    def waiting(self, id: str) -> tuple[Item, ...]:
        """The items nothing was reported of, in their order."""
        batch = self._database.read(lambda connection: batch_rows.known(connection, id))
        return tuple(item for item in batch.items if item.state is ItemState.WAITING)

    def done(self, id: str, place: int, generation_id: str, pictures: tuple[str, ...], machine: str) -> bool:
        """Record an item's result. True for the first one alone; one that failed may still be done."""
        result = batch_rows.result(ItemState.DONE, machine, generation_id, pictures)
        return self._database.write(lambda connection: batch_rows.report(connection, id, place, result))

    def failed(self, id: str, place: int, error: str, machine: str) -> bool:
        """Record why an item failed, unless it is done; whether it was recorded."""
        result = batch_rows.result(ItemState.FAILED, machine, error=error[:MOST_ERROR])
        return self._database.write(lambda connection: batch_rows.report(connection, id, place, result))

    def pick(self, id: str, place: int) -> Batch:
        """Record the winner."""
        return self._database.write(lambda connection: batch_rows.pick(connection, id, place))
