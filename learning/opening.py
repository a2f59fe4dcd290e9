"""The way to the database: a SQLite file, or PostgreSQL by its URL. One writer at a time on either, so that what is
told has one order; a damaged file is set aside under another name; whatever keeps the database from answering becomes a
sentence."""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from ..errors import BadRequest, Unreachable, UserError
from ..wal import use_wal
from .migrating import upgrade

PATIENCE_S = 20.0
CONNECT_TIMEOUT_S = 3
WRITERS = 4_711_001  # the key of PostgreSQL's advisory lock; any number nobody else uses

T = TypeVar("T")


class Database:
    """Opened with the first question. ``patience_s`` is how long to wait for others that write; ``notes`` collects what a
    person should know."""

    def __init__(self, where: Path | str, patience_s: float = PATIENCE_S) -> None:
        self.url = _url(where)
        self.patience_s = patience_s
        self.notes: list[UserError] = []
        self._opening = threading.Lock()
        # SQLite's waiting is a lottery; threads of one process queue up here instead.
        self._writing = threading.Lock()
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None

    @property
    def path(self) -> Path | None:
        """The SQLite file."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    @property
    def shown(self) -> str:
        """The database as a person may see it: without password."""
        return str(self.path or self.url.set(query={}).render_as_string(hide_password=True))

    def read(self, act: Callable[[Connection], T]) -> T:
        """``act`` within one snapshot. Raises ``Unreachable``."""
        return self._mending(lambda: self._run(act, writing=False))

    def write(self, act: Callable[[Connection], T]) -> T:
        """``act`` within one transaction, alone among all writers, and rolled back when it raises. Raises ``Unreachable``."""
        return self._mending(lambda: self._run_alone(act))

    def shrink(self) -> None:
        """Leave nothing of what was deleted in a SQLite file or its write-ahead log, as far as others let us."""
        if self.path is None:
            return
        # Someone may be reading: the next checkpoint will do.
        with self._writing, suppress(sqlite3.OperationalError), closing(_connect(self.path, self.patience_s)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let the database go; the next question opens it again."""
        with self._opening:
            self._let_go()

    # ----------------------------------------------------------------------- transactions

    def _run_alone(self, act: Callable[[Connection], T]) -> T:
        if self.path is None:
            return self._run(act, writing=True)
        with self._writing:
            return self._run(act, writing=True)

    def _run(self, act: Callable[[Connection], T], writing: bool) -> T:
        options: dict[str, Any] = {"writing": writing}
        if not writing and self.path is None:
            options["isolation_level"] = "REPEATABLE READ"
        with self._opened().execution_options(**options).begin() as connection:
            if writing and self.path is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITERS})
            return act(connection)

    def _mending(self, attempt: Callable[[], T]) -> T:
        with self._plainly():
            try:
                return attempt()
            except (DatabaseError, sqlite3.DatabaseError) as fault:
                if not self._is_damage(fault):
                    raise
                self._set_aside_damaged()
            return attempt()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, InternalError, sqlite3.Error) as fault:
            raise self._unreachable(getattr(fault, "orig", None) or fault) from fault
        except (NoConnectionFree, OSError) as fault:
            raise self._unreachable(fault) from fault

    def _unreachable(self, fault: BaseException) -> Unreachable:
        # Only the driver's own words: SQLAlchemy's carry the statement with what the person wrote.
        problem = (str(fault).strip().splitlines() or [type(fault).__name__])[0]
        return Unreachable("learning_unreachable", where=self.shown, problem=problem)

    # ----------------------------------------------------------------------- opening

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None or self._moved():
                self._let_go()
                self._engine = self._open()
            return self._engine

    def _moved(self) -> bool:
        """Whether the file was deleted or swapped: what is written to the old one would be lost."""
        return self.path is not None and self._file != _identity(self.path)

    def _let_go(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _open(self) -> Engine:
        engine = self._engine_of_file(self.path) if self.path else self._engine_of_server()
        try:
            with self._alone_at_the_file():
                if self.path:
                    with closing(_connect(self.path, self.patience_s)) as connection:
                        use_wal(connection, self.patience_s)
                self._upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
        if self.path:
            self._file = _identity(self.path)
        return engine

    def _upgrade(self, engine: Engine) -> None:
        try:
            with engine.execution_options(writing=True).begin() as connection:
                if self.path is None:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITERS})
                upgrade(connection, self.shown)
        except ProgrammingError as fault:  # such as: no right to make tables here
            raise self._unreachable(fault.orig or fault) from fault

    def _engine_of_file(self, path: Path) -> Engine:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self.url, connect_args={"timeout": self.patience_s}, pool_size=8, max_overflow=-1)
        event.listen(engine, "connect", _prepare_file)
        event.listen(engine, "begin", _begin)
        return engine

    def _engine_of_server(self) -> Engine:
        patience_ms = int(1000 * self.patience_s)
        alive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
        try:
            engine = create_engine(
                self.url,
                pool_pre_ping=True,
                pool_size=8,
                max_overflow=24,
                connect_args={"connect_timeout": CONNECT_TIMEOUT_S, **alive},
            )
        except ImportError as fault:
            raise UserError("learning_no_driver", where=self.shown) from fault
        except NoSuchModuleError as fault:
            raise BadRequest("learning_address") from fault
        event.listen(engine, "connect", lambda raw, _record: _be_patient(raw, patience_ms))
        return engine

    # ----------------------------------------------------------------------- damage

    @contextmanager
    def _alone_at_the_file(self) -> Iterator[None]:
        """Whoever makes, migrates or sets aside a SQLite file does so alone among all processes."""
        from filelock import FileLock, Timeout

        if self.path is None:
            yield
            return
        try:
            with FileLock(f"{self.path}.lock", timeout=self.patience_s):
                yield
        except Timeout as fault:
            raise self._unreachable(fault) from fault

    def _is_damage(self, fault: BaseException) -> bool:
        words = str(fault.orig if isinstance(fault, DBAPIError) else fault)
        return self.path is not None and ("malformed" in words or "not a database" in words)

    def _set_aside_damaged(self) -> None:
        assert self.path is not None
        with self._opening, self._alone_at_the_file():
            self._let_go()
            if _damaged(self.path):  # else another process was faster
                kept = _set_aside(self.path)
                self.notes.append(UserError("learning_damaged", path=str(self.path), kept=str(kept)))


