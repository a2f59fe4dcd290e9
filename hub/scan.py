"""One pass over the model folders: only what changed is read again, and it is known as soon as it is read."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..plan import Kind
from .database import Database, bump
from .describe import Described, describe
from .proofs import Proofs, Reading
from .walk import Found, Identity, look, walk

Stop = Callable[[], bool]
Progress = Callable[[int, int], None]

# What a run needs first comes first, so that a run can start while LoRAs are still being read.
ORDER = (
    Kind.CHECKPOINT,
    Kind.DIFFUSION_MODEL,
    Kind.VAE,
    Kind.TEXT_ENCODER,
    Kind.LORA,
    Kind.EMBEDDING,
    Kind.CONTROLNET,
    Kind.CLIP_VISION,
    Kind.STYLE_MODEL,
    Kind.UPSCALER,
)
BATCH_S = 0.5  # how long read files may wait before others can see them
MAX_NOTED = 20  # broken sidecars named one by one

# A sum that another process found in the meantime stays.
UPSERT = """INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, root, name) DO UPDATE SET
    size = excluded.size, mtime = excluded.mtime, inode = excluded.inode, mark = excluded.mark,
    claimed = excluded.claimed, autov3 = excluded.autov3, card = excluded.card, facts = excluded.facts,
    changed = excluded.changed,
    sha256 = CASE WHEN excluded.sha256 IS NOT NULL THEN excluded.sha256
        WHEN size = excluded.size AND mtime = excluded.mtime AND inode = excluded.inode THEN sha256 END"""
_PLACE = "kind = ? AND root = ? AND name = ?"
Row = tuple[object, ...]  # what UPSERT takes, less the number of the change


@dataclass(frozen=True)
class ScanReport:
    """``seen`` files listed, ``read`` of them read again, ``removed`` gone since, ``problems`` among the read
    ones; ``complete`` is False when it was stopped; ``notes`` are for the person."""

    seen: int = 0
    read: int = 0
    removed: int = 0
    problems: int = 0
    complete: bool = True
    notes: tuple[UserError, ...] = ()


class _Stopped(Exception):
    pass


@dataclass
class Scan:
    cache: Database
    folders: Mapping[Kind, Sequence[str]]
    extensions: frozenset[str]
    proofs: Proofs
    stop: Stop | None = None
    on_progress: Progress | None = None
    seen: int = 0
    read: int = 0
    removed: int = 0
    problems: int = 0
    notes: list[UserError] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def run(self) -> ScanReport:
        complete = True
        try:
            for kind, roots in self.folders.items():
                for root in roots:
                    self._folder(kind, root)
            self._finish()
        except _Stopped:
            complete = False
        self._note_sidecars()
        return ScanReport(self.seen, self.read, self.removed, self.problems, complete, (*self.cache.notes, *self.notes))

    def _folder(self, kind: Kind, root: str) -> None:
        gone = self._marks(kind, root)
        unreadable: list[str] = []

        def unchanged(name: str, identity: Identity) -> bool:
            self.seen += 1
            if not self.seen % 500:
                self._pause()
            return gone.pop(name, None) == identity[3]

        # As plain tuples: garbage collection walks over named ones again and again.
        changed: deque[tuple[Any, ...]] = deque(tuple(found) for found in walk(root, self.extensions, unreadable, unchanged))
        self.notes += [UserError("folder_unreadable", path=path) for path in unreadable if path != root]
        self._remove(kind, root, gone)
        self._read_all(kind, root, changed)

    def _marks(self, kind: Kind, root: str) -> dict[str, int]:
        query = "SELECT name, mark FROM files WHERE kind = ? AND root = ?"
        with self.cache.reading() as connection:
            return dict(connection.execute(query, (kind.value, root)))

    def _remove(self, kind: Kind, root: str, names: Iterable[str]) -> None:
        gone = [(kind.value, root, name) for name in names]
        if gone:
            with self.cache.writing() as connection:
                connection.executemany("DELETE FROM files WHERE kind = ? AND root = ? AND name = ?", gone)
                bump(connection, "revision", "changes")
            self.removed += len(gone)

    def _read_all(self, kind: Kind, root: str, changed: deque[tuple[Any, ...]]) -> None:
        if not changed:
            return
        rows: list[Row] = []
        since = time.monotonic()
        try:
            with self.proofs.reading() as proofs:
                while changed:
                    rows += self._row(kind, root, Found._make(changed.popleft()), proofs)
                    self._pause()
                    if time.monotonic() - since > BATCH_S:
                        rows, since = self._keep(rows), time.monotonic()
        finally:
            self._keep(rows)

    def _row(self, kind: Kind, root: str, found: Found, proofs: Reading) -> list[Row]:
        if not found.name.isascii() and not _is_text(found.name):
            self.notes.append(UserError("name_not_text", name=ascii(found.name)))
            return []
        described = describe(kind, found, proofs)
        self.broken += described.broken
        self.read += 1
        self.problems += "problem" in described.facts
        return [row_of(kind, root, found, described)]

    def _keep(self, rows: list[Row]) -> list[Row]:
        if rows:
            with self.cache.writing() as connection:
                change = bump(connection, "revision", "changes")
                connection.executemany(UPSERT, [(*row, change) for row in rows])
        return []

    def _pause(self) -> None:
        if self.on_progress:
            self.on_progress(self.seen, self.read)
        if self.stop and self.stop():
            raise _Stopped

    def _finish(self) -> None:
        key = f"scanned {folders_checksum(self.folders)}"
        with self.cache.reading() as connection:
            if connection.execute("SELECT 1 FROM meta WHERE key = ?", (key,)).fetchone():
                return
        with self.cache.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, 1)", (key,))

    def _note_sidecars(self) -> None:
        self.notes += [UserError("sidecar_broken", path=path) for path in self.broken[:MAX_NOTED]]
        if len(self.broken) > MAX_NOTED:
            self.notes.append(UserError("sidecars_broken", count=len(self.broken) - MAX_NOTED))


def tell_again(cache: Database, proofs: Proofs, kind: Kind, root: str, name: str) -> bool:
    """Describe a listed file anew because something was learned of it; whether that changed what people see. A file
    that is no longer as it was listed is left to the next scan."""
    where = (kind.value, root, name)
    with cache.reading() as connection:
        rows = connection.execute(f"SELECT size, mtime, inode, mark, facts FROM files WHERE {_PLACE}", where).fetchall()
    if not rows or not _unchanged(os.path.join(root, name), rows[0][:2]):
        return False
    found = look(root, name, rows[0][:4])
    with proofs.reading() as reading:
        told = row_of(kind, root, found, describe(kind, found, reading))
    differs: bool = told[-1] != rows[0][4]
    with cache.writing() as connection:
        change = bump(connection, *(("revision", "changes") if differs else ("changes",)))
        query = f"UPDATE files SET sha256 = ?, claimed = ?, autov3 = ?, card = ?, facts = ?, changed = ? WHERE {_PLACE}"
        connection.execute(f"{query} AND size = ? AND mtime = ?", (*told[7:], change, *where, *rows[0][:2]))
    return differs


def _unchanged(path: str, stamp: Sequence[int]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == tuple(stamp)


def row_of(kind: Kind, root: str, found: Found, described: Described) -> Row:
    claims, known = described.claims, described.known
    sums = (known.sha256, claims.sha256, known.autov3 or claims.autov3, known.digest)
    return (kind.value, root, found.name, *found.identity, *sums, json.dumps(described.facts, separators=(",", ":")))


def folders_checksum(folders: Mapping[Kind, Sequence[str]]) -> str:
    """Which folders a registry looks at, in eight characters."""
    text = json.dumps({kind.value: list(roots) for kind, roots in folders.items()})
    return f"{zlib.crc32(text.encode('utf-8', 'backslashreplace')):08x}"


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
