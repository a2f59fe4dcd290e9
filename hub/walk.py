"""Which model files lie below a folder, named as ComfyUI names them, with what lies beside each."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from .sidecars import PREVIEW_SUFFIXES, SUFFIXES

EXCLUDED = frozenset({".git"})  # folder_paths.get_filename_list skips these too


class Found(NamedTuple):
    """A listed file. ``mark`` changes when a sidecar or a preview comes, goes or changes; ``size_bytes`` is
    −1 for a link that leads nowhere."""

    name: str
    path: str
    extension: str
    size_bytes: int
    mtime_ns: int
    inode: int
    mark: int
    sidecars: tuple[str, ...]
    preview: str | None

    @property
    def identity(self) -> tuple[int, int, int, int]:
        return self[3:7]


def walk(root: str, extensions: Collection[str], unreadable: list[str]) -> Iterator[Found]:
    """Every model file below ``root``, links followed, each loop of links entered once. Folders that cannot
    be listed are appended to ``unreadable``."""
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
        models, others, folders = _sorted_out(entries, extensions)
        for stem, extension, entry in models:
            yield _found(prefix, stem, extension, entry, others)
        pending.extend((entry.path, prefix + entry.name + os.sep, above | {here}) for entry in folders)


Models = list[tuple[str, str, "os.DirEntry[str]"]]
Others = dict[str, "os.DirEntry[str]"]


def _sorted_out(entries: list[os.DirEntry[str]], extensions: Collection[str]) -> tuple[Models, Others, list[os.DirEntry[str]]]:
    models: Models = []
    others: Others = {}
    folders = []
    for entry in entries:
        name = entry.name
        dot = name.rfind(".")
        extension = name[dot:].lower() if dot > 0 else ""
        if entry.is_dir():
            if name not in EXCLUDED:
                folders.append(entry)
        elif extension in extensions:
            models.append((name[:dot], extension, entry))
        else:
            others[name] = entry
    return models, others, folders


def _found(prefix: str, stem: str, extension: str, entry: os.DirEntry[str], others: Others) -> Found:
    name = prefix + entry.name
    sidecars, preview, mark = _beside(prefix, stem, others) if others else ((), None, 0)
    try:
        status = entry.stat()
    except OSError:
        return Found(name, entry.path, extension, -1, 0, 0, mark, sidecars, preview)
    return Found(name, entry.path, extension, status.st_size, status.st_mtime_ns, status.st_ino, mark, sidecars, preview)


def _beside(prefix: str, stem: str, others: Others) -> tuple[tuple[str, ...], str | None, int]:
    sidecars: list[str] = []
    parts: list[int] = []
    for suffix in SUFFIXES:
        entry = others.get(stem + suffix)
        if entry is not None:
            sidecars.append(entry.path)
            parts += _stamp(entry)
    preview = next((stem + suffix for suffix in PREVIEW_SUFFIXES if stem + suffix in others), None)
    if preview:
        parts.append(len(preview))
    return tuple(sidecars), prefix + preview if preview else None, hash(tuple(parts)) if parts else 0


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int, int]:
    try:
        status = entry.stat()
    except OSError:
        return (len(entry.name), -1, 0)
    return (len(entry.name), status.st_size, status.st_mtime_ns)
