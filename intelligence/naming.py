"""The names a LoRA goes by: parts of its title, its file name and its trigger words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from ..data import table
from ..plan import ModelFile
from .text import name_words, stem, units, words

_SEGMENTS = re.compile(r"[|/()\[\]（）【】:,;~]|\s-\s")
_TRIGGERS_READ = 8


def trigger_units(file: ModelFile) -> Iterator[str]:
    """Every trigger word or phrase of every group, cut at its commas."""
    for group in file.trigger_groups:
        for entry in group:
            yield from units(entry)


def names_of(file: ModelFile, keep_style_words: bool = False) -> list[tuple[str, ...]]:
    """Each name as stems without filler words ("lora", "v2"); ``keep_style_words`` keeps "anime" and the like."""
    return [name for part in _parts(file) if (name := _bare(part, keep_style_words))]


def chief_names_of(file: ModelFile, keep_style_words: bool = False) -> list[tuple[str, ...]]:
    """The names that alone identify a LoRA: the first readable part of its title, its file name, its first trigger."""
    title, path, triggers = _title_parts(file), _path_words(file), _trigger_parts(file)
    found = []
    for parts in (title, [path], triggers):
        names = [name for part in parts if (name := _bare(part, keep_style_words))]
        found += names[:1]
    return found


def _parts(file: ModelFile) -> list[list[str]]:
    return [*_title_parts(file), _path_words(file), *_trigger_parts(file)]


def _title_parts(file: ModelFile) -> list[list[str]]:
    return [name_words(part) for part in _SEGMENTS.split(file.title)]


def _path_words(file: ModelFile) -> list[str]:
    return name_words(PurePosixPath(file.name.replace("\\", "/")).stem)


def _trigger_parts(file: ModelFile) -> list[list[str]]:
    return [words(unit) for unit in islice(trigger_units(file), _TRIGGERS_READ)]


def _bare(part: list[str], keep_style_words: bool) -> tuple[str, ...]:
    filler = _filler("filler") - (_filler("looks") if keep_style_words else frozenset())
    name = tuple(dict.fromkeys(word for word in part if word not in filler))
    return name if any(word.isascii() and len(word) > 1 for word in name) else ()


@cache
def _filler(kind: str) -> frozenset[str]:
    listed: Any = table("recommend")["kinds"][kind]
    return frozenset(stem(word) for word in listed)
