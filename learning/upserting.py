"""Insert, or change what is there under the same primary key: both databases can, SQLAlchemy has a form for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], adding: str = "") -> None:
    """Every row, its values taking the place of those there; the column ``adding`` is added to instead."""
    if not rows:
        return
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    if adding:
        changed[adding] = table.c[adding] + statement.excluded[adding]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), list(rows))
