"""Which local files are shown, and in what order: kept for as long as neither the files nor the wish change, so that the
next page of a long list costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from ..data.families import families
from ..plan import Kind, Library, ModelFile

UNKNOWN = "unknown"  # stands for the family of files whose family nobody knows


@dataclass(frozen=True)
class Use:
    """``uses`` pictures were made with a file, ``rated`` of them have stars, ``stars`` on average."""

    uses: int = 0
    stars: float | None = None
    rated: int = 0


UNUSED = Use()
_TRAITS = {Kind.LORA: "lora", Kind.CHECKPOINT: "checkpoint", Kind.DIFFUSION_MODEL: "checkpoint"}


@dataclass(frozen=True, eq=False)
class Used:
    """Every file's use by the kind of trait it is ("lora", "checkpoint") and its name. One is another's equal only if it
    is the same: lists are kept by it."""

    uses: Mapping[tuple[str, str], Use] = field(default_factory=dict)

    def of(self, file: ModelFile) -> Use:
        trait = _TRAITS.get(file.kind)
        return self.uses.get((trait, file.name), UNUSED) if trait else UNUSED


class Order(str, Enum):
    """What the list is sorted by; the library's own order, folder and name, decides between equals."""

    NAME = "name"
    NEWEST = "newest"
    SIZE = "size"
    USED = "used"
    RATED = "rated"


class Only(str, Enum):
    """What is left out otherwise."""

    TRIGGERS = "triggers"
    NEWER = "newer"
    UNUSABLE = "unusable"


_IS: Mapping[Only, Callable[[ModelFile], bool]] = {
    Only.TRIGGERS: lambda file: bool(file.trigger_groups),
    Only.NEWER: lambda file: bool(file.newer),
    Only.UNUSABLE: lambda file: not file.usable,
}


@dataclass(frozen=True)
class Wish:
    """Files of one kind (``None`` = of any) and family that hold every word and are all that ``only`` says."""

    kind: Kind | None = None
    words: tuple[str, ...] = ()
    family: str = ""
    only: frozenset[Only] = frozenset()
    nsfw: bool = True
    order: Order = Order.NAME


@dataclass(frozen=True)
class FamilyHeld:
    """A family with how many files of the kind belong to it."""

    id: str
    label: str
    files: int


@lru_cache(maxsize=8)
def listed(library: Library, wish: Wish, used: Used) -> tuple[ModelFile, ...]:
    """The files that are wanted, in the order that is wanted."""
    texts = _texts(library) if wish.words else ()
    found = [file for number, file in enumerate(library.files) if _is_wanted(file, wish) and _holds(texts, number, wish)]
    rank = _rank(wish.order, used)
    return tuple(sorted(found, key=rank) if rank else found)


def _is_wanted(file: ModelFile, wish: Wish) -> bool:
    return (
        (wish.kind is None or file.kind is wish.kind)
        and (not wish.family or (file.family or UNKNOWN) == wish.family)
        and (wish.nsfw or not file.nsfw)
        and all(_IS[each](file) for each in wish.only)
    )


def _holds(texts: tuple[str, ...], number: int, wish: Wish) -> bool:
    return all(word in texts[number] for word in wish.words)


@lru_cache(maxsize=1)
def _texts(library: Library) -> tuple[str, ...]:
    """What is searched, file by file."""
    return tuple(_text(file) for file in library.files)


def _text(file: ModelFile) -> str:
    triggers = (word for group in file.trigger_groups for word in group)
    return " ".join((file.name, file.title, file.base_model, file.creator, *file.tags, *triggers)).casefold()


def _rank(order: Order, used: Used) -> Callable[[ModelFile], Any] | None:
    if order is Order.NAME:
        return None
    if order is Order.NEWEST:
        return lambda file: -file.mtime_ns
    if order is Order.SIZE:
        return lambda file: -file.size_bytes
    if order is Order.USED:
        return lambda file: -used.of(file).uses
    return lambda file: (-(used.of(file).stars or 0), -used.of(file).rated)


@lru_cache(maxsize=1)
def kinds_held(library: Library) -> Mapping[str, int]:
    """How many files there are of each kind."""
    counts = Counter(file.kind.value for file in library.files)
    return {kind.value: counts[kind.value] for kind in Kind}


@lru_cache(maxsize=4)
def families_held(library: Library, kind: Kind | None) -> tuple[FamilyHeld, ...]:
    """Every family there is, the ones with the most files first; files of none are counted as ``UNKNOWN``."""
    counts = Counter(file.family or UNKNOWN for file in library.files if kind in (None, file.kind))
    rows = [FamilyHeld(each.id, each.label, counts[each.id]) for each in families().values()]
    return (*sorted(rows, key=lambda row: (-row.files, row.label)), FamilyHeld(UNKNOWN, "", counts[UNKNOWN]))
