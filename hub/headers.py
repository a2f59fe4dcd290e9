"""Headers of model files: what a file holds, without loading it.

The safetensors layout (https://huggingface.co/docs/safetensors#format): 8 bytes little-endian length N,
N bytes of JSON ``{name: {"dtype", "shape", "data_offsets"}, "__metadata__": {…}}``, then the tensors.
Files of any other kind are only named, never opened with the library that could run code from them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import gt, itemgetter
from typing import Any

MAX_HEADER_BYTES = 100_000_000  # the safetensors library refuses longer ones
FIRST_READ_BYTES = 512
SAFE_EXTENSIONS = frozenset({".safetensors", ".sft"})

_HTML = re.compile(rb"^\s*(<!doctype|<html|<head|<\?xml|<!--)", re.IGNORECASE)
_JSON_ANSWER = re.compile(rb'^\s*\{\s*"(error|message|detail)')
_LFS = b"version https://git-lfs"
_OFFSETS, _DTYPE, _START, _END = itemgetter("data_offsets"), itemgetter("dtype"), itemgetter(0), itemgetter(1)
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Header:
    """``tensors`` maps a tensor's name to its ``dtype``, ``shape`` (outermost first) and ``data_offsets``
    (bytes from the end of the header); ``sizes`` are bytes by dtype; ``problem`` is a key of ``locales/*/errors.json``."""

    tensors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None


def read_header(path: str, extension: str, size_bytes: int) -> Header:
    """The header of a file of ``size_bytes``. Never raises: a file that cannot be used says why in
    ``problem``."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return Header(problem="file_unreadable")
    try:
        return _read(handle, extension, size_bytes)
    except OSError:
        return Header(problem="file_unreadable")
    finally:
        os.close(handle)


def _read(handle: int, extension: str, size_bytes: int) -> Header:
    start = os.read(handle, FIRST_READ_BYTES)
    problem = foreign(start, extension)
    if problem:
        return Header(problem=problem)
    length = int.from_bytes(start[:8], "little")
    if length < 2 or length > MAX_HEADER_BYTES:
        return Header(problem="file_header_invalid")
    if 8 + length > size_bytes:
        return Header(problem="file_truncated")
    os.lseek(handle, 8, os.SEEK_SET)
    return parse_header(_bytes(handle, length), size_bytes - 8 - length)


def _bytes(handle: int, wanted: int) -> bytes:
    found = os.read(handle, wanted)
    while len(found) < wanted:  # network disks may answer in parts
        part = os.read(handle, wanted - len(found))
        if not part:
            break
        found += part
    return found


def foreign(start: bytes, extension: str) -> str | None:
    """What a file that begins with ``start`` is when it is no safetensors file: a key of ``locales/*/errors.json``."""
    if extension in SAFE_EXTENSIONS and start[8:9] == b"{":
        return None
    if not start:
        return "file_empty"
    if start.startswith(_LFS):
        return "file_lfs_pointer"
    if _HTML.match(start) or _JSON_ANSWER.match(start):
        return "file_web_page"
    if start.startswith(b"GGUF"):
        return "file_gguf"
    if extension not in SAFE_EXTENSIONS or start.startswith(_PICKLES):
        return "file_pickle"
    return "file_truncated" if len(start) < 9 else "file_header_invalid"


def parse_header(raw: bytes, data_bytes: int) -> Header:
    """The JSON part of a header, checked against the ``data_bytes`` that follow it."""
    try:
        tensors = json.loads(raw)
        if not isinstance(tensors, dict):
            return Header(problem="file_header_invalid")
        metadata = tensors.pop("__metadata__", None)
        sizes, furthest = _sizes(tensors)
    except (ValueError, RecursionError, LookupError, TypeError):
        return Header(problem="file_header_invalid")
    if furthest > data_bytes:
        return Header(problem="file_truncated")
    return Header(tensors, metadata if isinstance(metadata, dict) else {}, sizes)


def _sizes(tensors: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, int], int]:
    """Bytes by dtype and the end of the last tensor; raises where an entry is not what the format says.
    Whole columns at once: this runs for every tensor of every file."""
    entries = tensors.values()
    offsets = list(map(_OFFSETS, entries))
    starts, ends = list(map(_START, offsets)), list(map(_END, offsets))
    if min(starts) < 0 or any(map(gt, starts, ends)):
        raise ValueError("offsets run backwards")
    sizes = dict.fromkeys(map(_DTYPE, entries), 0)
    if not all(type(dtype) is str for dtype in sizes):
        raise TypeError("dtype of another type")
    if len(sizes) == 1:
        return dict.fromkeys(sizes, sum(ends) - sum(starts)), max(ends)
    for tensor, start, end in zip(entries, starts, ends, strict=True):
        sizes[tensor["dtype"]] += end - start
    return sizes, max(ends)


def shape_of(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    """A tensor's shape, outermost side first; empty where the header gives none that makes sense."""
    shape = tensor.get("shape")
    return tuple(shape) if isinstance(shape, list) and all(type(side) is int for side in shape) else ()
