"""The record of downloads and of what the person agreed to: a SQLite file that any number of processes share."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import BadRequest
from ..offers import Offer, Ref
from ..values import from_json, to_json
from .database import Database
from .download import Download, State

TABLES = """CREATE TABLE downloads (
    id TEXT PRIMARY KEY, created REAL NOT NULL, state TEXT NOT NULL, record TEXT NOT NULL, offer TEXT NOT NULL);
    CREATE TABLE consents (ref TEXT PRIMARY KEY, given REAL NOT NULL)"""


class Ledger:
    """The records below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "downloads.sqlite", "1", TABLES)

    def all(self) -> tuple[Download, ...]:
        """Every download, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT record FROM downloads ORDER BY created, id").fetchall()
        return tuple(from_json(Download, record) for (record,) in rows)

    def find(self, download_id: str) -> Download | None:
        with self._database.reading() as connection:
            row = connection.execute("SELECT record FROM downloads WHERE id = ?", (download_id,)).fetchone()
        return from_json(Download, row[0]) if row else None

    def offer(self, download_id: str) -> Offer:
        """What the hub said of a download's model when it was queued."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT offer FROM downloads WHERE id = ?", (download_id,)).fetchone()
        if row is None:
            raise BadRequest("download_unknown", id=download_id)
        return from_json(Offer, row[0])

    def write(self, download: Download, offer: Offer) -> None:
        values = (download.id, download.created, download.state.value, to_json(download), to_json(offer))
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?)", values)

    def update(self, download_id: str, only_in: Collection[State] = tuple(State), **changes: Any) -> Download:
        """Change fields of a record in one transaction, if it is in one of these states; the record as it is then.
        Raises ``BadRequest`` when there is none."""
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
        with self._database.writing() as connection:
            connection.execute("DELETE FROM downloads WHERE id = ?", (download_id,))

    def consent(self, ref: Ref) -> None:
        """Note that the person wants this very file."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO consents VALUES (?, ?)", (str(ref), time.time()))

    def has_consent(self, ref: Ref) -> bool:
        with self._database.reading() as connection:
            return connection.execute("SELECT 1 FROM consents WHERE ref = ?", (str(ref),)).fetchone() is not None

    def close(self) -> None:
        self._database.close()
