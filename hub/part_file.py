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
from .stream import BLOCKS


def part_of(target: Path) -> Path:
    """Where an unfinished file lies; ComfyUI does not list names of this ending."""
    return target.with_name(target.name + PART)


def size_of(path: Path) -> int:
    """Its bytes; 0 where it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


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


def write_all(file: BinaryIO, block: memoryview) -> None:
    """Write every byte: an unbuffered file may take fewer than it is given."""
    written = file.write(block)
    while written < len(block):
        written += file.write(block[written:])


@contextmanager
def keeping(file: BinaryIO, digest: hashlib._Hash) -> Iterator[Callable[[memoryview], None]]:
    """Write and hash in a second thread what is handed over, while the next block comes over the line; at the end of
    the ``with`` everything is written and hashed. Raises what writing raised."""
    blocks: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
    free: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(BLOCKS - 1):
        free.put(None)
    faults: list[OSError] = []

    def work() -> None:
        while (block := blocks.get()) is not None:
            if not faults:
                try:
                    write_all(file, block)
                except OSError as fault:
                    faults.append(fault)
                digest.update(block)
            free.put(None)

    def keep(block: memoryview) -> None:
        if faults:
            raise faults[0]
        blocks.put(block)
        free.get()  # the line fills the next block only when it is free

    thread = threading.Thread(target=work, name="iig-keep", daemon=True)
    thread.start()
    try:
        yield keep
    finally:
        blocks.put(None)
        thread.join()
    if faults:
        raise faults[0]
