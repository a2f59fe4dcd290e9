"""Safetensors files with holes: zeros cost neither memory while building nor disk space when written.

The format: eight bytes header length, a JSON header, the tensors one after the other
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

F16, F32 = np.dtype(np.float16), np.dtype(np.float32)
_NAMES = {F16: "F16", F32: "F32"}
_BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Zeros:
    """A tensor of zeros that is never materialised."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] = F16

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


Tensor: TypeAlias = Array | Zeros


class Weights(dict[str, Tensor]):
    """The tensors of a model by name."""

    def at(self, name: str) -> Array:
        """The tensor ``name``, ready to be edited in place."""
        tensor = self[name]
        if isinstance(tensor, Zeros):
            tensor = self[name] = np.zeros(tensor.shape, tensor.dtype)  # untouched pages stay virtual
        return tensor

    def put(self, other: Mapping[str, Tensor], prefix: str = "") -> Weights:
        """Takes over all tensors of ``other``, each name after ``prefix``."""
        self.update({prefix + name: tensor for name, tensor in other.items()})
        return self


def save(path: Path, weights: Weights, metadata: Mapping[str, str] | None = None) -> None:
    """Writes ``weights`` as a sparse safetensors file, whole or not at all. The bytes depend on nothing but
    the arguments."""
    header, ends = _header(weights, metadata or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + max(ends.values(), default=0))
            for name, end in ends.items():
                tensor = weights[name]
                if not isinstance(tensor, Zeros):
                    _write_blocks(file, len(header) + end - tensor.nbytes, tensor)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def is_complete(path: Path) -> bool:
    """Whether ``path`` is a safetensors file of exactly the size its header promises."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size_bytes = path.stat().st_size
            rows = json.loads(file.read(length)) if length < size_bytes else None
    except (OSError, ValueError, struct.error):
        return False
    return isinstance(rows, dict) and size_bytes == 8 + length + _end(rows)


def _end(rows: Mapping[str, Any]) -> int:
    return max((row["data_offsets"][1] for name, row in rows.items() if name != "__metadata__"), default=0)


def _header(weights: Weights, metadata: Mapping[str, str]) -> tuple[bytes, dict[str, int]]:
    # Wide types first: readers view each tensor in place, so it must start at a multiple of its item size.
    order = sorted(weights, key=lambda name: (-weights[name].dtype.itemsize, name))
    rows: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    ends: dict[str, int] = {}
    start = 0
    for name in order:
        tensor = weights[name]
        ends[name] = start + tensor.nbytes
        rows[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, ends[name]]}
        start = ends[name]
    text = json.dumps(rows, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, ends


def _write_blocks(file: Any, start: int, tensor: Array) -> None:
    raw = np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)
    for first, last in _runs(_used_blocks(raw)):
        file.seek(start + first * _BLOCK_BYTES)
        file.write(memoryview(cast(Any, raw[first * _BLOCK_BYTES : last * _BLOCK_BYTES])))


def _used_blocks(raw: Array) -> Array:
    whole = raw.size // _BLOCK_BYTES * _BLOCK_BYTES
    used = raw[:whole].view(np.uint64).reshape(-1, _BLOCK_BYTES // 8).any(axis=1)
    return np.append(used, raw[whole:].any())


def _runs(used: Array) -> Array:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], used.astype(np.int8), [0]])))
    return edges.reshape(-1, 2)
