"""What was proven and learned of files: sums computed here, where downloads came from, the hubs' cards. Kept in a
SQLite file of its own that no change of the cache touches: without it nobody knows where a file came from."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..offers import Ref
from ..plan import Verification
from .cards import from_text, to_text
from .database import KeptDatabase
from .sidecars import Page
from .walk import Stamp

STEPS = (
    """CREATE TABLE sums (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL, inode INTEGER NOT NULL,
        sha256 TEXT NOT NULL, autov3 TEXT);
    CREATE TABLE origins (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
        ref TEXT NOT NULL, expected TEXT, at REAL NOT NULL);
    CREATE TABLE cards (digest TEXT PRIMARY KEY, ref TEXT NOT NULL, page TEXT NOT NULL, at REAL NOT NULL);
    CREATE INDEX card_refs ON cards (ref);
    CREATE TABLE newer (ref TEXT PRIMARY KEY, version TEXT NOT NULL, at REAL NOT NULL)""",
)


@dataclass(frozen=True)
class Claims:
    """What is said of a file's sums: its sidecar's SHA-256, its header's AutoV3 (12 hex digits)."""

    sha256: str | None = None
    autov3: str | None = None


@dataclass(frozen=True)
class Known:
    """What is known of one file. ``sha256`` and ``autov3`` are computed; ``ref`` is where these bytes were
    downloaded from and ``expected`` the sum the hub gave for what was downloaded to this place; ``card`` was found
    by ``digest``."""

    sha256: str | None = None
    autov3: str | None = None
    ref: str = ""
    expected: str | None = None
    digest: str = ""
    card: Page | None = None

    def verification(self, claimed: str | None) -> Verification:
        """What that proves, beside the sum that a sidecar claims. Copies whose metadata was edited keep their
        identity but are no longer the hub's bytes."""
        promised = {self.card.sha256 if self.card else None, self.expected} - {None}
        if self.sha256 and self.sha256 in promised:
            return Verification.VERIFIED
        if self.sha256 and (self.expected or (claimed not in (None, self.sha256) and not self.card)):
            return Verification.MISMATCH
        if (self.ref and not self.expected) or (self.card and self.sha256 == self.digest):
            return Verification.NO_HASH
        return Verification.LOCAL


class Proofs:
    """The file they are kept in. ``clock`` gives seconds since 1970."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.database = KeptDatabase(path, STEPS, "proofs_damaged")
        self._clock = clock

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        with self.database.reading() as connection:
            yield Reading(connection)

    def keep_sum(self, path: str, stamp: Stamp, sha256: str) -> None:
        """A sum computed here; with another one for this place, its AutoV3 goes."""
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO sums VALUES (?, ?, ?, ?, ?, NULL)", (path_key(path), *stamp, sha256))

    def keep_autov3(self, path: str, stamp: Stamp, autov3: str) -> None:
        with self.database.writing() as connection:
            query = "UPDATE sums SET autov3 = ? WHERE path = ? AND size = ? AND mtime = ?"
            connection.execute(query, (autov3, path_key(path), *stamp[:2]))

    def keep_origin(self, path: str, stamp: Stamp, ref: Ref, expected: str | None) -> None:
        """Where the file at this place was downloaded from, and the sum the hub gave for it."""
        row = (path_key(path), *stamp[:2], str(ref), expected and expected.lower(), self._clock())
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?, ?)", row)

    def keep_cards(self, cards: Mapping[str, tuple[str, Page]]) -> None:
        """(full reference, card) by digest."""
        rows = [(digest, ref, to_text(page), self._clock()) for digest, (ref, page) in cards.items()]
        with self.database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO cards VALUES (?, ?, ?, ?)", rows)

    def keep_newer(self, ref: str, version: str) -> None:
        """The id of a newer version than ``ref``; empty takes it back."""
        with self.database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO newer VALUES (?, ?, ?)", (ref, version, self._clock()))


class Reading:
    """Questions over one open connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._empty = not any(self._all("SELECT EXISTS (SELECT 1 FROM sums) + EXISTS (SELECT 1 FROM cards)")[0])

    def of(self, path: str, stamp: Stamp, claims: Claims) -> Known:
        """Everything known of the file at ``path`` that has this size, time and inode."""
        if self._empty:
            return Known()
        sha256, autov3 = self.sums(path, stamp)
        ref, expected = self._origin(path, stamp)
        digest, card = self._card(_digests(sha256, autov3, claims))
        return Known(sha256, autov3, ref, expected, digest, card)

    def sums(self, path: str, stamp: Stamp) -> tuple[str | None, str | None]:
        """SHA-256 and AutoV3 as computed here, of the file as it is now."""
        rows = self._all("SELECT size, mtime, inode, sha256, autov3 FROM sums WHERE path = ?", path_key(path))
        if rows and same_file(rows[0][:3], stamp):
            return rows[0][3], rows[0][4]
        return None, None

    def every_sum(self) -> dict[str, tuple[Any, ...]]:
        """(size, mtime, inode, SHA-256, AutoV3) by ``path_key``."""
        rows = self._all("SELECT path, size, mtime, inode, sha256, autov3 FROM sums")
        return {row[0]: row[1:] for row in rows}

    def every_digest(self) -> set[str]:
        """What there is a card for."""
        return {row[0] for row in self._all("SELECT digest FROM cards")}

    def newer(self, hub_id: str) -> str:
        """The id of a newer version than ``hub_id``, empty where none is known."""
        rows = self._all("SELECT version FROM newer WHERE ref = ?", hub_id)
        return str(rows[0][0]) if rows else ""

    def refs(self, path: str, digest: str | None) -> tuple[str, ...]:
        """The full references that are known for a file's place or digest."""
        query = "SELECT ref FROM origins WHERE path = ? UNION SELECT ref FROM cards WHERE digest = ?"
        return tuple(row[0] for row in self._all(query, path_key(path), digest))

    def _origin(self, path: str, stamp: Stamp) -> tuple[str, str | None]:
        rows = self._all("SELECT size, mtime, ref, expected FROM origins WHERE path = ?", path_key(path))
        if not rows:
            return "", None
        size, mtime, ref, expected = rows[0]
        return (ref if (size, mtime) == stamp[:2] else ""), expected

    def _card(self, digests: Iterator[str]) -> tuple[str, Page | None]:
        for digest in digests:
            if rows := self._all("SELECT page FROM cards WHERE digest = ?", digest):
                return digest, from_text(rows[0][0])
        return "", None

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()


def path_key(path: str) -> str:
    return os.path.normcase(os.path.abspath(path))


def stamp_of(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _digests(sha256: str | None, autov3: str | None, claims: Claims) -> Iterator[str]:
    """What a card is looked up by, the surest first. A claim counts as long as nothing computed replaces it."""
    yield from filter(None, (sha256 or claims.sha256, autov3 or claims.autov3))


def same_file(kept: Sequence[int], stamp: Stamp) -> bool:
    """Whether it is the same file. A listing of a folder gives no inode on Windows."""
    return tuple(kept[:2]) == stamp[:2] and (kept[2] == stamp[2] or 0 in (kept[2], stamp[2]))
