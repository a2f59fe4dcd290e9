"""What a batch gave: a result or the reason why not for every item, in the batch's order."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api import Result
from ..errors import BadRequest, UserError
from ..feedback import Batch, Item, ItemState
from ..files import write_whole
from ..intelligence.learn import predicted
from ..plan import PNG_KEY, Generation, Taste
from ..values import from_json, to_json
from .order import pick_winner
from .sheet import Cell, sheet

if TYPE_CHECKING:
    from PIL import Image

NO_TASTE = Taste()


@dataclass(frozen=True)
class ItemResult:
    """One item and its ``result``, or the ``error`` that stood against it; neither where it still waits."""

    item: Item
    result: Result | None = None
    error: UserError | None = None

    @property
    def place(self) -> int:
        return self.item.place

    @property
    def label(self) -> str:
        return self.item.variation.label

    @property
    def images(self) -> list[Any]:
        """Its pictures as ``PIL.Image.Image``."""
        return self.result.images if self.result else []


@dataclass(frozen=True)
class BatchResult:
    """``results`` in the stated order. ``stopped``: someone interrupted it, and the rest waits; ``problems`` is what went
    wrong beside the pictures, such as a full disk."""

    batch: Batch
    results: tuple[ItemResult, ...]
    server: str = ""
    language: str = "en"
    stopped: bool = False
    problems: tuple[UserError, ...] = ()

    @property
    def id(self) -> str:
        return self.batch.id

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        return tuple(each for each in self.results if each.error is not None)

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ItemResult]:
        return iter(self.results)

    def __getitem__(self, place: int) -> ItemResult:
        return self.results[place]

    def best(self, number: int = 1, taste: Taste = NO_TASTE) -> list[ItemResult]:
        """The finished items this person will probably like best, by their ``taste``; by what is usual without one."""
        made = [each for each in self.results if each.result is not None]
        return sorted(made, key=lambda each: -predicted(each.item.variation.plan, taste))[:number]

    def sheet(self, columns: int | None = None) -> Image.Image:
        """The contact sheet."""
        return sheet([_cell(each, self.batch.winner, self.language) for each in self.results], columns, self.language)

    def pick(self, place: int) -> BatchResult:
        """Make the item at ``place`` the winner: the server counts that as liking. Raises ``BadRequest``."""
        if place not in {each.place for each in self.results}:
            raise BadRequest("out_of_range", self.language, faults=f"place {place} (0–{len(self.results) - 1})")
        return replace(self, batch=pick_winner(self.server, self.id, place))

    @cached_property
    def summary(self) -> dict[str, int]:
        """How many items are done, failed and waiting."""
        states = [each.item.state for each in self.results]
        return {state.value: states.count(state) for state in ItemState}


def _cell(each: ItemResult, winner: int | None, language: str) -> Cell:
    picture = each.result.pictures[0] if each.result and each.result.pictures else None
    problem = str(each.error.in_language(language)) if each.error else ""
    named = each.item.variation
    return Cell(named.label, picture, named.column, named.row, "★" if each.place == winner else "", problem)


def result_in(pictures: tuple[bytes, ...], language: str = "en") -> Result | None:
    """The result that one item's whole pictures carry in them; ``None`` where they are no pictures of ours."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(pictures[0])) as first:
            first.load()
            generation = from_json(Generation, getattr(first, "text", {}).get(PNG_KEY, ""))
    except (OSError, SyntaxError, BadRequest):
        return None
    return Result(generation, pictures, language)


# --------------------------------------------------------------------------- a folder's own record


@dataclass(frozen=True)
class Folder:
    """Where a batch is saved: its pictures (plan and settings inside), its sheet, and what was made of which item, so that
    asking for the same batch again goes on where it stopped."""

    place: Path
    batch_id: str

    def record(self) -> Path:
        return self.place / f"{self.batch_id}.json"

    def saved(self) -> dict[int, tuple[bytes, ...]]:
        """Whole pictures by item, of those whose files are all there still."""
        try:
            listed = json.loads(self.record().read_text(encoding="utf-8"))
            names = {int(place): [str(name) for name in listed["items"][place]] for place in listed["items"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        found = {place: self._read(files) for place, files in names.items()}
        return {place: pictures for place, pictures in found.items() if pictures}

    def _read(self, names: list[str]) -> tuple[bytes, ...]:
        try:
            return tuple((self.place / Path(name).name).read_bytes() for name in names)
        except OSError:
            return ()

    def write(self, item: Item, pictures: tuple[bytes, ...]) -> tuple[str, ...]:
        """The names of an item's picture files, written."""
        many = len(pictures) > 1
        names = [f"{self.batch_id}_{item.place:03}{f'_{number}' if many else ''}.png" for number in range(len(pictures))]
        for name, raw in zip(names, pictures, strict=True):
            write_whole(self.place / name, raw)
        return tuple(names)

    def note(self, batch: Batch, names: dict[int, tuple[str, ...]]) -> None:
        """Write down which files belong to which item."""
        told = {"batch": json.loads(to_json(batch)), "items": {str(place): list(files) for place, files in names.items()}}
        write_whole(self.record(), json.dumps(told, ensure_ascii=False))
