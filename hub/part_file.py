"""An unfinished file beside its target: written, summed, and given its name when it is proven."""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .names import PART

WAITING_BLOCKS = 8  # read, not yet hashed: 8 MiB


def part_of(target: Path) -> Path:
    """Where an unfinished file lies; ComfyUI does not list names of this ending."""
    return target.with_name(target.name + PART)


def place(part: Path, target: Path) -> None:
    """Give a finished file its name. Never over another file: raises ``FileExistsError``."""
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    try:
        os.link(part, target)  # atomic, and refuses where os.replace would overwrite
    except FileExistsError:
        if not os.path.samefile(part, target):
            raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.replace(part, target)
        return
    part.unlink()


def write_all(file: BinaryIO, block: bytes) -> None:
    """Write every byte: an unbuffered file may take fewer than it is given."""
    written = file.write(block)
    while written < len(block):
        written += file.write(block[written:])


@contextmanager
def hashing(digest: hashlib._Hash) -> Iterator[Callable[[bytes], None]]:
    """Hash in a second thread what is handed over; at the end of the block everything is hashed."""
    blocks: queue.Queue[bytes | None] = queue.Queue(WAITING_BLOCKS)

    def work() -> None:
        while (block := blocks.get()) is not None:
            digest.update(block)

    thread = threading.Thread(target=work, name="iig-hash", daemon=True)
    thread.start()
    try:
        yield blocks.put
    finally:
        blocks.put(None)
        thread.join()