def _url(where: Path | str) -> URL:
    if isinstance(where, Path) or "://" not in where:
        return URL.create("sqlite", database=os.path.abspath(where))
    try:
        url = make_url(where)
    except (ArgumentError, ValueError) as fault:
        raise BadRequest("learning_address") from fault
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return url.set(database=os.path.abspath(url.database))
    if url.get_backend_name() != "postgresql":
        raise BadRequest("learning_address")
    return url


def _connect(path: Path, patience_s: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=patience_s)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _prepare_file(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # ``_begin`` says when, and how, a transaction begins
    raw.execute("PRAGMA synchronous=NORMAL")
    raw.execute("PRAGMA cache_size=-16000")  # KiB: the tallies in use and the indexes' upper pages stay in memory
    raw.create_function("power", 2, pow, deterministic=True)  # not every SQLite is built with them
    raw.create_function("ln", 1, math.log, deterministic=True)


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _be_patient(raw: Any, patience_ms: int) -> None:
    raw.execute(f"SET lock_timeout = {patience_ms}")
    raw.commit()


def _damaged(path: Path) -> bool:
    """Whether the file itself is broken, rather than locked, full or read-only."""
    try:
        with closing(_connect(path, PATIENCE_S)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True


def _set_aside(path: Path) -> Path:
    """Rename the file together with its write-ahead log, which may hold what is not in it yet."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    os.replace(path, kept)
    for suffix in ("-wal", "-shm"):
        if os.path.exists(f"{path}{suffix}"):
            os.replace(f"{path}{suffix}", f"{kept}{suffix}")
    return kept
