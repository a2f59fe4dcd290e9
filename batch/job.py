"""A batch in the making: what became of each item so far, told and saved as it comes, from any thread."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ..api import Result
from ..errors import UserError
from ..feedback import Batch, Item, ItemState
from ..files import write_whole
from .results import BatchResult, Folder, ItemResult, result_in


@dataclass(frozen=True)
class BatchProgress:
    """``step`` of ``steps`` of the item at ``place``; ``done`` of ``total`` items are over. With a ``picture`` (a whole PNG)
    the item is made, with an ``error`` it failed, with a ``warning`` it is tried again in the way that says. ``seconds_left``
    for the rest, ``None`` = not known."""

    place: int
    label: str
    step: int = 0
    steps: int = 0
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    picture: bytes | None = None
    error: str = ""
    warning: str = ""


Hear = Callable[[BatchProgress], object]
Fetch = Callable[[str], bytes]  # a picture by its name below the output folder; raises ``UserError``


class Job:
    """``makers`` is how many servers work on it at once."""

    def __init__(self, batch: Batch, hear: Hear | None, folder: Folder | None, language: str, makers: int = 1) -> None:
        self.batch, self.hear, self.folder, self.language, self.makers = batch, hear, folder, language, makers
        self.results = {item.place: ItemResult(item) for item in batch.items}
        self.problems: list[UserError] = []
        self._names: dict[int, tuple[str, ...]] = {}
        self._seconds: list[float] = []
        self._lock = threading.RLock()

    def recall(self, fetch: Fetch, pool: ThreadPoolExecutor) -> None:
        """Take what was made before, from the folder or by what the batch says of it."""
        saved = self.folder.saved() if self.folder else {}

        def known(item: Item) -> Result | None:
            try:
                pictures = saved.get(item.place) or tuple(map(fetch, item.pictures))
            except UserError:  # gone from the server: it is made again
                return None
            return result_in(pictures, self.language) if pictures else None

        for item, result in zip(self.batch.items, pool.map(known, self.batch.items), strict=True):
            if result is not None:
                self.keep(item, result)

    def waiting(self) -> list[Item]:
        """The items without a result, failed ones included."""
        return [each.item for each in self.results.values() if each.result is None]

    # ----------------------------------------------------------------------- news

    def step(self, item: Item, step: int, steps: int) -> None:
        self._tell(item, step=step, steps=steps)

    def warn(self, item: Item, sentence: str) -> None:
        self._tell(item, warning=sentence)

    def made(self, item: Item, result: Result) -> None:
        """Keep a new result, then tell."""
        self.keep(item, result)
        self._tell(item, picture=result.pictures[0] if result.pictures else None)

    def keep(self, item: Item, result: Result) -> None:
        done = replace(item, state=ItemState.DONE, generation_id=result.id, error="")
        with self._lock:
            self.results[item.place] = ItemResult(done, result)
        if self.folder is None:
            return
        try:
            names = self.folder.write(item, result.pictures)
            with self._lock:
                self._names[item.place] = names
                self.folder.note(self.whole(), self._names)
        except OSError as fault:
            self._trouble(fault)

    def failed(self, item: Item, fault: UserError) -> None:
        with self._lock:
            told = replace(item, state=ItemState.FAILED, error=str(fault))
            self.results[item.place] = ItemResult(told, error=fault)
        self._tell(item, error=str(fault.in_language(self.language)))

    def left(self, fault: UserError) -> None:
        """Nothing can be made any more: what has no result waits, and says why."""
        with self._lock:
            for item in self.waiting():
                if item.state is ItemState.WAITING:
                    self.results[item.place] = ItemResult(item, error=fault)

    def took(self, seconds: float) -> None:
        """How long an item took, for the time that is left."""
        with self._lock:
            self._seconds.append(seconds)

    def _tell(self, item: Item, **news: Any) -> None:
        if self.hear is None:
            return
        with self._lock:
            states = [each.item.state for each in self.results.values()]
            done = len(states) - states.count(ItemState.WAITING)
            left, label = self._seconds_left(len(states) - done), item.variation.label
            self.hear(BatchProgress(item.place, label, done=done, total=len(states), seconds_left=left, **news))

    def _seconds_left(self, items: int) -> float | None:
        if self._seconds:
            each = sum(self._seconds) / len(self._seconds)
        elif self.batch.seconds is not None:
            each = self.batch.seconds / max(1, len(self.results))
        else:
            return None
        return round(items * each / self.makers, 1)

    # ----------------------------------------------------------------------- the end

    def whole(self) -> Batch:
        """The batch with the states of its items."""
        with self._lock:
            return replace(self.batch, items=tuple(each.item for each in self.results.values()))

    def note(self) -> None:
        """Write down how far it came."""
        if self.folder is not None:
            try:
                self.folder.note(self.whole(), self._names)
            except OSError as fault:
                self._trouble(fault)

    def result(self, server: str, stopped: bool = False) -> BatchResult:
        """Everything, the sheet saved beside the pictures."""
        self.note()
        whole = BatchResult(self.whole(), tuple(self.results.values()), server, self.language, stopped)
        if self.folder is not None and whole.summary[ItemState.DONE.value]:
            self._save_sheet(whole, self.folder)
        return replace(whole, problems=tuple(self.problems))

    def _save_sheet(self, whole: BatchResult, folder: Folder) -> None:
        drawn = io.BytesIO()
        whole.sheet().save(drawn, "PNG")
        try:
            write_whole(folder.place / f"{self.batch.id}_sheet.png", drawn.getvalue())
        except OSError as fault:
            self._trouble(fault)

    def _trouble(self, fault: OSError) -> None:
        folder = str(self.folder.place) if self.folder else ""
        self.problems.append(UserError("batch_not_saved", self.language, path=folder, problem=fault.strerror or str(fault)))
