"""The record of downloads and of what the person agreed to: a SQLite file that any number of processes share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import BadRequest, UserError
from ..offers import Offer, Ref
from ..values import from_json, to_json
from .database import KeptDatabase, mending
from .download import Download, State

T = TypeVar("T")

TABLES = """CREATE TABLE downloads (
    id TEXT PRIMARY KEY, created REAL NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL, offer TEXT NOT NULL);
    CREATE TABLE consents (ref TEXT PRIMARY KEY, given REAL NOT NULL)"""


class Ledger:
    """The records below ``folder``. Every method raises ``UserError`` where the file is held by another for long, or
    the disk is full; a damaged file is set aside, which ``notes`` tell."""

    def __init__(self, folder: Path) -> None:
        self._database = KeptDatabase(folder / "downloads.sqlite", [TABLES], "downloads_damaged")

    @property
    def notes(self) -> tuple[UserError, ...]:
        return tuple(self._database.notes)

    def all(self) -> tuple[Download, ...]:
        """Every download, the oldest first."""
        return tuple(
            from_json(Download, record) for (record,) in self._rows("SELECT record FROM downloads ORDER BY created, id")
        )

    def find(self, download_id: str) -> Download | None:
        rows = self._rows("SELECT record FROM downloads WHERE id = ?", download_id)
        return from_json(Download, rows[0][0]) if rows else None

    def offer(self, download_id: str) -> Offer:
        """What the hub said of a download's model when it was queued. Raises ``BadRequest`` when there is none."""
        rows = self._rows("SELECT offer FROM downloads WHERE id = ?", download_id)
        if not rows:
            raise BadRequest("download_unknown", id=download_id)
        return from_json(Offer, rows[0][0])

    def write(self, download: Download, offer: Offer) -> None:
        values = (download.id, download.created, download.state.value, to_json(download), to_json(offer))
        self._write("INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?)", *values)

    def update(self, download_id: str, only_in: Collection[State] = tuple(State), **changes: Any) -> Download:
        """Change fields of a record in one transaction, if it is in one of these states; the record as it is then.
        Raises ``BadRequest`` when there is none."""
        return self._mending(lambda: self._update(download_id, only_in, changes))

    def _update(self, download_id: str, only_in: Collection[State], changes: dict[str, Any]) -> Download:
        with self._database.writing() as connection:
            row = connection.execute("SELECT record FROM downloads WHERE id = ?", (download_id,)).fetchone()
            if row is None:
                raise BadRequest("download_unknown", id=download_id)
            download = from_json(Download, row[0])
            if download.state in only_in:
                download = replace(download, **changes)
                values = (download.state.value, to_json(download), download_id)
                connection.execute("UPDATE downloads SET state = ?, record = ? WHERE id = ?", values)
        return download

    def delete(self, download_id: str) -> None:
        self._write("DELETE FROM downloads WHERE id = ?", download_id)

    def consent(self, ref: Ref) -> None:
        """Note that the person wants this very file."""
        self._write("INSERT OR REPLACE INTO consents VALUES (?, ?)", str(ref), time.time())

    def has_consent(self, ref: Ref) -> bool:
        return bool(self._rows("SELECT 1 FROM consents WHERE ref = ?", str(ref)))

    def close(self) -> None:
        self._database.close()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        def read() -> list[tuple[Any, ...]]:
            with self._database.reading() as connection:
                return connection.execute(query, values).fetchall()

        return self._mending(read)

    def _write(self, query: str, *values: object) -> None:
        def write() -> None:
            with self._database.writing() as connection:
                connection.execute(query, values)

        self._mending(write)

    def _mending(self, act: Callable[[], T]) -> T:
        return mending((self._database,), act)
