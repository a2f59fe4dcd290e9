"""SHA-256 of the models, in the background: nothing waits for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

from ..plan import Kind
from .database import Database
from .proofs import Proofs
from .scan import tell_again

BLOCK_BYTES = 1 << 20

Stop = Callable[[], bool]


def hash_pending(cache: Database, proofs: Proofs, folders: Mapping[Kind, Sequence[str]], stop: Stop | None = None) -> int:
    """Hash the files of these folders that have no sum yet, small ones first. A file that changed since the
    last scan is left for the next one."""
    done = 0
    for kind, root, name, size, mtime, inode in _pending(cache, folders):
        sha256 = file_sha256(os.path.join(root, name), size, mtime, stop)
        if stop and stop():
            break
        if sha256:
            proofs.keep_sum(os.path.join(root, name), (size, mtime, inode), sha256)
            tell_again(cache, proofs, Kind(kind), root, name)
            done += 1
    return done


def file_sha256(path: str, size_bytes: int, mtime_ns: int, stop: Stop | None = None) -> str | None:
    """The sum of a file, or ``None`` when it is not (or no longer) the file of this size and time."""
    digest, block = hashlib.sha256(), memoryview(bytearray(BLOCK_BYTES))
    try:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(block):
                digest.update(block[:count])
                if stop and stop():
                    return None
            status = os.fstat(file.fileno())
    except OSError:
        return None
    return digest.hexdigest() if (status.st_size, status.st_mtime_ns) == (size_bytes, mtime_ns) else None


def _pending(cache: Database, folders: Mapping[Kind, Sequence[str]]) -> list[tuple[str, str, str, int, int, int]]:
    query = "SELECT kind, root, name, size, mtime, inode FROM files WHERE sha256 IS NULL AND size > 0 AND kind = ? AND root = ?"
    rows = []
    with cache.reading() as connection:
        for kind, roots in folders.items():
            for root in roots:
                rows += connection.execute(query, (kind.value, root)).fetchall()
    return sorted(rows, key=lambda row: row[3])
