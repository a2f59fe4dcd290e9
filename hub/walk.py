"""Which model files lie below a folder, named as ComfyUI names them, with what lies beside each."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from .sidecars import PREVIEW_SUFFIXES, SUFFIXES

EXCLUDED = frozenset({".git"})  # folder_paths.get_filename_list skips these too


Identity = tuple[int, int, int, int]  # size, mtime, inode, and a mark of these and of what lies beside
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
        folder, prefix, above = pending.pop()
        try:
            status = os.stat(folder)
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError:
            unreadable.append(folder)
            continue
        here = (status.st_dev, status.st_ino)
        if here in above:
            continue
        folders: list[os.DirEntry[str]] = []
        yield from _folder(prefix, entries, extensions, folders, known)
        pending.extend((entry.path, prefix + entry.name + os.sep, above | {here}) for entry in folders)


def _folder(
    prefix: str, entries: list[os.DirEntry[str]], extensions: Collection[str], folders: list[os.DirEntry[str]], known: Known
) -> Iterator[Found]:
    models, others, endings = _sorted_out(entries, extensions, folders)
    sidecar_endings = [each for each in SUFFIXES if each[each.rfind(".") :] in endings]
    preview_endings = [each for each in PREVIEW_SUFFIXES if each[each.rfind(".") :] in endings]
    for stem, extension, entry in models:
        sidecars = [beside for each in sidecar_endings if (beside := others.get(stem + each))]
        preview = next((stem + each for each in preview_endings if stem + each in others), None) if preview_endings else None
        identity = _identity(entry, sidecars, preview)
        name = prefix + entry.name
        if not known(name, identity):
            paths = tuple(sidecar.path for sidecar in sidecars)
            yield Found(name, entry.path, extension, identity, paths, prefix + preview if preview else None)


def _sorted_out(
    entries: list[os.DirEntry[str]], extensions: Collection[str], folders: list[os.DirEntry[str]]
) -> tuple[list[tuple[str, str, os.DirEntry[str]]], dict[str, os.DirEntry[str]], set[str]]:
    models, others, endings = [], {}, set()
    for entry in entries:
        name = entry.name
        dot = name.rfind(".")
        ending = name[dot:]
        if entry.is_dir():
            if name not in EXCLUDED:
                folders.append(entry)
        elif dot > 0 and (extension := ending.lower()) in extensions:
            models.append((name[:dot], extension, entry))
        else:
            others[name] = entry
            endings.add(ending)
    return models, others, endings


def _identity(entry: os.DirEntry[str], sidecars: list[os.DirEntry[str]], preview: str | None) -> Identity:
    size, mtime, inode = _stamp(entry)
    mark = [size, mtime, inode, len(preview) if preview else 0]
    for sidecar in sidecars:
        mark += len(sidecar.name), *_stamp(sidecar)[:2]
    return (size, mtime, inode, hash(tuple(mark)))


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int, int]:
    try:
        status = entry.stat()
    except OSError:
        return (-1, 0, 0)
    return (status.st_size, status.st_mtime_ns, status.st_ino)
