"""A batch on one ComfyUI: one prompt after the other, so that what they share is loaded once; pictures are fetched and
saved beside the sampler."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..api import made_by
from ..client import Client, Run
from ..errors import Unreachable, UserError
from ..feedback import Batch, Item
from ..routes import RETRIED
from .job import BatchProgress, Hear, Job
from .make import PREFIX, graph_of
from .results import BatchResult, Folder

__all__ = ["BatchProgress", "Hear", "run_batch"]
WORKERS = 4
PATIENCE_S = 20.0  # a server that went away may be starting again


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
    job = Job(batch, on_progress, folder_of(batch, save_dir), language)
    sampler = _Sampler(job, client)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="batch") as pool:
        job.recall(sampler.fetch, pool)
        graphs = {item.place: pool.submit(graph_of, batch.id, item, prefix) for item in job.waiting()}
        collected: list[Future[None]] = []
        try:
            for item in job.waiting():
                run = sampler.make(item, graphs[item.place].result())
                if run is not None:
                    collected.append(pool.submit(sampler.collect, item, run))
                _raise_any(future for future in collected if future.done())
                if sampler.over:
                    break
            _raise_any(collected)
        except BaseException:
            sampler.cancel()
            raise
    return job.result(client.url, sampler.stopped)


def folder_of(batch: Batch, save_dir: Path | str | None) -> Folder | None:
    return Folder(Path(save_dir), batch.id) if save_dir else None


def _raise_any(futures: Any) -> None:
    for future in futures:
        future.result()


class _Sampler:
    """The one thing that works serially. ``over``: nothing more is made; ``stopped``: because someone interrupted it."""

    def __init__(self, job: Job, client: Client) -> None:
        self.job, self.client = job, client
        self.over = self.stopped = False
        self._running = ""

    def fetch(self, name: str) -> bytes:
        """A picture by its name below the output folder."""
        folder, _, file = name.rpartition("/")
        return self.client.image({"filename": file, "subfolder": folder, "type": "output"})

    def make(self, item: Item, graph: dict[str, Any]) -> Run | None:
        """Run one item; ``None`` where nothing came of it, which is noted."""
        began = time.monotonic()
        try:
            run = self._run(item, graph)
        except Unreachable as fault:
            self.over = True
            self.job.left(fault)
        except UserError as fault:
            self.over = self.stopped = fault.code == "comfyui_interrupted"
            if not self.stopped:
                self.job.failed(item, fault)
        else:
            self.job.took(time.monotonic() - began)
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
        def follow(kind: str, data: dict[str, Any]) -> None:
            if step := sampler_step(kind, data):
                self.job.step(item, *step)
            if kind == RETRIED:
                self._running = data["retry_id"]
                self.job.warn(item, data["sentence"])

        self._running = str(uuid.uuid4())
        run = self.client.run(graph, follow, prompt_id=self._running)
        self._running = ""
        return run

    def collect(self, item: Item, run: Run) -> None:
        """Fetch and save what an item made, then tell."""
        try:
            result = made_by(self.client, run, self.job.language)
        except UserError as fault:
            self.job.failed(item, fault)
            return
        self.job.made(item, result)

    def cancel(self) -> None:
        """Stop what runs; a server that is away needs no stopping."""
        self.job.note()
        if self._running:
            try:
                self.client.cancel(self._running)
            except UserError as fault:
                self.job.problems.append(fault)


def sampler_step(kind: str, data: dict[str, Any]) -> tuple[int, int] | None:
    """(step, steps) where a message of ComfyUI tells a sampler's progress."""
    sampling = "sampler" in str(data.get("node", "")).rsplit(".", 1)[-1]
    return (int(data["value"]), int(data["max"])) if kind == "progress" and sampling else None


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
