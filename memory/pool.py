"""Loaded models that stay in RAM from one prompt to the next: least recently used go first, under a limit of bytes.

Nothing here knows ComfyUI: how much an entry takes, how much RAM is lacking and where the limit is are functions of the
caller's. Whoever drops the last reference to a model while ComfyUI goes through its loaded ones ends its worker, so what
leaves the pool is only set aside; it goes when the worker itself comes by, or with ``let_go``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from ..readout import Pooled, PoolState

Loaded = tuple[Any, ...]


@dataclass(frozen=True)
class File:
    """One file as it was when it was read: nanoseconds and bytes tell a replaced one."""

    path: str
    mtime_ns: int
    size_bytes: int


@dataclass(frozen=True)
class Key:
    """What was loaded, from which files, and how: the same key gives the same models. ``dtype`` and ``device`` are as the
    loader was asked for them, "" where it was not."""

    loader: str
    files: tuple[File, ...]
    options: tuple[str, ...] = ()
    dtype: str = ""
    device: str = ""

    @property
    def name(self) -> str:
        return " + ".join(Path(file.path).name for file in self.files)

    @property
    def file_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def replaces(self, other: Key) -> bool:
        """Whether a file of the other key is here in another state: what the other loaded is out of date."""
        now = {file.path: file for file in self.files}
        return any(file.path in now and now[file.path] != file for file in other.files)


def key_of(loader: str, paths: Sequence[Path], options: Sequence[str] = (), dtype: str = "", device: str = "") -> Key:
    """The key of files as they lie there now. Raises ``OSError`` for one that is not there."""
    files = []
    for path in paths:
        found = path.stat()
        files.append(File(str(path), found.st_mtime_ns, found.st_size))
    return Key(loader, tuple(files), tuple(options), dtype, device)


@dataclass(frozen=True)
class _Entry:
    value: Loaded
    size_bytes: int


def _nothing() -> None:
    return None


class Pool:
    """``limit_bytes`` says how much it may keep, ``lacking_bytes`` how much RAM is short at this moment if so many bytes
    more come (0 = none). Whoever else holds what the pool drops hears of it by ``dropped``, and by ``ended`` when it is
    time to end it. Any thread may call any method but ``take``."""

    def __init__(
        self,
        limit_bytes: Callable[[], int],
        lacking_bytes: Callable[[int], int] = lambda coming_bytes: 0,
        dropped: Callable[[], None] = _nothing,
        ended: Callable[[], None] = _nothing,
    ) -> None:
        self._limit_bytes, self._lacking_bytes = limit_bytes, lacking_bytes
        self._dropped, self._ended = dropped, ended
        self._lock = RLock()
        self._loading = RLock()  # apart, so that the state can be read while a model loads, which takes seconds
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._wanted: frozenset[Key] = frozenset()
        self._going: list[_Entry] = []
        self._hits = self._misses = self._evictions = 0

    def take(self, key: Key, load: Callable[[], Loaded], size_of: Callable[[Loaded], int]) -> Loaded:
        """What was loaded for ``key``, else what ``load`` gives now, kept if it fits. Only for the thread that runs
        prompts: what had to leave goes here."""
        with self._loading:
            found = self._find(key)
            if found is None:
                self._make_way(key)
                found = load()
                self._keep(key, found, size_of(found))
            self.let_go()
            return found

    def expect(self, keys: Collection[Key]) -> None:
        """These will be asked for next: they are not dropped for want of RAM, and leave last."""
        with self._lock:
            self._wanted = frozenset(keys)
            for key in keys:
                if key in self._entries:
                    self._entries.move_to_end(key)

    def relieve(self, besides: Key | None = None, coming_bytes: int = 0) -> int:
        """Drop the oldest for as long as RAM is lacking, never what is wanted; how many bytes that is."""
        lacking = self._lacking_bytes(coming_bytes)
        with self._lock:
            spared = self._wanted | {besides}
            freed = self._drop_while(lambda freed: freed < lacking, spared)
        return self._tell(freed)

    def forget(self) -> bool:
        """Keep nothing any more; whether there is something to let go of."""
        with self._lock:
            self._wanted = frozenset()
            freed = self._drop_while(lambda freed: True, ())
            waiting = bool(self._going)
        self._tell(freed)
        return waiting

    def let_go(self) -> None:
        """End what was set aside. Only where ComfyUI does not go through its models at the same time."""
        with self._lock:
            going, self._going = self._going, []
        going.clear()  # outside of the lock: the end of a model runs code that may ask for the state
        self._ended()

    def wanted(self) -> tuple[Loaded, ...]:
        """What it keeps of that which was expected."""
        with self._lock:
            return tuple(self._entries[key].value for key in self._wanted if key in self._entries)

    def state(self) -> PoolState:
        with self._lock:
            entries = tuple(
                Pooled(key.name, key.loader, entry.size_bytes, key.dtype, key.device) for key, entry in self._entries.items()
            )
            counts = {"hits": self._hits, "misses": self._misses, "evictions": self._evictions}
            size = self._size_bytes()
        return PoolState(entries, size, self._limit_bytes(), **counts)

    def _find(self, key: Key) -> Loaded | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            self._entries.move_to_end(key)
            return entry.value

    def _make_way(self, key: Key) -> None:
        """Before loading, so that old and new need not lie in RAM together; a file takes about its size."""
        with self._lock:
            outdated = [kept for kept in self._entries if key.replaces(kept)]
            freed = sum(self._drop(kept) for kept in outdated)
        self._tell(freed)
        self.let_go()
        self.relieve(key, key.file_bytes)
        self.let_go()

    def _keep(self, key: Key, value: Loaded, size_bytes: int) -> None:
        """Under the limit; what could never be is handed out only, and nothing else leaves for it."""
        limit = self._limit_bytes()
        if size_bytes > limit:
            return
        with self._lock:
            freed = self._drop_while(lambda _: self._size_bytes() + size_bytes > limit, ())
            self._entries[key] = _Entry(value, size_bytes)
        self._tell(freed)

    def _drop_while(self, needed: Callable[[int], bool], spared: Collection[Key | None]) -> int:
        freed = 0
        for key in [key for key in self._entries if key not in spared]:
            if not needed(freed):
                break
            freed += self._drop(key)
        return freed

    def _drop(self, key: Key) -> int:
        entry = self._entries.pop(key)
        self._going.append(entry)
        self._evictions += 1
        return entry.size_bytes

    def _tell(self, freed_bytes: int) -> int:
        if freed_bytes:
            self._dropped()
        return freed_bytes

    def _size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self._entries.values())
