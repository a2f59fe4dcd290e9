"""The registry of local model files: scan the folders, know the library, keep what people overrode.

A cache in SQLite that any number of ComfyUI processes may share. Nothing is hashed at start-up; checksums
and what hubs know come later (``identify.py``). Nothing is ever written beside the models.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..data import HERE
from ..data.families import families
from ..errors import BadRequest, UserError
from ..offers import Offer, Ref
from ..plan import Kind, Library, ModelFile, Prediction, Verification
from .cards import card_of
from .database import Database, KeptDatabase, bump, mending, meta
from .proofs import Proofs, stamp_of
from .scan import ORDER, Progress, Scan, ScanReport, Stop, folders_checksum, tell_again

# ComfyUI's folder_paths.supported_pt_extensions, and GGUF so that such files are listed with their reason.
EXTENSIONS = frozenset({".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft", ".gguf"})
CACHE_FORMAT = "5"
CACHE_TABLES = """CREATE TABLE files (
    kind TEXT NOT NULL, root TEXT NOT NULL, name TEXT NOT NULL,
    size INTEGER NOT NULL, mtime INTEGER NOT NULL, inode INTEGER NOT NULL, mark INTEGER NOT NULL,
    sha256 TEXT, claimed TEXT, autov3 TEXT, card TEXT NOT NULL, facts TEXT NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (kind, root, name));
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
        self.cache = Database(database, f"{CACHE_FORMAT}-{_tables_checksum()}", CACHE_TABLES)
        self.proofs = Proofs(database.with_name(f"{database.stem}-hub{database.suffix}"))
        self._overrides = KeptDatabase(database.with_name(f"{database.stem}-overrides{database.suffix}"), [OVERRIDE_TABLES])
        self._scanning = threading.Lock()
        self._building = threading.Lock()
        self._known: _Known | None = None

    def scan(self, stop: Stop | None = None, on_progress: Progress | None = None) -> ScanReport:
        """Bring the cache up to date with the disk; read only what changed. ``stop`` is asked between files;
        ``on_progress`` gets the number of files seen and read so far. Blocks: call it off the event loop.
        Every method raises ``UserError`` where the database is held by another for long, or the disk is full."""
        with self._scanning:
            return self.mending(lambda: Scan(self.cache, self.folders, self.extensions, self.proofs, stop, on_progress).run())

    def library(self) -> Library:
        """Everything known so far. The same object as before when nothing changed."""
        with self._building:
            return self.mending(self._library)

    def override(self, kind: Kind, name: str, family: str | None) -> None:
        """The person's word on a file's family; ``None`` takes it back. Raises ``BadRequest`` for a family
        that does not exist."""
        if family is not None and family not in families():
            raise BadRequest("unknown_family", family=family, known=", ".join(families()))
        self.mending(lambda: self._override(kind, _slashes(name), family))

    def _override(self, kind: Kind, name: str, family: str | None) -> None:
        with self._overrides.writing() as connection:
            if family is None:
                connection.execute("DELETE FROM overrides WHERE kind = ? AND name = ?", (kind.value, name))
            else:
                connection.execute("INSERT OR REPLACE INTO overrides VALUES (?, ?, ?)", (kind.value, name, family))
            bump(connection, "revision")

    def hash_pending(self, stop: Stop | None = None) -> int:
        """Compute the missing SHA-256 sums without asking anyone; the number of files done. Stops between
        blocks of a file, and goes on there file by file at the next call."""
        from .identify import identify

        return identify(self, {}, stop=stop).hashed

    def by_sha256(self, sha256: str) -> tuple[ModelFile, ...]:
        """The files that have, or claim to have, this sum and are still there as they were listed."""
        wanted = sha256.lower()
        return tuple(file for file in self.library().files if file.sha256 == wanted and self.path_of(file))

    def find_ref(self, ref: Ref) -> ModelFile | None:
        """The local file that a hub's reference means: that very file where the reference names one, else a usable
        and verified one of that version, or of any version where it names none."""
        named = [file for file in self.library().files if file.hub_id and _means(ref, file.hub_id)]
        if ref.file:
            named = [file for file in named if self._may_be(file, ref)]
        return max(named, key=_preference, default=None)

    def path_of(self, file: ModelFile) -> Path | None:
        """Where a listed file lies; ``None`` when it is no longer there with that size and time."""
        for root in self.folders[file.kind]:
            path = os.path.join(root, file.name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            return Path(path) if stamp_of(status)[:2] == (file.size_bytes, file.mtime_ns) else None
        return None

    def root_and_name(self, kind: Kind, path: Path) -> tuple[str, str] | None:
        """The model folder above ``path`` and the name ComfyUI lists it by, as the folders are now."""
        for root in self.folders[kind]:
            if path.is_relative_to(root):
                return root, str(path.relative_to(root))
        return None

    def proved(
        self,
        kind: Kind,
        path: Path,
        sha256: str,
        ref: Ref | None = None,
        expected: str | None = None,
        card: Offer | None = None,
    ) -> None:
        """Keep what a download proved of the file at ``path``: its sum, where it came from with the sum the hub
        gave (``None``: it gave none), and what the hub says of it. The scan that lists the file uses it; a file
        already listed is described anew. Raises ``FileNotFoundError`` where there is no such file."""
        self.mending(lambda: self._proved(kind, path, sha256.lower(), ref, expected, card))

    def _proved(self, kind: Kind, path: Path, sha256: str, ref: Ref | None, expected: str | None, card: Offer | None) -> None:
        stamp = stamp_of(path.stat())
        self.proofs.keep_sum(str(path), stamp, sha256)
        if ref:
            self.proofs.keep_origin(str(path), stamp, ref, expected)
        if card:
            page = replace(card_of(card, card.file(ref.file) if ref else None), sha256=expected and expected.lower())
            self.proofs.keep_cards({sha256: (str(ref or card.ref), page)})
        if place := self.root_and_name(kind, path):
            tell_again(self.cache, self.proofs, kind, *place)

    def _may_be(self, file: ModelFile, ref: Ref) -> bool:
        """Whether a file of the right version is the file that ``ref`` names, or nobody knows which one it is."""
        path = self.path_of(file)
        with self.proofs.reading() as reading:
            known = reading.refs(str(path), file.sha256) if path else ()
        return path is not None and (not any("#" in each for each in known) or str(ref) in known)

    def close(self) -> None:
        """Let the database files go; any later call opens them again."""
        for database in self._databases:
            database.close()

    @property
    def notes(self) -> tuple[UserError, ...]:
        """What a person should know of the registry itself: set aside, not writable."""
        return tuple(note for database in self._databases for note in database.notes)

    @property
    def _databases(self) -> tuple[Database, ...]:
        return self.cache, self._overrides, self.proofs.database

    def mending(self, act: Callable[[], T]) -> T:
        """What ``act`` returns; a database file found damaged is set aside and ``act`` tried again."""
        return mending(self._databases, act)

    def _library(self) -> Library:
        overrides, override_state = self._read_overrides()
        with self.cache.reading() as connection:
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
    query = "SELECT name, size, mtime, coalesce(sha256, claimed), facts FROM files WHERE kind = ? AND root = ? AND changed > ? ORDER BY name"
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
    if "verification" in facts:
        values["verification"] = Verification(facts["verification"])
    if "base_model" in facts:
        values["base_model"] = sys.intern(facts["base_model"])  # a few dozen words for 100,000 files
    if "parts" in facts:
        values["parts"] = frozenset(facts["parts"])
    return ModelFile(*values.values())  # by place: names that come from JSON would be compared one by one


# Every field of a ModelFile in its order, as a file has it of which nothing is known.
_BLANK = dict(vars(ModelFile(Kind.LORA, "")))


def _means(ref: Ref, hub_id: str) -> bool:
    if ref.version:
        return hub_id == str(ref.of_version)
    return hub_id == str(ref.of_model) or hub_id.startswith(f"{ref.of_model}@")


def _preference(file: ModelFile) -> tuple[object, ...]:
    return file.usable, file.verification is Verification.VERIFIED, file.mtime_ns


def _slashes(name: str) -> str:
    return name.replace("\\", "/")


def _tables_checksum() -> str:
    """Files are judged by these tables, so other tables mean another cache."""
    raw = b"".join((HERE / name).read_bytes() for name in ("architectures.toml", "families.toml"))
    return f"{zlib.crc32(raw):08x}"
