"""Insert, or change what is there under the same primary key: both databases can, SQLAlchemy has a form for each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], adding: str = "") -> None:
    """Every row, its values taking the place of those there; the column ``adding`` is added to instead."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0]), adding), list(rows))


@cache
def _upsert(dialect: str, table: Table, columns: tuple[str, ...], adding: str) -> Any:
    statement: Any = insert_into(dialect, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    if adding:
        changed[adding] = table.c[adding] + statement.excluded[adding]
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def insert_into(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can be told what to do where there is something."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
