"""The body of an answer in blocks, into memory that is used again and again: fresh memory for every block would
cost as much time as the hashing does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from io import BufferedIOBase
from itertools import cycle

import requests

BLOCK_BYTES = 1 << 19  # three of them fit a small processor's caches; larger blocks cost twice the time
BLOCKS = 3  # one being filled, one waiting, one being written and hashed
FIRST_BYTES = 512  # the least the first block has: enough to tell a model from a page
PATIENCE_S = 0.25  # a block that fills slowly is handed on as it is


def blocks_of(response: requests.Response) -> Iterator[memoryview]:
    """The body as it comes over the line, undecoded. A block is overwritten ``BLOCKS`` blocks later. Raises what the
    connection raises; an end that comes early shows only in the number of bytes."""
    read_into = _reader(response)
    for memory in cycle([memoryview(bytearray(BLOCK_BYTES)) for _ in range(BLOCKS)]):
        count, more = _fill(memory, read_into)
        if not count:
            return
        yield memory[:count]
        if not more:
            return


def _fill(memory: memoryview, read_into: Callable[[memoryview], int]) -> tuple[int, bool]:
    """How many bytes were read, and whether there may be more."""
    count, deadline = 0, 0.0
    while count < len(memory):
        got = read_into(memory[count:])
        if not got:
            return count, False
        count += got
        deadline = deadline or time.monotonic() + PATIENCE_S
        if count >= FIRST_BYTES and time.monotonic() > deadline:
            break
    return count, True


def _reader(response: requests.Response) -> Callable[[memoryview], int]:
    """One read of the connection straight into memory where the body has a length; else through urllib3, which
    copies every byte once more."""
    inner = getattr(response.raw, "_original_response", None)
    if isinstance(inner, HTTPResponse) and inner.length is not None and not inner.chunked:
        return _Counted(inner.fp, inner.length).read_into

    def copied(memory: memoryview) -> int:
        piece: bytes = response.raw.read1(min(len(memory), 1 << 16), decode_content=False)
        memory[: len(piece)] = piece
        return len(piece)

    return copied


class _Counted:
    """A body of so many bytes behind a buffered connection. ``readinto1`` gives what is there; ``readinto`` would wait
    until the block is full, for minutes on a line that only drips."""

    def __init__(self, connection: BufferedIOBase, left: int) -> None:
        self._connection, self._left = connection, left

    def read_into(self, memory: memoryview) -> int:
        count = self._connection.readinto1(memory[: self._left]) if self._left else 0
        self._left -= count
        return count
