"""A batch on one ComfyUI: one prompt after the other, so that what they share is loaded once; pictures are fetched and
saved beside the sampler."""

from __future__ import annotations

import io
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..api import Result, made_by
from ..client import Client, Run
from ..errors import Unreachable, UserError
from ..feedback import Batch, Item, ItemState
from ..files import write_whole
from .make import PREFIX, graph_of
from .results import BatchResult, Folder, ItemResult, result_in

WORKERS = 4
PATIENCE_S = 20.0  # a server that went away may be starting again


@dataclass(frozen=True)
class BatchProgress:
    """``step`` of ``steps`` of the item at ``place``; ``done`` of ``total`` items are over. With a ``picture`` (a whole PNG)
    the item is made, with an ``error`` it failed. ``seconds_left`` for the rest, ``None`` = not known."""

    place: int
    label: str
    step: int = 0
    steps: int = 0
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    picture: bytes | None = None
    error: str = ""


Hear = Callable[[BatchProgress], object]


def run_batch(
    batch: Batch,
    client: Client,
    *,
    on_progress: Hear | None = None,
    save_dir: Path | str | None = None,
    prefix: str = PREFIX,
    language: str = "en",
) -> BatchResult:
    """Make what is not made yet, in order. A failed item is reported in its place and the rest goes on; one that was done
    before (the server's record, or that of ``save_dir``) is fetched, not made again. Someone's interrupt of the running
    prompt ends the batch there.

    ``on_progress`` hears every sampler step and every picture, one call at a time, pictures from another thread. If it
    raises, or at Ctrl-C, the running prompt is cancelled and the exception goes to the caller; nothing made is lost: asking
    again goes on from there."""
    job = _Job(batch, client, on_progress, Folder(Path(save_dir), batch.id) if save_dir else None, language)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="batch") as pool:
        job.recall(pool)
        graphs = {item.place: pool.submit(graph_of, batch.id, item, prefix) for item in job.waiting()}
        collected: list[Future[None]] = []
        try:
            for item in job.waiting():
                run = job.make(item, graphs[item.place].result())
                if run is not None:
                    collected.append(pool.submit(job.collect, item, run))
                _raise_any(collected)
                if job.over:
                    break
            for future in collected:
                future.result()
        except BaseException:
            job.cancel()
            raise
    return job.result()


def _raise_any(futures: list[Future[None]]) -> None:
    for future in futures:
        if future.done():
            future.result()


