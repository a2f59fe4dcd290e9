"""One pass over the model folders: only what changed is read again, and it is known as soon as it is read."""

from __future__ import annotations

import json
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError
from ..plan import Kind
from .database import Database, bump
from .describe import describe
from .walk import Found, Identity, walk

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

UPSERT = """INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, root, name) DO UPDATE SET
    size = excluded.size, mtime = excluded.mtime, inode = excluded.inode, mark = excluded.mark, facts = excluded.facts,
    changed = excluded.changed,
    sha256 = CASE WHEN excluded.sha256 IS NOT NULL THEN excluded.sha256
        WHEN size = excluded.size AND mtime = excluded.mtime AND inode = excluded.inode THEN sha256 END"""


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
        rows: list[tuple[object, ...]] = []
        since = time.monotonic()
        try:
            while changed:
                rows += self._row(kind, root, Found._make(changed.popleft()))
                self._pause()
                if time.monotonic() - since > BATCH_S:
                    rows, since = self._keep(rows), time.monotonic()
        finally:
            self._keep(rows)

    def _row(self, kind: Kind, root: str, found: Found) -> list[tuple[object, ...]]:
        if not found.name.isascii() and not _is_text(found.name):
            self.notes.append(UserError("name_not_text", name=ascii(found.name)))
            return []
        facts, broken = describe(kind, found)
        self.broken += broken
        self.read += 1
        self.problems += "problem" in facts
        sha256 = facts.pop("sha256", None)
        return [(kind.value, root, found.name, *found.identity, sha256, json.dumps(facts, separators=(",", ":")))]

    def _keep(self, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
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
