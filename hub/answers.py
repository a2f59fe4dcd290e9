"""What hubs answered, so that nothing is asked twice while the answer is fresh, and so that what was learned is there
without a network. A cache in SQLite: it may be cleared at any time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeVar

from .database import Database, mending

FORMAT = "1"
TABLES = """CREATE TABLE answers (source TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    text TEXT, bytes INTEGER NOT NULL, asked REAL NOT NULL, used REAL NOT NULL, PRIMARY KEY (source, kind, key));
    CREATE INDEX answers_by_use ON answers (used, bytes)"""
DAY_S = 86_400.0
HOUR_S = 3600.0
ROW_BYTES = 150  # what a row costs beside its text
TRIM_SHARE = 50  # looked at again after each fiftieth of the limit is written

T = TypeVar("T")


class Asked(str, Enum):
    """The kinds of questions, and the preview images that are counted with them."""

    HASH = "hash"
    VERSION = "version"
    MODEL = "model"
    SEARCH = "search"
    PREVIEW = "preview"


class Answer(NamedTuple):
    """A hub's word as JSON, ``None`` for "not found", and when it was given (seconds since 1970)."""

    text: str | None
    asked: float


@dataclass(frozen=True)
class Size:
    count: int = 0
    bytes: int = 0


class Answers:
    """The answers in ``path``, at most ``cache_bytes`` of them and none that nobody used for ``cache_days``; the least
    recently used go first. Preview images lie in ``previews`` beside it and count too."""

    def __init__(self, path: Path, cache_bytes: int, cache_days: float, clock: Callable[[], float] = time.time) -> None:
        self.cache_bytes, self.cache_days, self.clock = cache_bytes, cache_days, clock
        self.previews = path.parent / "previews"
        self.database = Database(path, FORMAT, TABLES, "answers_damaged")
        self._untrimmed: float | None = None  # bytes written since the last look at the limits

    def get(self, source: str, kind: Asked, key: str) -> Answer | None:
        """What is stored, however old."""
        return self._do(lambda: self._get((source, kind.value, key)))

    def put(self, source: str, kind: Asked, key: str, text: str | None, size_bytes: int = 0) -> None:
        """Store an answer over the last one. ``size_bytes`` are those of a file that belongs to it."""
        size = ROW_BYTES + size_bytes + len((text or "").encode()) + len(key)
        self._do(lambda: self._put((source, kind.value, key), text, size))
        if self._untrimmed is None or self._untrimmed + size > self.cache_bytes / TRIM_SHARE:
            self.trim()
        else:
            self._untrimmed += size

    def trim(self) -> int:
        """Let go what is too old or too much; how many answers went."""
        self._untrimmed = 0
        return self._do(lambda: self._remove(self._surplus))

    def clear(self, kind: Asked | None = None, key: str | None = None) -> int:
        """Let go one answer, one kind, or all; how many went."""
        where = {"kind": kind and kind.value, "key": key}
        given = {name: value for name, value in where.items() if value is not None}
        query = " AND ".join(["1", *(f"{name} = ?" for name in given)])

        def chosen(connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
            return connection.execute(f"SELECT rowid, kind, key FROM answers WHERE {query}", (*given.values(),)).fetchall()

        return self._do(lambda: self._remove(chosen))

    def sizes(self) -> dict[Asked, Size]:
        """How many answers of each kind there are, and their bytes."""
        return self._do(self._sizes)

    def preview_path(self, key: str) -> Path:
        return self.previews / f"{key}.webp"

    def close(self) -> None:
        self.database.close()

    def _do(self, act: Callable[[], T]) -> T:
        return mending((self.database,), act)

    def _get(self, place: tuple[str, str, str]) -> Answer | None:
        now = self.clock()
        with self.database.reading() as connection:
            query = f"SELECT text, asked, used FROM answers WHERE {_PLACE}"
            row = connection.execute(query, place).fetchone()
            if row and row[2] < now - HOUR_S:  # to the hour is enough to know what is used least
                connection.execute(f"UPDATE answers SET used = ? WHERE {_PLACE}", (now, *place))
        return Answer(row[0], row[1]) if row else None

    def _put(self, place: tuple[str, str, str], text: str | None, size: int) -> None:
        now = self.clock()
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", (*place, text, size, now, now))

    def _sizes(self) -> dict[Asked, Size]:
        with self.database.reading() as connection:
            rows = connection.execute("SELECT kind, count(*), sum(bytes) FROM answers GROUP BY kind").fetchall()
        found = {kind: Size(count, size) for kind, count, size in rows}
        return {kind: found.get(kind.value, Size()) for kind in Asked}

    def _surplus(self, connection: sqlite3.Connection) -> list[tuple[int, str, str]]:
        oldest = self.clock() - self.cache_days * DAY_S
        left = self.cache_bytes
        gone = []
        for rowid, size, used in connection.execute("SELECT rowid, bytes, used FROM answers ORDER BY used DESC, rowid DESC"):
            left -= size
            if left < 0 or used < oldest:
                gone.append(rowid)
        query = "SELECT rowid, kind, key FROM answers WHERE rowid = ?"
        return [connection.execute(query, (rowid,)).fetchone() for rowid in gone]

    def _remove(self, choose: Callable[[sqlite3.Connection], list[tuple[int, str, str]]]) -> int:
        with self.database.writing() as connection:
            gone = choose(connection)
            connection.executemany("DELETE FROM answers WHERE rowid = ?", [row[:1] for row in gone])
        for _, kind, key in gone:
            if kind == Asked.PREVIEW:
                self.preview_path(key).unlink(missing_ok=True)
        return len(gone)


_PLACE = "source = ? AND kind = ? AND key = ?"