class _Job:
    """A batch in the making. Results come from several threads."""

    def __init__(self, batch: Batch, client: Client, hear: Hear | None, folder: Folder | None, language: str) -> None:
        self.batch, self.client, self.hear, self.folder, self.language = batch, client, hear, folder, language
        self.results = {item.place: ItemResult(item) for item in batch.items}
        self.names: dict[int, tuple[str, ...]] = {}
        self.problems: list[UserError] = []
        self.over = self.stopped = False
        self._running = ""
        self._seconds: list[float] = []
        self._lock = threading.RLock()

    # ----------------------------------------------------------------------- before

    def recall(self, pool: ThreadPoolExecutor) -> None:
        """What was made before."""
        saved = self.folder.saved() if self.folder else {}
        for place, result in pool.map(lambda item: (item.place, self._known(item, saved)), self.batch.items):
            if result is not None:
                self._keep(self.results[place].item, result)

    def _known(self, item: Item, saved: dict[int, tuple[bytes, ...]]) -> Result | None:
        try:
            pictures = saved.get(item.place) or tuple(map(self._picture, item.pictures))
            return result_in(pictures, self.language) if pictures else None
        except UserError:  # gone from the server: it is made again
            return None

    def _picture(self, name: str) -> bytes:
        folder, _, file = name.rpartition("/")
        return self.client.image({"filename": file, "subfolder": folder, "type": "output"})

    def waiting(self) -> list[Item]:
        return [each.item for each in self.results.values() if each.result is None]

    # ----------------------------------------------------------------------- making

    def make(self, item: Item, graph: dict[str, Any]) -> Run | None:
        """Run one item; ``None`` where it failed, which is noted."""
        began = time.monotonic()
        try:
            run = self._run(item, graph)
        except Unreachable as fault:
            self.over = True
            for each in self.waiting():
                self.results[each.place] = ItemResult(self.results[each.place].item, error=fault)
            self._fail(item, fault, ItemState.WAITING)
        except UserError as fault:
            self.over = self.stopped = fault.code == "comfyui_interrupted"
            if not self.stopped:
                self._fail(item, fault)
        else:
            self._seconds.append(time.monotonic() - began)
            return run
        return None

    def _run(self, item: Item, graph: dict[str, Any]) -> Run:
        """Once more where the server went away and came back."""
        try:
            return self._once(item, graph)
        except Unreachable:
            if not _is_back(self.client):
                raise
            return self._once(item, graph)

    def _once(self, item: Item, graph: dict[str, Any]) -> Run:
        self._running = str(uuid.uuid4())
        run = self.client.run(graph, lambda kind, data: self._follow(item, kind, data), prompt_id=self._running)
        self._running = ""
        return run

    def _follow(self, item: Item, kind: str, data: dict[str, Any]) -> None:
        sampling = "sampler" in str(data.get("node", "")).rsplit(".", 1)[-1]
        if kind == "progress" and sampling:
            self._tell(item, step=int(data["value"]), steps=int(data["max"]))

    def cancel(self) -> None:
        """Stop what runs; a server that is away needs no stopping."""
        self._note()
        if self._running:
            try:
                self.client.cancel(self._running)
            except UserError as fault:
                self.problems.append(fault)

    # ----------------------------------------------------------------------- after

    def collect(self, item: Item, run: Run) -> None:
        """Fetch and save what an item made, then tell."""
        try:
            result = made_by(self.client, run, self.language)
        except UserError as fault:
            self._fail(item, fault)
            return
        self._keep(item, result)
        self._tell(item, picture=result.pictures[0] if result.pictures else None)

    def _keep(self, item: Item, result: Result) -> None:
        done = replace(item, state=ItemState.DONE, generation_id=result.id, error="")
        with self._lock:
            self.results[item.place] = ItemResult(done, result)
        if self.folder is None:
            return
        try:
            names = self.folder.write(item, result.pictures)
            with self._lock:
                self.names[item.place] = names
                self.folder.note(self._batch(), self.names)
        except OSError as fault:
            self._trouble(fault)

    def _fail(self, item: Item, fault: UserError, state: ItemState = ItemState.FAILED) -> None:
        with self._lock:
            told = replace(item, state=state, error=str(fault) if state is ItemState.FAILED else "")
            self.results[item.place] = ItemResult(told, error=fault)
        self._tell(item, error=str(fault.in_language(self.language)))

    def _tell(self, item: Item, **news: Any) -> None:
        if self.hear is None:
            return
        with self._lock:
            done, total = sum(each.item.state is not ItemState.WAITING for each in self.results.values()), len(self.results)
            left = self._seconds_left(total - done)
            self.hear(BatchProgress(item.place, item.variation.label, done=done, total=total, seconds_left=left, **news))

    def _seconds_left(self, items: int) -> float | None:
        if self._seconds:
            return round(items * sum(self._seconds) / len(self._seconds), 1)
        return None if self.batch.seconds is None else round(self.batch.seconds * items / max(1, len(self.results)), 1)

    def _note(self) -> None:
        if self.folder is not None:
            try:
                self.folder.note(self._batch(), self.names)
            except OSError as fault:
                self._trouble(fault)

    def _trouble(self, fault: OSError) -> None:
        folder = str(self.folder.place) if self.folder else ""
        self.problems.append(UserError("batch_not_saved", self.language, path=folder, problem=fault.strerror or str(fault)))

    def _batch(self) -> Batch:
        return replace(self.batch, items=tuple(each.item for each in self.results.values()))

    def result(self) -> BatchResult:
        """Everything, the sheet saved beside the pictures."""
        self._note()
        results = tuple(self.results.values())
        whole = BatchResult(self._batch(), results, self.client.url, self.language, self.stopped)
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


def _is_back(client: Client) -> bool:
    """Whether the server answers again, soon."""
    until = time.monotonic() + PATIENCE_S
    while not (there := _answers(client)) and time.monotonic() < until:
        time.sleep(0.5)
    return there


def _answers(client: Client) -> bool:
    try:
        client.get("/system_stats")
    except UserError:
        return False
    return True
