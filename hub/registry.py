"""The registry of local model files: scan the folders, know the library, keep what people overrode.

A cache in SQLite that any number of ComfyUI processes may share. Nothing is hashed at start-up; checksums
come later from ``hash_pending``. Nothing is ever written beside the models.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..data import HERE
from ..data.families import families
from ..errors import BadRequest, UserError
from ..plan import Kind, Library, ModelFile, Prediction
from .database import Database, bump, meta
from .scan import ORDER, Progress, Scan, ScanReport, Stop, folders_checksum

# ComfyUI's folder_paths.supported_pt_extensions, and GGUF so that such files are listed with their reason.
EXTENSIONS = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft", ".gguf"})
CACHE_FORMAT = "4"
CACHE_TABLES = """CREATE TABLE files (
    kind TEXT NOT NULL, root TEXT NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, inode INTEGER NOT NULL, mark INTEGER NOT NULL,
    sha256 TEXT, facts TEXT NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (kind, root, name));
    CREATE INDEX marks ON files (kind, root, name, mark)"""  # a rescan reads this and never the rows
BATCH_ROWS = 40  # more only give garbage collection more to walk over
OVERRIDE_TABLES = "CREATE TABLE overrides (kind TEXT, name TEXT, family TEXT, PRIMARY KEY (kind, name))"

T = TypeVar("T")


@dataclass(frozen=True)
class _Known:
    """The last library, what it was made from, and its files by folder before overrides."""

    state: tuple[object, ...]
    library: Library
    cache_id: str
    changes: int
    folders: Mapping[tuple[Kind, str], dict[str, ModelFile]]


class Registry:
    """The local models below ``folders``: ComfyUI's folder lists by kind, first folder first."""

    def __init__(self, database: Path, folders: Mapping[Kind, Sequence[Path]], extensions: frozenset[str] = EXTENSIONS) -> None:
        self.folders = {kind: tuple(dict.fromkeys(map(str, folders.get(kind, ())))) for kind in ORDER}
        self.extensions = extensions
        self._cache = Database(database, f"{CACHE_FORMAT}-{_tables_checksum()}", CACHE_TABLES)
        self._overrides = Database(database.with_name(f"{database.stem}-overrides{database.suffix}"), "1", OVERRIDE_TABLES)
        self._scanning = threading.Lock()
        self._building = threading.Lock()
        self._known: _Known | None = None

    def scan(self, stop: Stop | None = None, on_progress: Progress | None = None) -> ScanReport:
        """Bring the cache up to date with the disk; read only what changed. ``stop`` is asked between files;
        ``on_progress`` gets the number of files seen and read so far. Blocks: call it off the event loop.
        Every method raises ``UserError`` where the database is held by another for long, or the disk is full."""
        with self._scanning:
            return self._mending(lambda: Scan(self._cache, self.folders, self.extensions, stop, on_progress).run())

    def library(self) -> Library:
        """Everything known so far. The same object as before when nothing changed."""
        with self._building:
            return self._mending(self._library)

    def override(self, kind: Kind, name: str, family: str | None) -> None:
        """The person's word on a file's family; ``None`` takes it back. Raises ``BadRequest`` for a family
        that does not exist."""
        if family is not None and family not in families():
            raise BadRequest("unknown_family", family=family, known=", ".join(families()))
        self._mending(lambda: self._override(kind, _slashes(name), family))

    def _override(self, kind: Kind, name: str, family: str | None) -> None:
        with self._overrides.writing() as connection:
            if family is None:
                connection.execute("DELETE FROM overrides WHERE kind = ? AND name = ?", (kind.value, name))
            else:
                connection.execute("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?)", (kind.value, name, family))
            bump(connection, "revision")

    def hash_pending(self, stop: Stop | None = None) -> int:
        """Compute the missing SHA-256 sums, small files first; the number of files done. Stops between
        blocks of a file, and goes on there file by file at the next call."""
        from .checksum import hash_pending

        return self._mending(lambda: hash_pending(self._cache, self.folders, stop))

    def close(self) -> None:
        """Let the database files go; any later call opens them again."""
        self._cache.close()
        self._overrides.close()

    @property
    def notes(self) -> tuple[UserError, ...]:
        """What a person should know of the registry itself: set aside, not writable."""
        return (*self._cache.notes, *self._overrides.notes)

    def _mending(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except sqlite3.OperationalError as fault:
            raise UserError("registry_unusable", path=str(self._cache.path), problem=str(fault)) from fault
        except sqlite3.DatabaseError:
            for database in (self._cache, self._overrides):
                if database.damaged():
                    database.set_aside()
            return act()

    def _library(self) -> Library:
        overrides, override_state = self._read_overrides()
        with self._cache.reading() as connection:
            connection.execute("BEGIN")  # one view of the cache for all queries
            about = meta(connection)
            scope = folders_checksum(self.folders)
            complete = f"scanned {scope}" in about
            state = (about["id"], about["revision"], about["changes"], override_state, complete)
            if self._known is None or self._known.state != state:
                folders = self._folder_files(connection, about["id"])
                version = f"{about['id']}-{about['revision']}-{override_state}-{scope}"
                library = Library(tuple(_listed(folders, overrides)), version, complete)
                self._known = _Known(state, library, about["id"], about["changes"], folders)
        return self._known.library

    def _folder_files(self, connection: sqlite3.Connection, cache_id: str) -> dict[tuple[Kind, str], dict[str, ModelFile]]:
        """The files by folder, sorted by name; only rows that changed since the last time are made anew."""
        last = self._known if self._known and self._known.cache_id == cache_id else None
        folders = {}
        for kind, root in ((kind, root) for kind, roots in self.folders.items() for root in roots):
            files = _files_since(connection, kind, root, last.changes if last else -1)
            if last:
                files = _in_order(connection, kind, root, last.folders[kind, root] | files)
            folders[kind, root] = files
        return folders

    def _read_overrides(self) -> tuple[dict[tuple[str, str], str], str]:
        with self._overrides.reading() as connection:
            rows = connection.execute("SELECT kind, name, family FROM overrides").fetchall()
            about = meta(connection)
        return {(kind, name): family for kind, name, family in rows}, f"{about['id']}.{about['revision']}"


def _listed(
    folders: Mapping[tuple[Kind, str], Mapping[str, ModelFile]], overrides: Mapping[tuple[str, str], str]
) -> Iterator[ModelFile]:
    seen: dict[Kind, set[str]] = {}
    for (kind, _), files in folders.items():
        taken = seen.setdefault(kind, set())
        for name, file in files.items():
            if name not in taken:
                family = overrides.get((kind.value, _slashes(name))) if overrides else None
                yield replace(file, family=family, confidence=1.0) if family else file
        taken.update(files)


def _files_since(connection: sqlite3.Connection, kind: Kind, root: str, change: int) -> dict[str, ModelFile]:
    query = "SELECT name, size, mtime, sha256, facts FROM files WHERE kind = ? AND root = ? AND changed > ? ORDER BY name"
    fresh = connection.execute(query, (kind.value, root, change))
    files: dict[str, ModelFile] = {}
    while rows := fresh.fetchmany(BATCH_ROWS):
        files |= model_files(kind, rows)
    return files


def _in_order(connection: sqlite3.Connection, kind: Kind, root: str, files: Mapping[str, ModelFile]) -> dict[str, ModelFile]:
    names = connection.execute("SELECT name FROM files WHERE kind = ? AND root = ? ORDER BY name", (kind.value, root))
    return {name: files[name] for (name,) in names}


def model_files(kind: Kind, rows: Sequence[tuple[Any, ...]]) -> dict[str, ModelFile]:
    """Rows (name, size, mtime, sha256, facts) as ``ModelFile`` values by name."""
    known = json.loads(f"[{','.join([row[4] for row in rows])}]")  # one call of the parser for many rows
    return {row[0]: _model_file(kind, row, facts) for row, facts in zip(rows, known, strict=True)}


def _model_file(kind: Kind, row: tuple[Any, ...], facts: Mapping[str, Any]) -> ModelFile:
    values = {**_BLANK, **facts}
    values["kind"] = kind
    values["name"], values["size_bytes"], values["mtime_ns"], values["sha256"], _ = row
    values["tags"], values["strength"] = tuple(values["tags"]), tuple(values["strength"])
    values["trigger_groups"] = tuple(map(tuple, values["trigger_groups"]))
    if "prediction" in facts:
        values["prediction"] = Prediction(facts["prediction"])
    if "parts" in facts:
        values["parts"] = frozenset(facts["parts"])
    return ModelFile(*values.values())  # by place: names that come from JSON would be compared one by one


# Every field of a ModelFile in its order, as a file has it of which nothing is known.
_BLANK = dict(vars(ModelFile(Kind.LORA, "")))


def _slashes(name: str) -> str:
    return name.replace("\\", "/")


def _tables_checksum() -> str:
    """Files are judged by these tables, so other tables mean another cache."""
    raw = b"".join((HERE / name).read_bytes() for name in ("architectures.toml", "families.toml"))
    return f"{zlib.crc32(raw):08x}"
