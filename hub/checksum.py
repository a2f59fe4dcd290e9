"""SHA-256 of model files, whole (AutoV2 is its first ten digits) or of the weights alone (AutoV3 its first twelve)."""

from __future__ import annotations

import hashlib
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from typing import TypeVar

from ..errors import UserError
from .headers import MAX_HEADER_BYTES

BLOCK_BYTES = 1 << 18  # stays in the processor's cache between reading and summing
AUTOV3_DIGITS = 12

Stop = Callable[[], bool]
Job = TypeVar("Job")
Done = TypeVar("Done")


def file_sha256(path: str, size_bytes: int, mtime_ns: int, stop: Stop | None = None) -> str | None:
    """The sum of a file, or ``None`` when it is not (or no longer) the file of this size and time, or when ``stop``,
    asked between blocks, says so."""
    return _summed(path, (size_bytes, mtime_ns), stop, lambda file: 0)


def file_autov3(path: str, size_bytes: int, mtime_ns: int, stop: Stop | None = None) -> str | None:
    """The sum of what follows a safetensors header, which no change of metadata touches; ``None`` as above, and for
    a header that is none."""
    found = _summed(path, (size_bytes, mtime_ns), stop, lambda file: _weights_start(file, size_bytes))
    return found and found[:AUTOV3_DIGITS]


def in_threads(jobs: Iterable[Job], act: Callable[[Job, Stop], Done], workers: int, stop: Stop) -> Iterator[tuple[Job, Done]]:
    """What ``act`` makes of each job, as it comes. ``act`` is given when to stop: also when nobody takes the results
    any more. Its database, disk and user errors are raised here."""
    waiting, results, over = deque(jobs), queue.Queue[tuple[Job, Done] | Exception | None](), threading.Event()

    def stopping() -> bool:
        return over.is_set() or stop()

    def work() -> None:
        try:
            while waiting and not stopping():
                job = waiting.popleft()
                results.put((job, act(job, stopping)))
        except IndexError:  # another thread took the last one
            pass
        except (OSError, sqlite3.Error, UserError) as fault:
            results.put(fault)
        finally:
            results.put(None)

    # Daemons: ComfyUI's end does not wait for a checkpoint to be read.
    threads = [threading.Thread(target=work, name="iig-checksum", daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield from _taken(results, workers)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _taken(results: queue.Queue[tuple[Job, Done] | Exception | None], workers: int) -> Iterator[tuple[Job, Done]]:
    while workers:
        result = results.get()
        if result is None:
            workers -= 1
        elif isinstance(result, Exception):
            raise result
        else:
            yield result


def _summed(path: str, stamp: tuple[int, int], stop: Stop | None, start_of: Callable[[FileIO], int | None]) -> str | None:
    digest, block = hashlib.sha256(), _block()
    try:
        with open(path, "rb", buffering=0) as file:
            start = start_of(file)
            if start is None:
                return None
            file.seek(start)
            while count := file.readinto(block):
                digest.update(block[:count])
                if stop and stop():
                    return None
            status = os.fstat(file.fileno())
    except OSError:
        return None
    return digest.hexdigest() if (status.st_size, status.st_mtime_ns) == stamp else None


def _weights_start(file: FileIO, size_bytes: int) -> int | None:
    length = int.from_bytes(file.read(8), "little")
    return 8 + length if 2 <= length <= min(MAX_HEADER_BYTES, size_bytes - 8) else None


_held = threading.local()


def _block() -> memoryview:
    """One buffer a thread, for all its files."""
    found: memoryview | None = getattr(_held, "block", None)
    if found is None:
        found = _held.block = memoryview(bytearray(BLOCK_BYTES))
    return found
