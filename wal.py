"""SQLite's write-ahead log, for files that several processes use at once."""

from __future__ import annotations

import sqlite3
import time

SWITCH_PAUSE_S = 0.02


def use_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Switch the journal mode. SQLite's busy timeout does not cover the switch while another process makes it. Raises
    ``sqlite3.OperationalError``."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as fault:
            if "locked" not in str(fault) or time.monotonic() > deadline:
                raise
        time.sleep(SWITCH_PAUSE_S)
