"""Which model files lie below a folder, named as ComfyUI names them, with what lies beside each."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from .sidecars import PREVIEW_SUFFIXES, SUFFIXES

EXCLUDED = frozenset({".git"})  # folder_paths.get_filename_list skips these too


Stamp = tuple[int, int, int]  # size, mtime, inode
Identity = tuple[int, int, int, int]  # a stamp, and a mark of it and of what lies beside
Known = Callable[[str, Identity], bool]


class Found(NamedTuple):
    """A listed file. Its identity changes with the file and when a sidecar or a preview comes, goes or
    changes; a link that leads nowhere has size −1."""

    name: str
    path: str
    extension: str
    identity: Identity
    sidecars: tuple[str, ...]
    preview: str | None

    @property
    def size_bytes(self) -> int:
        return self.identity[0]


def walk(root: str, extensions: Collection[str], unreadable: list[str], known: Known) -> Iterator[Found]:
    """Every model file below ``root`` that ``known`` does not recognise by name and identity; links are
    followed, each loop of links entered once. Folders that cannot be listed are appended to ``unreadable``."""
    pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
    while pending:
        path, prefix, above = pending.pop()
        folder = _Folder(path)
        try:
            status = os.stat(path)
            folder.read(extensions)
        except OSError:
            unreadable.append(path)
            continue
        here = (status.st_dev, status.st_ino)
        if here in above:
            continue
        yield from folder.unknown(prefix, known)
        pending.extend((os.path.join(path, name), prefix + name + os.sep, above | {here}) for name in folder.folders)


def look(root: str, name: str, identity: Identity) -> Found:
    """One listed file, of an identity found before, with what lies beside it now."""
    path = os.path.join(root, name)
    stem, extension = os.path.splitext(path)
    sidecars = tuple(beside for each in SUFFIXES if os.path.exists(beside := stem + each))
    previews = (each for each in PREVIEW_SUFFIXES if os.path.exists(stem + each))
    preview = next((os.path.splitext(name)[0] + each for each in previews), None)
    return Found(name, path, extension.lower(), identity, sidecars, preview)


class _Folder:
    """What lies in one folder, as names and numbers, let go one by one: a flat folder may hold 300,000
    entries, and freeing them all at once would stop every other thread."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folders: list[str] = []
        self.models: deque[tuple[str, str, Stamp]] = deque()  # name, extension, stamp
        self.sidecars: dict[str, int] = {}  # a mark of the content, by name
        self.previews: set[str] = set()

    def read(self, extensions: Collection[str]) -> None:
        models, sidecars = self.models, self.sidecars
        with os.scandir(self.path) as listing:
            for entry in listing:
                name = entry.name
                ending = name[name.rfind(".") :]
                if _is_folder(entry):
                    if name not in EXCLUDED:
                        self.folders.append(name)
                elif (extension := ending.lower()) in extensions and ending != name:
                    models.append((name, extension, _stamp(entry)))
                elif ending in _SIDECAR_ENDINGS:
                    sidecars[name] = hash(_stamp(entry)[:2])
                elif ending in _PREVIEW_ENDINGS:
                    self.previews.add(name)

    def unknown(self, prefix: str, known: Known) -> Iterator[Found]:
        suffixes, marks = self._suffixes(), self.sidecars
        while self.models:
            name, extension, stamp = self.models.popleft()
            stem = name[: -len(extension)]
            sidecars = [beside for each in suffixes if (beside := stem + each) in marks]
            preview = self._preview(stem) if self.previews else None
            mark = [len(preview) if preview else 0]
            for beside in sidecars:
                mark += len(beside), marks[beside]
            identity = (*stamp, hash((stamp, *mark)))
            if not known(prefix + name, identity):
                paths = tuple(os.path.join(self.path, beside) for beside in sidecars)
                path = os.path.join(self.path, name)
                yield Found(prefix + name, path, extension, identity, paths, prefix + preview if preview else None)
        while marks:
            marks.popitem()

    def _suffixes(self) -> list[str]:
        return [each for each in SUFFIXES if any(map(str.endswith, self.sidecars, [each] * len(self.sidecars)))]

    def _preview(self, stem: str) -> str | None:
        return next((stem + each for each in PREVIEW_SUFFIXES if stem + each in self.previews), None)


_SIDECAR_ENDINGS = frozenset(each[each.rfind(".") :] for each in SUFFIXES)
_PREVIEW_ENDINGS = frozenset(each[each.rfind(".") :] for each in PREVIEW_SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    try:
        status = entry.stat()
    except OSError:
        return (-1, 0, 0)
    return (status.st_size, status.st_mtime_ns, status.st_ino)
