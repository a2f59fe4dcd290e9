"""The files a registry keeps: SQLite, one connection per call, shared by threads and by ComfyUI processes.

What was read from the disk is a cache: another schema means it is rebuilt. What cannot be found again is
kept: its schema only grows, by steps. A damaged file is set aside under another name, never overwritten;
where nothing can be written, a temporary file serves this process.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import UserError
from ..wal import use_wal

BUSY_TIMEOUT_S = 20.0

T = TypeVar("T")


class Database:
    """A SQLite file with ``tables`` (``CREATE TABLE`` statements) made for ``schema``; another schema drops the
    content. ``notes`` collects what a person should know; ``damage`` is the sentence for a damaged file."""

    def __init__(self, path: Path, schema: str, tables: str, damage: str = "registry_damaged") -> None:
        self.path, self.schema, self.tables, self.damage = path, schema, tables, damage
        self.notes: list[UserError] = []
        self._ready = False
        self._lock = threading.Lock()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        # While one connection stays open, closing another costs no checkpoint.
        self._keeper: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection. Raises ``sqlite3.DatabaseError`` for a file damaged later on (see ``set_aside``)."""
        self._prepare()
        with closing(self._connect()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one transaction, rolled back when the block raises."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def damaged(self) -> bool:
        """Whether the file itself is broken, rather than locked, full or read-only."""
        try:
            with closing(self._connect()) as connection:
                return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        except sqlite3.OperationalError:
            return False
        except sqlite3.DatabaseError:
            return True

    def set_aside(self) -> None:
        """Rename the damaged file; the next call makes a new one."""
        with self._lock:
            self._set_aside()
            self._ready = False

    def close(self) -> None:
        """Let the file go; the next call opens it again."""
        with self._lock:
            self._let_go()
            self._ready = False

    def _let_go(self) -> None:
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _prepare(self) -> None:
        with self._lock:
            if self._ready and self.path.exists():
                return
            self._let_go()
            try:
                self._create()
            except sqlite3.OperationalError as fault:
                if "locked" in str(fault):  # someone else is writing: that passes
                    raise
                self._use_temporary()
            except sqlite3.DatabaseError:
                self._set_aside()
                self._create()
            except OSError:
                self._use_temporary()
            self._keeper = self._connect()
            self._ready = True

    def _create(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            use_wal(connection, BUSY_TIMEOUT_S)
            connection.execute("BEGIN IMMEDIATE")  # fails at once where nothing can be written
            held = self._schema_of(connection)
            if held != self.schema:
                self._migrate(connection, held)
            connection.execute("COMMIT")

    def _schema_of(self, connection: sqlite3.Connection) -> str | None:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return None
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        return str(row[0]) if row else None

    def _migrate(self, connection: sqlite3.Connection, _held: str | None) -> None:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            connection.execute(f'DROP TABLE "{name}"')
        _run(connection, self.tables)
        _make_meta(connection, self.schema)

    def _set_aside(self) -> None:
        self._let_go()
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        try:
            os.replace(self.path, kept)
        except FileNotFoundError:
            return  # another process was faster
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self.notes.append(UserError(self.damage, path=str(self.path), kept=str(kept)))

    def _use_temporary(self) -> None:
        self.notes.append(UserError("registry_not_writable", path=str(self.path)))
        self._temporary = tempfile.TemporaryDirectory(prefix="intelligent-generation-")
        self.path = Path(self._temporary.name) / self.path.name
        self._create()


def mending(databases: Sequence[Database], act: Callable[[], T]) -> T:
    """What ``act`` returns; a file found damaged is set aside and ``act`` tried again. Raises ``UserError`` where a
    file is held by another for long, or the disk is full."""
    try:
        return act()
    except sqlite3.OperationalError as fault:
        raise UserError("registry_unusable", path=str(databases[0].path), problem=str(fault)) from fault
    except sqlite3.DatabaseError:
        for database in databases:
            if database.damaged():
                database.set_aside()
        return act()


class KeptDatabase(Database):
    """A SQLite file whose content is never dropped. ``steps`` are the statements that lead from each schema to the
    next; they only add, so an older version of this pack can still use what a newer one made."""

    def __init__(self, path: Path, steps: Sequence[str], damage: str = "registry_damaged") -> None:
        super().__init__(path, str(len(steps)), ";".join(steps), damage)
        self.steps = tuple(steps)

    def _migrate(self, connection: sqlite3.Connection, held: str | None) -> None:
        if held is None:
            _make_meta(connection, "0")
        for number in range(int(held or 0), len(self.steps)):
            _run(connection, self.steps[number])
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(number + 1),))


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):  # executescript would end the transaction
        connection.execute(statement)


def _make_meta(connection: sqlite3.Connection, schema: str) -> None:
    connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value)")
    values = [("schema", schema), ("id", uuid.uuid4().hex[:8]), ("revision", 0), ("changes", 0)]
    connection.executemany("INSERT INTO meta VALUES (?, ?)", values)


def bump(connection: sqlite3.Connection, *counters: str) -> int:
    """Count a change: ``revision`` for what people see, ``changes`` for any. The last one's new value."""
    for counter in counters:
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = ?", (counter,))
    return int(connection.execute("SELECT value FROM meta WHERE key = ?", counters[-1:]).fetchone()[0])


def meta(connection: sqlite3.Connection) -> dict[str, Any]:
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())
