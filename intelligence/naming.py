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
    filler = _filler("filler") - (_filler("looks") if keep_style_words else frozenset())
    parts = [name_words(part) for part in _SEGMENTS.split(file.title)]
    parts.append(name_words(PurePosixPath(file.name.replace("\\", "/")).stem))
    parts += [words(unit) for unit in islice(trigger_units(file), _TRIGGERS_READ)]
    names = (tuple(dict.fromkeys(word for word in part if word not in filler)) for part in parts)
    return [name for name in names if name and any(word.isascii() and len(word) > 1 for word in name)]


@cache
def _filler(kind: str) -> frozenset[str]:
    listed: Any = table("recommend")["kinds"][kind]
    return frozenset(stem(word) for word in listed)
